"""``/background-presets``: what is behind the person, standard or an organization's own."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Form, Path, Query, Response, status

from db.models import BackgroundType
from db.repositories.presets import BackgroundPresetRepository, BackgroundPresetWriter
from serve_app.backend.background_presets import service
from serve_app.backend.background_presets.schemas import (
    BackgroundPresetCreate,
    BackgroundPresetList,
    BackgroundPresetRead,
    BackgroundPresetUpdate,
    Name,
    read_background,
)
from serve_app.core.attachments import Attachment, FormFile, FormUploadKey
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, RequestResources, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.media import Library
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Listed, Standard
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.schemas import Position
from serve_app.core.text import Storable
from serve_app.core.uploads import Uploads
from serve_app.core.versions import Versioned

router = Router(prefix="/background-presets", tags=["background-presets"])

PresetId = Annotated[UUID, Path(description="Id of a background.")]


@router.get("/", operation_id="list_background_presets", responses=errors(*MEMBER))
async def list_background_presets(
    scope: Scope,
    session: Reading,
    sign: Signing,
    listing: Listed,
    type: Annotated[  # noqa: A002
        list[BackgroundType] | None, Query(description="Only of these.")
    ] = None,
    is_standard: Standard = None,
) -> BackgroundPresetList:
    """The standard backgrounds and your organization's own, by their position unless you sort them.
    `q` looks in name and prompt; sort by `position`, `name`, `created_at` or `updated_at`."""
    with sorting():
        page = await BackgroundPresetRepository(session, scope).list(
            **listing.arguments("position"), type=type, is_standard=is_standard
        )
    items = [await read_background(one, sign) for one in page.items]
    return BackgroundPresetList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_background_preset",
    response_model=BackgroundPresetRead,
    responses=errors(*MEMBER, 409, 413, 415),
)
async def create(
    body: BackgroundPresetCreate,
    scope: Scope,
    session: Writing,
    sign: Signing,
    resources: RequestResources,
    library: Library,
    once: Idempotency,
) -> BackgroundPresetRead | Response:
    """Add a background of your organization's own: a `color`, a `prompt`, or an `image` that was
    uploaded before."""
    service.check(body)
    if body.type is BackgroundType.IMAGE:
        attachment = Attachment(library, Uploads(resources, scope), None, body.upload_key)
        return await _add_image(
            attachment, scope, session, sign, once, name=body.name, position=body.position
        )

    async def make() -> BackgroundPresetRead:
        values = body.model_dump(exclude={"upload_key"})
        added = await BackgroundPresetWriter(session, scope).add(**values)
        return await read_background(added, sign)

    return await once.create(session, make)


@router.post(
    "/images",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_background_image",
    response_model=BackgroundPresetRead,
    responses=errors(*MEMBER, 409, 413, 415),
)
async def create_image(
    scope: Scope,
    session: Writing,
    sign: Signing,
    resources: RequestResources,
    library: Library,
    once: Idempotency,
    name: Annotated[Name, Form(), Storable],
    file: FormFile = None,
    upload_key: FormUploadKey = None,
    position: Annotated[Position, Form()] = 100,
) -> BackgroundPresetRead | Response:
    """Add a background of type `image`: the file itself, or the `upload_key` of one that was
    uploaded before. JPEG, PNG, WebP and AVIF are taken."""
    attachment = Attachment(library, Uploads(resources, scope), file, upload_key)
    return await _add_image(attachment, scope, session, sign, once, name=name, position=position)


async def _add_image(
    attachment: Attachment,
    scope: Scope,
    session: Writing,
    sign: Signing,
    once: Idempotency,
    *,
    name: str,
    position: int,
) -> BackgroundPresetRead | Response:
    if answered := await once.earlier():
        return answered
    picture = await attachment.take()

    async def make() -> BackgroundPresetRead:
        added = await service.add_image(
            session, scope, attachment, picture, name=name, position=position
        )
        return await read_background(added, sign)

    return await once.create(session, make)


@router.get("/{preset_id}", operation_id="get_background_preset", responses=errors(304, *MEMBER))
async def get(
    preset_id: PresetId, scope: Scope, session: Reading, sign: Signing, versions: Versioned
) -> BackgroundPresetRead:
    """One background."""
    preset = found(await BackgroundPresetRepository(session, scope).get(preset_id), "Background")
    versions.read(preset, has_urls=preset.media is not None)
    return await read_background(preset, sign)


@router.patch(
    "/{preset_id}", operation_id="update_background_preset", responses=errors(*MEMBER, 412)
)
async def update(
    preset_id: PresetId,
    body: BackgroundPresetUpdate,
    scope: Scope,
    session: Writing,
    sign: Signing,
    versions: Versioned,
) -> BackgroundPresetRead:
    """Change one of your organization's backgrounds. The standard ones stay as they are."""
    preset = await service.update(session, scope, preset_id, body, versions)
    versions.show(preset, has_urls=preset.media is not None)
    return await read_background(preset, sign)


@router.delete(
    "/{preset_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_background_preset",
    responses=errors(*MEMBER, 409),
)
async def delete(preset_id: PresetId, scope: Scope, session: Writing, library: Library) -> Response:
    """Remove one of your organization's backgrounds. One that looks use is refused."""
    await service.delete(session, scope, library, preset_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
