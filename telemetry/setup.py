"""What a process calls once, before its first line of log."""

from __future__ import annotations

from configs.settings import Settings
from telemetry.logs import configure_logs
from telemetry.traces import configure_traces


def configure(settings: Settings, process: str) -> None:
    """Logs and traces as the settings say.

    Args:
        settings: of this process.
        process: what it is, such as ``gateway``.
    """
    configure_logs(settings.log_format, settings.log.level, process)
    configure_traces(settings.otel_exporter_otlp_endpoint, f"sartiq-{process}")
