"""How every API of the platform is set up."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi_offline import FastAPIOffline

from configs.settings import Settings
from serve_app.core.deadline import Deadline
from serve_app.core.errors import install_error_handlers
from serve_app.core.limits import BodyLimit
from serve_app.core.openapi import install_document
from serve_app.core.outages import install_outage_handlers
from serve_app.core.rate_limits import RateLimitHeaders
from serve_app.core.versions import install_version_handler

# Around an upload's bytes: the multipart boundaries and headers.
_MULTIPART_BYTES = 64 * 1024


def create_api(
    title: str,
    description: str,
    settings: Settings,
    larger_forms: Mapping[str, int] | None = None,
    *,
    rate_limited: bool = False,
) -> FastAPI:
    """An API with the platform's errors, limits and documents, and no routes yet.

    Its resources are set by the gateway once they are open.

    Args:
        title, description: of the document.
        settings: of the process.
        larger_forms: by the end of a path, bytes of the files that it takes, where those are more
            than a picture may have.
        rate_limited: whether its callers' requests are counted.
    """
    # Its documentation page loads nothing from elsewhere: it works without a network.
    api = FastAPIOffline(
        title=title,
        description=description,
        version=version("sartiq"),
        redoc_url=None,
        telemetry={"metrics": False, "logs": False, "operation_spans": False},
    )
    install_document(api, rate_limited=rate_limited)
    install_error_handlers(api)
    install_outage_handlers(api)
    install_version_handler(api)
    limit = settings.media.max_upload_bytes + _MULTIPART_BYTES
    larger = {path: size + _MULTIPART_BYTES for path, size in (larger_forms or {}).items()}
    api.add_middleware(BodyLimit, max_form_bytes=limit, larger_forms=larger)
    api.add_middleware(Deadline, seconds=settings.http.request_seconds)
    if rate_limited:
        api.add_middleware(RateLimitHeaders)
    return api


def put_together(api: FastAPI) -> FastAPI:
    """The API with all its routes resolved.

    FastAPI resolves those of included routers for the first request, which then takes a second.
    """
    for _ in iter_route_contexts(api.routes):
        pass
    return api
