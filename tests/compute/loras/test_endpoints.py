"""``/loras``: upload, list, fetch, remove."""

from __future__ import annotations

import asyncio
import hashlib
import io
import pickle
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.datastructures import UploadFile

from serve_app.compute.loras import service
from serve_app.core.errors import PayloadTooLarge
from serve_app.gateway import COMPUTE_BASE
from tests.factories.adapters import make_adapter
from tests.factories.lora_files import lora_file, lora_tensors
from tests.factories.products import make_product
from tests.factories.styles import make_style
from tests.factories.subjects import make_subject
from tests.fixtures.api import Gateway, Tenant

FORM = {"name": "mira", "base_model": "atelier-tiny"}


async def upload(
    tenant: Tenant,
    data: bytes,
    *,
    filename: str = "mira.safetensors",
    headers: dict[str, str] | None = None,
    **form: str,
) -> httpx.Response:
    return await tenant.compute.post(
        "/loras/", files={"file": (filename, data)}, data=FORM | form, headers=headers
    )


async def uploaded(tenant: Tenant, data: bytes | None = None, **form: str) -> dict[str, Any]:
    response = await upload(tenant, lora_file() if data is None else data, **form)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def objects(tenant: Tenant) -> list[str]:
    folder = f"loras/{tenant.organization_id.hex}"
    return [found.path async for found in tenant.gateway.resources.store.list(folder)]


async def test_an_upload_says_what_it_is(tenant: Tenant) -> None:
    data = lora_file(rank=6)
    lora = await uploaded(tenant, data, entity_type="style", trigger_word="noir light")
    facts = {key: lora[key] for key in ("name", "version", "source", "entity_type", "base_model")}
    assert facts == {
        "name": "mira",
        "version": 1,
        "source": "uploaded",
        "entity_type": "style",
        "base_model": "atelier-tiny",
    }
    assert (lora["family"], lora["rank"], lora["trigger_word"]) == ("sd-instruct", 6, "noir light")
    assert (lora["size"], lora["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert (lora["training_id"], lora["metadata"]) == (None, {})
    assert (await tenant.compute.get(f"/loras/{lora['id']}")).json().keys() == lora.keys()
    second = await uploaded(tenant, data, base_model="default")
    assert (second["version"], second["base_model"]) == (2, "atelier-tiny")
    assert len(await objects(tenant)) == 2


async def test_its_url_needs_no_header(tenant: Tenant, anonymous: httpx.AsyncClient) -> None:
    data = lora_file()
    url = (await uploaded(tenant, data))["url"]
    assert url.partition("?")[0].endswith("/pytorch_lora_weights.safetensors")
    assert (await anonymous.get(url)).content == data
    assert (await anonymous.get(url.partition("?")[0])).status_code == 401


async def test_plain_diffusers_loads_what_the_url_answers(
    tenant: Tenant, anonymous: httpx.AsyncClient, tmp_path: Path
) -> None:
    from diffusers import DiffusionPipeline

    url = (await uploaded(tenant))["url"]
    (tmp_path / "pytorch_lora_weights.safetensors").write_bytes((await anonymous.get(url)).content)
    checkpoint = tenant.gateway.resources.catalog["atelier-tiny"].source.location
    pipeline = DiffusionPipeline.from_pretrained(checkpoint, safety_checker=None)
    pipeline.load_lora_weights(tmp_path)
    assert pipeline.get_list_adapters() == {"unet": ["default_0"]}


async def test_what_the_file_says_about_itself(tenant: Tenant) -> None:
    metadata = {
        "trigger_word": "sks woman",
        "base_model": "atelier-tiny",
        "base_model_hash": "ab" * 32,
        "ss_tag_frequency": "x" * 5000,
        "odd": "a\0b",
    }
    lora = await uploaded(tenant, lora_file(metadata=metadata))
    assert lora["trigger_word"] == "sks woman"
    assert lora["metadata"] == {
        key: metadata[key] for key in ("trigger_word", "base_model", "base_model_hash")
    }
    other = await uploaded(tenant, lora_file(metadata=metadata), trigger_word="mira")
    assert other["trigger_word"] == "mira"


def without_a_twin() -> bytes:
    tensors = lora_tensors()
    tensors.popitem()
    return lora_file(tensors)


def of_another_model() -> bytes:
    return lora_file({name: tensor[:3] for name, tensor in lora_tensors(rank=3).items()})


@pytest.mark.parametrize(
    ("data", "filename", "status", "words"),
    [
        (pickle.dumps({"a": 1}), "a.safetensors", 415, "Only safetensors files are taken"),
        (lora_file(), "a.ckpt", 415, "can run code when it is opened"),
        (lora_file(), "pytorch_lora_weights.BIN", 415, "can run code when it is opened"),
        (b"", "a.safetensors", 422, "not a safetensors file"),
        (lora_file()[:-4], "a.safetensors", 422, "it is damaged"),
        (lora_file({}), "a.safetensors", 422, "no tensors of a LoRA"),
        (without_a_twin(), "a.safetensors", 422, "has not the two factors"),
        (of_another_model(), "a.safetensors", 422, "atelier-tiny has"),
        (lora_file(metadata={"base_model": "sd-xl-base"}), "a", 422, "trained on sd-xl-base"),
    ],
)
async def test_a_refused_file_leaves_nothing(
    tenant: Tenant, data: bytes, filename: str, status: int, words: str
) -> None:
    refused = await upload(tenant, data, filename=filename, headers={"Idempotency-Key": "k"})
    assert refused.status_code == status, refused.text
    detail = refused.json()["detail"]
    if status == 422:
        [problem] = detail
        assert problem["loc"] in (["body", "file"], ["body", "base_model"])
        detail = problem["msg"]
    assert words in detail
    assert await objects(tenant) == []
    assert (await tenant.compute.get("/loras/")).json()["total"] == 0
    assert (await tenant.stored())["idempotency_keys"] == 0


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"name": "a@2"}, "name", "match pattern"),
        ({"name": ""}, "name", ""),
        ({"name": "a b"}, "name", "match pattern"),
        ({"name": "../mira"}, "name", "match pattern"),
        ({"name": "a" * 101}, "name", "match pattern"),
        ({"name": "mira\n"}, "name", "match pattern"),
        ({"name": str(uuid4())}, "name", "must not look like an id"),
        ({"name": uuid4().hex}, "name", "must not look like an id"),
        ({"base_model": "midjourney"}, "base_model", "known are ['atelier-tiny',"),
        ({"entity_type": "shoe"}, "entity_type", "'subject', 'product' or 'style'"),
        ({"trigger_word": "a\0"}, "trigger_word", "NUL"),
        ({"trigger_word": "a" * 101}, "trigger_word", "at most 100 characters"),
    ],
)
async def test_values_of_the_form(
    tenant: Tenant, form: dict[str, str], field: str, words: str
) -> None:
    refused = await upload(tenant, lora_file(), **form)
    assert refused.status_code == 422, refused.text
    [problem] = refused.json()["detail"]
    assert problem["loc"] == ["body", field]
    assert words in problem["msg"]
    assert await objects(tenant) == []


