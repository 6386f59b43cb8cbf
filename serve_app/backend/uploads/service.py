"""Uploads: a key and a signed URL for a file that a client will put into storage."""

from __future__ import annotations

from db.repositories.scope import OrganizationScope
from serve_app.backend.uploads.schemas import UploadCreate, UploadRead
from serve_app.core.errors import UnprocessableField
from serve_app.core.resources import Resources
from serve_app.core.uploads import Uploads


async def presign(
    resources: Resources, scope: OrganizationScope, body: UploadCreate, base_url: str
) -> UploadRead:
    """Where the file may be put.

    Raises:
        UnprocessableField: it would be too large.
    """
    limit = resources.settings.media.max_upload_bytes
    if body.size > limit:
        raise UnprocessableField(f"At most {limit:,} bytes are taken", ("body", "size"))
    upload = await Uploads(resources, scope).open(body.content_type, base_url)
    return UploadRead(
        upload_url=upload.url,
        method="PUT",
        headers={"Content-Type": body.content_type},
        key=upload.key,
        expires_at=upload.expires_at,
        max_size=limit,
    )
