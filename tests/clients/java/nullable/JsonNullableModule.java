package org.openapitools.jackson.nullable;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.SerializationConfig;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.BeanPropertyWriter;
import com.fasterxml.jackson.databind.ser.BeanSerializerModifier;
import java.util.List;

/**
 * Writes what was set, null too, as the module of this name does in jackson-databind-nullable.
 *
 * <p>That library comes from Maven alone, which the tests do without.
 */
public class JsonNullableModule extends SimpleModule {
    public JsonNullableModule() {
        setSerializerModifier(new BeanSerializerModifier() {
            @Override
            public List<BeanPropertyWriter> changeProperties(
                    SerializationConfig config,
                    BeanDescription description,
                    List<BeanPropertyWriter> properties) {
                properties.replaceAll(
                    each -> each.getType().hasRawClass(JsonNullable.class) ? new Set(each) : each);
                return properties;
            }
        });
    }

    private static class Set extends BeanPropertyWriter {
        Set(BeanPropertyWriter property) {
            super(property);
        }

        @Override
        public void serializeAsField(
                Object bean, JsonGenerator generator, SerializerProvider provider)
                throws Exception {
            if (get(bean) instanceof JsonNullable<?> value && value.isPresent()) {
                super.serializeAsField(bean, generator, provider);
            }
        }
    }
}
