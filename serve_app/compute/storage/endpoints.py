"""``/storage``: upload pictures and datasets, fetch what is stored."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, BinaryIO

from fastapi import File, Path, Query, Request, Response, UploadFile, status
from fastapi.responses import StreamingResponse

from serve_app.compute.storage.datasets import DatasetIntake
from serve_app.compute.storage.schemas import DatasetRead, ImageRead
from serve_app.core.auth import Caller, OptionalCaller
from serve_app.core.dependencies import BaseUrl, OwnUrls, RequestResources
from serve_app.core.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    Unauthorized,
)
from serve_app.core.images import ImageTooLarge, UnsupportedImage
from serve_app.core.intake import Intake, owner_of
from serve_app.core.openapi import BINARY, errors
from serve_app.core.routing import Router

router = Router(prefix="/storage", tags=["storage"])

_BAD_SIGNATURE = "The signature of this URL has expired or does not fit it; ask for the URL again"
_CACHE_CONTROL = "private, max-age=31536000, immutable"


@router.post(
    "/images",
    status_code=status.HTTP_201_CREATED,
    operation_id="upload_image",
    responses=errors(401, 413, 415),
)
async def upload(
    file: Annotated[UploadFile, File(description="JPEG, PNG, WebP or AVIF."), BINARY],
    caller: Caller,
    resources: RequestResources,
    own_urls: OwnUrls,
    base_url: BaseUrl,
) -> ImageRead:
    """Store a picture. The same file again answers the same path."""
    media = resources.settings.media
    if file.size is not None and file.size > media.max_upload_bytes:
        raise PayloadTooLarge(f"The file is too large: at most {media.max_upload_bytes:,} bytes")
    intake = Intake(resources, caller.organization_id, own_urls)
    try:
        stored = await intake.take_bytes(await file.read())
    except (ImageTooLarge, UnsupportedImage):  # these have a status of their own
        raise
    except InvalidInput as error:
        raise error.at("body", "file") from error
    url = await resources.store.sign(stored.path, expires_in=media.url_seconds, base_url=base_url)
    info = stored.info
    return ImageRead(
        path=stored.path,
        url=url,
        content_type=info.content_type,
        size=info.size,
        width=info.width,
        height=info.height,
        sha256=info.sha256,
    )


@router.post(
    "/datasets",
    status_code=status.HTTP_201_CREATED,
    operation_id="upload_dataset",
    responses=errors(401, 413),
)
async def upload_dataset(
    file: Annotated[
        UploadFile,
        File(
            description="A ZIP of JPEG, PNG, WebP or AVIF pictures. A caption stands in `name.txt` "
            "beside `name.jpg`, or in a `metadata.jsonl` with lines "
            '`{"file_name": "name.jpg", "text": "…"}`.'
        ),
        BINARY,
    ],
    caller: Caller,
    resources: RequestResources,
    own_urls: OwnUrls,
    base_url: BaseUrl,
) -> DatasetRead:
    """Store pictures to train from. Every file that cannot be used is named in the answer, with its
    reason, and nothing is stored then. The same archive again answers the same path."""
    intake = DatasetIntake(resources, caller.organization_id, own_urls)
    try:
        stored = await intake.take_file(file.file)
    except InvalidInput as error:
        raise error.at("body", "file") from error
    seconds = resources.settings.media.url_seconds
    url = await resources.store.sign(stored.path, expires_in=seconds, base_url=base_url)
    return DatasetRead(url=url, **asdict(stored))


@router.get(
    "/images/{path:path}",
    operation_id="get_image",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"image/*": {}}, "description": "The picture."},
        **errors(401, 404),
    },
    # By a token, or by the signature of the URL without one.
    openapi_extra={"security": [{"API key": []}, {}]},
)
async def get(
    path: Annotated[str, Path(description="Name in storage.", max_length=1024)],
    request: Request,
    caller: OptionalCaller,
    resources: RequestResources,
    expires: Annotated[str | None, Query(description="Of a signed URL.")] = None,
    signature: Annotated[str | None, Query(description="Of a signed URL.", max_length=200)] = None,
) -> Response:
    """Fetch a picture, by a Bearer token of its organization or by a signed URL."""
    store = resources.store
    if resources.signer.verify(path, expires, signature):
        pass
    elif caller is None:
        raise Unauthorized(_BAD_SIGNATURE if signature else None)
    elif owner_of(path) != caller.organization_id.hex:
        raise NotFound("Image not found")
    found = await store.stat(path)
    # Objects are never changed in place, so the name is as good a validator as a digest.
    etag = f'"{path.rsplit("/", 1)[-1]}"'
    headers = {"ETag": etag, "Cache-Control": _CACHE_CONTROL, "X-Content-Type-Options": "nosniff"}
    known = request.headers.get("if-none-match", "").split(",")
    if {"*", etag}.intersection(one.strip().removeprefix("W/") for one in known):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    headers["Content-Length"] = str(found.size)
    return StreamingResponse(store.stream(path), media_type=found.content_type, headers=headers)


@router.put(
    "/uploads/{path:path}",
    operation_id="put_upload",
    response_class=Response,
    responses={200: {"description": "Stored."}, **errors(400, 403, 404, 413)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_upload(
    path: Annotated[str, Path(description="Key of the upload.", max_length=1024)],
    request: Request,
    resources: RequestResources,
    expires: Annotated[str, Query(description="Of a signed URL.", max_length=20)],
    signature: Annotated[str, Query(description="Of a signed URL.", max_length=200)],
) -> Response:
    """Put a file under a URL from `POST /uploads/presigned-url`; what it is is looked at when
    something takes it. An installation on S3 hands out URLs of that server instead."""
    if not resources.signer.verify_upload(path, expires, signature):
        raise Forbidden(_BAD_SIGNATURE)
    with tempfile.TemporaryFile() as file:
        await _receive(request.stream(), file, resources.settings.media.max_upload_bytes)
        await resources.store.put(path, file)
    return Response()


async def _receive(chunks: AsyncIterator[bytes], file: BinaryIO, limit: int) -> None:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise PayloadTooLarge(f"The file is too large: at most {limit:,} bytes")
        await asyncio.to_thread(file.write, chunk)
    file.seek(0)
