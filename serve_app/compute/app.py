"""The Compute API as one ASGI application, mounted by the gateway."""

from __future__ import annotations

from fastapi import FastAPI

from configs.settings import Settings
from serve_app.compute.loras.endpoints import router as loras
from serve_app.compute.monitoring.endpoints import router as monitoring
from serve_app.compute.storage.endpoints import router as storage
from serve_app.compute.tasks.endpoints import router as tasks
from serve_app.compute.training.endpoints import router as training
from serve_app.compute.webhooks.endpoints import router as webhooks
from serve_app.compute.workflows.endpoints import router as workflows
from serve_app.core.api import create_api, put_together
from serve_app.core.events.endpoints import router as events

_DESCRIPTION = """\
Turns product photos into on-model images. Submit a task, watch its progress, download its images.

Every request carries an API key: `Authorization: Bearer $API_KEY`. The URLs of images need none.
"""


def create_compute_api(settings: Settings) -> FastAPI:
    """The API under ``/compute/api/v1``."""
    larger_forms = {
        "/storage/datasets": settings.datasets.max_bytes,
        "/loras/": settings.models.max_adapter_bytes,
    }
    api = create_api("Sartiq Compute API", _DESCRIPTION, settings, larger_forms, rate_limited=True)
    # /tasks
    api.include_router(tasks)
    # /training
    api.include_router(training)
    # /workflows
    api.include_router(workflows)
    # /loras
    api.include_router(loras)
    # /events, /tasks/{task_id}/events
    api.include_router(events)
    # /monitoring
    api.include_router(monitoring)
    # /webhooks
    api.include_router(webhooks)
    # /storage
    api.include_router(storage)
    return put_together(api)
