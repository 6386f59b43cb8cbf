"""``/uploads``: files that are put straight into storage."""

from __future__ import annotations

from serve_app.backend.uploads import service
from serve_app.backend.uploads.schemas import UploadCreate, UploadRead
from serve_app.core.auth import Scope
from serve_app.core.dependencies import BaseUrl, RequestResources
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.routing import Router

router = Router(prefix="/uploads", tags=["uploads"])


@router.post("/presigned-url", operation_id="presign_upload", responses=errors(*MEMBER))
async def presign(
    body: UploadCreate, scope: Scope, resources: RequestResources, base_url: BaseUrl
) -> UploadRead:
    """Ask for a URL to put a picture to, without sending it through the API: within 15 minutes, at
    most 50 MB. Then add it by its key, with `POST /products/{product_id}/images` or
    `POST /subjects/{subject_id}/images`; what nothing takes in 24 hours is removed."""
    return await service.presign(resources, scope, body, base_url)
