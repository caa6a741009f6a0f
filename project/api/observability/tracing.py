"""Traces, where OTEL_EXPORTER_OTLP_ENDPOINT is set (docs/metrics.md).

A span for each request and one for each of its statements, by OpenTelemetry's conventions
(https://opentelemetry.io/docs/specs/semconv/http/http-spans/). They say no more than the log does:
OpenTelemetry's own instrumentation of Django would add the client's address and the query.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from threading import Lock

from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponseBase

from ..databases.connections import each_statement
from ..models import HandedOn

try:
    from opentelemetry import propagate, trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
except ImportError as error:
    raise ImproperlyConfigured(
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, which takes more packages: uv sync --group tracing"
    ) from error

_lock = Lock()
_tracer: trace.Tracer | None = None


def tracer() -> trace.Tracer:
    """This process's, made with its first request: what exports is a thread, which no fork keeps.

    The variables of OpenTelemetry's SDK say where to, what of it, and by which name.
    """
    global _tracer
    with _lock:
        if _tracer is None:
            provider = TracerProvider()
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
            _tracer = provider.get_tracer("book-catalogue")
    return _tracer


class Traces:
    """Middleware: a span for each request, within the trace that its `traceparent` names."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        names = (name for name in propagate.get_global_textmap().fields if name in request.headers)
        sent = {name: request.headers[name] for name in names}
        with _span(
            str(request.method),
            context=propagate.extract(sent),
            kind=trace.SpanKind.SERVER,
            attributes={
                "http.request.method": str(request.method),
                "catalogue.request_id": request.id,  # type: ignore[attr-defined]
            },
        ) as span:
            with each_statement(_trace_statement):
                response = self.get_response(request)
            if match := request.resolver_match:
                span.update_name(f"{request.method} {match.route}")
                span.set_attribute("http.route", match.route)
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 500:
                span.set_status(trace.StatusCode.ERROR)
        return response


def _trace_statement(
    execute: Callable[..., object],
    sql: str,
    params: object,
    many: bool,
    context: Mapping[str, BaseDatabaseWrapper],
) -> object:
    text = str(sql)
    attributes = {"db.system.name": context["connection"].vendor, "db.query.text": text}
    operation = text.split(None, 1)[0].upper()
    with _span(operation, kind=trace.SpanKind.CLIENT, attributes=attributes) as span:
        try:
            return execute(sql, params, many, context)
        except Error as error:
            # What it says may have values in it.
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)
            raise


def _span(name: str, **more: HandedOn) -> AbstractContextManager[trace.Span]:
    start = partial(tracer().start_as_current_span, name, **more)
    return start(record_exception=False, set_status_on_exception=False)
