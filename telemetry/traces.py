"""OpenTelemetry traces, to a collector that takes OTLP over HTTP. Without one nothing is recorded.

FastAPI makes the span of a request; the runner that of an attempt, and of its call to a replica;
the replica that of its work. `telemetry.context` carries the parent from one to the next.
"""

from __future__ import annotations

from typing import Final

from opentelemetry import trace
from opentelemetry.trace import Tracer

TRACER: Final[Tracer] = trace.get_tracer("sartiq")
# Spans leave this often; what a process that is killed still holds is lost.
_EXPORT_MILLISECONDS = 1000


def configure_traces(endpoint: str | None, service: str) -> None:
    """Send the spans of this process to a collector; None: record none.

    Args:
        endpoint: base URL of the collector, as in ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        service: name of this process in the traces.
    """
    if endpoint is None:
        return
    # A third of a second, which only who has traces pays.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=_EXPORT_MILLISECONDS)
    )
    trace.set_tracer_provider(provider)
