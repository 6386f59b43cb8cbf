"""``/loras``: adapters that images can be made with."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import File, Form, Path, Query, Response, UploadFile, status

from db.models import EntityType
from db.repositories.adapters import AdapterRepository
from serve_app.compute.loras import service
from serve_app.compute.loras.schemas import LoraList, LoraRead
from serve_app.core.adapters import AdapterName
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, RequestResources, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import BINARY, errors
from serve_app.core.pagination import Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.text import Storable

router = Router(prefix="/loras", tags=["loras"])

LoraId = Annotated[UUID, Path(description="Id of a LoRA.")]
ModelName = Annotated[
    str | None, Query(max_length=200, description="Only those made for this model."), Storable
]


@router.get("/", operation_id="list_loras", responses=errors(401))
async def list_loras(
    session: Reading,
    scope: Scope,
    sign: Signing,
    listing: Listed,
    base_model: ModelName = None,
    entity_type: Annotated[
        EntityType | None, Query(description="Only those that show this.")
    ] = None,
) -> LoraList:
    """Your LoRAs, every version by itself. `q` looks in name and trigger word; sort by `name`,
    `version`, `size` or `created_at`."""
    with sorting():
        page = await AdapterRepository(session, scope).list(
            **listing.arguments(), base_model=base_model, entity_type=entity_type
        )
    items = [await service.read_lora(one, sign) for one in page.items]
    return LoraList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="upload_lora",
    response_model=LoraRead,
    responses=errors(401, 409, 413, 415),
)
async def upload(
    file: Annotated[
        UploadFile, File(description="A safetensors file, as diffusers or kohya write it."), BINARY
    ],
    name: Annotated[AdapterName, Form()],
    base_model: Annotated[
        str, Form(max_length=200, description="Name of the model that it was trained on.")
    ],
    resources: RequestResources,
    session: Writing,
    scope: Scope,
    sign: Signing,
    once: Idempotency,
    entity_type: Annotated[EntityType, Form(description="What it shows.")] = EntityType.SUBJECT,
    trigger_word: Annotated[
        str | None,
        Form(max_length=100, description="What to write into a prompt to make it appear."),
        Storable,
    ] = None,
) -> LoraRead | Response:
    """Store a LoRA that was trained elsewhere. Its header is checked: names, shapes and places of
    its tensors, and whether the model has such layers."""
    if answered := await once.earlier():
        return answered
    entry = service.choose_base(resources, base_model)
    checked = await service.check(resources, file, entry)
    adapters = service.Adapters(resources, session, scope)
    path = await adapters.store(checked)

    async def make() -> LoraRead:
        adapter = await adapters.create(
            checked, path, entry, name=name, entity_type=entity_type, trigger_word=trigger_word
        )
        return await service.read_lora(adapter, sign)

    answer = await once.create(session, make)
    if isinstance(answer, Response):  # a twin was quicker, and stored the file too
        await resources.store.delete(path)
    return answer


@router.get("/{lora_id}", operation_id="get_lora", responses=errors(401, 404))
async def get(lora_id: LoraId, session: Reading, scope: Scope, sign: Signing) -> LoraRead:
    """A LoRA, with a URL of its file."""
    adapter = found(await AdapterRepository(session, scope).get(lora_id), "LoRA")
    return await service.read_lora(adapter, sign)


@router.delete(
    "/{lora_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_lora",
    responses=errors(401, 404, 409),
)
async def delete(
    lora_id: LoraId, resources: RequestResources, session: Writing, scope: Scope
) -> Response:
    """Remove a LoRA and its file. While a subject, a product or a style has it, that is refused.
    Tasks that name it and have not begun fail; images that were made with it stay."""
    await service.Adapters(resources, session, scope).delete(lora_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
