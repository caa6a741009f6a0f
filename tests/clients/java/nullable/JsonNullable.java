package org.openapitools.jackson.nullable;

import com.fasterxml.jackson.annotation.JsonValue;

/** A value that was set, to null perhaps, or none. */
public record JsonNullable<T>(boolean isPresent, T get) {
    @Override
    @JsonValue
    public T get() {
        return get;
    }

    public static <T> JsonNullable<T> undefined() {
        return new JsonNullable<>(false, null);
    }

    public static <T> JsonNullable<T> of(T value) {
        return new JsonNullable<>(true, value);
    }

    public T orElse(T other) {
        return isPresent ? get : other;
    }
}