async def test_a_file_that_is_too_large(tenant: Tenant) -> None:
    resources = tenant.gateway.resources
    entry = resources.catalog["atelier-tiny"]
    limit = resources.settings.models.max_adapter_bytes
    assert limit == 500 * 1024**2
    with pytest.raises(PayloadTooLarge):
        await service.check(resources, UploadFile(io.BytesIO(), size=limit + 1), entry)
    # One that says how large it is is not even read.
    declared = {
        "Content-Length": str(limit + 100_000),
        "Content-Type": "multipart/form-data; boundary=x",
    }
    refused = await tenant.compute.post("/loras/", content=b"--x--", headers=declared)
    assert refused.status_code == 413


async def test_sent_twice_it_is_one(tenant: Tenant) -> None:
    headers = {"Idempotency-Key": "once"}
    data = lora_file()
    answers = await asyncio.gather(*(upload(tenant, data, headers=headers) for _ in range(3)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await objects(tenant)) == 1
    assert (await tenant.compute.get("/loras/")).json()["total"] == 1
    other = await upload(tenant, lora_file(seed=1), headers=headers)
    assert other.status_code == 409


async def test_lists(tenant: Tenant, other: Tenant) -> None:
    await make_adapter(other.database, other.scope, "silk")
    make = tenant.database, tenant.scope
    await make_adapter(*make, "mira", trigger_word="sks woman")
    await make_adapter(*make, "mira", rank=8)
    await make_adapter(*make, "noir", entity_type="style", base_model="sd-xl-base", family="sdxl")

    async def names(**params: Any) -> list[str]:
        response = await tenant.compute.get("/loras/", params=params)
        assert response.status_code == 200, response.text
        return [f"{one['name']}@{one['version']}" for one in response.json()["items"]]

    assert await names() == ["noir@1", "mira@2", "mira@1"]
    assert await names(page=2, size=2) == ["mira@1"]
    assert await names(base_model="sd-xl-base") == ["noir@1"]
    assert await names(entity_type="subject") == ["mira@2", "mira@1"]
    assert await names(q="SKS") == ["mira@1"]
    assert await names(sort="name,-version") == ["mira@2", "mira@1", "noir@1"]
    assert await names(base_model="unheard-of") == []
    refused = await tenant.compute.get("/loras/", params={"sort": "path"})
    assert refused.status_code == 422


async def test_what_is_used_stays_and_says_by_what(tenant: Tenant) -> None:
    for make, users in (
        (make_subject, "subjects"),
        (make_product, "products"),
        (make_style, "styles"),
    ):
        lora = await uploaded(tenant)
        await make(tenant.database, tenant.scope, lora_id=lora["id"])  # type: ignore[operator]
        refused = await tenant.compute.delete(f"/loras/{lora['id']}")
        assert refused.status_code == 409
        detail = f"This LoRA is still used by {users}; take it off them first"
        assert refused.json()["detail"] == detail
    assert len(await objects(tenant)) == 3


async def test_removal_takes_the_file_along(tenant: Tenant) -> None:
    first, second = await uploaded(tenant), await uploaded(tenant)
    assert (await tenant.compute.delete(f"/loras/{first['id']}")).status_code == 204
    assert (await tenant.compute.get(f"/loras/{first['id']}")).status_code == 404
    assert (await tenant.compute.delete(f"/loras/{first['id']}")).status_code == 404
    assert len(await objects(tenant)) == 1
    # Its number is not given again.
    assert (await uploaded(tenant))["version"] == second["version"] + 1


async def test_an_organization_goes_with_its_files(tenant: Tenant, gateway: Gateway) -> None:
    from serve_app.backend.organizations.service import delete

    await uploaded(tenant)
    await delete(gateway.resources, tenant.organization_id)
    assert await objects(tenant) == []


async def test_on_an_s3_server(s3_gateway: Gateway) -> None:
    async with s3_gateway.client(base=COMPUTE_BASE) as client:
        made = await client.post("/loras/", files={"file": ("a", lora_file())}, data=FORM)
        assert made.status_code == 201, made.text
        async with httpx.AsyncClient() as plain:
            assert (await plain.get(made.json()["url"])).content == lora_file()
        assert (await client.delete(f"/loras/{made.json()['id']}")).status_code == 204
