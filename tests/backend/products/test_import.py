"""Products from CSV files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from db.models import Role
from db.repositories import OrganizationScope
from db.repositories.brands import BrandWriter
from tests.backend.conftest import As
from tests.factories.pictures import picture
from tests.factories.products import make_product
from tests.fixtures.api import Gateway
from tests.fixtures.web import Web


@pytest.fixture
async def editor(acting: As, organization_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    async with acting({organization_id: Role.EDITOR}) as editor:
        yield editor


async def send(
    editor: httpx.AsyncClient, text: str | bytes, headers: dict[str, str] | None = None, **form: str
) -> httpx.Response:
    data = text if isinstance(text, bytes) else text.encode()
    files = {"file": ("products.csv", data, "text/csv")}
    return await editor.post("/products/import", files=files, data=form, headers=headers)


async def report(editor: httpx.AsyncClient, text: str | bytes, **form: str) -> dict[str, Any]:
    response = await send(editor, text, **form)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_rows_become_products(editor: httpx.AsyncClient, web: Web) -> None:
    url = web.put(f"/{uuid4().hex}.png", picture(300, 400))
    text = (
        "\ufeffName;SKU;family;category;gender;color;materials;description;brand;image_url\r\n"
        'Sommerkleid;K-1;apparel;dresses;women;blau;Leinen | Baumwolle;"leicht; luftig";Nord;'
        f"{url}\r\n"
        "Stiefel;K-2;footwear;;;;;;nord;\r\n"
    )
    done = await report(editor, text.encode(), create_brands="true")
    assert (done["created"], done["updated"], done["failed"]) == (2, 0, 0)
    assert [(row["row"], row["sku"], row["status"]) for row in done["rows"]] == [
        (2, "K-1", "created"),
        (3, "K-2", "created"),
    ]
    dress = (await editor.get(f"/products/{done['rows'][0]['product_id']}")).json()
    assert (dress["name"], dress["materials"]) == ("Sommerkleid", ["Leinen", "Baumwolle"])
    assert dress["description"] == "leicht; luftig"
    assert [(one["type"], one["width"]) for one in dress["images"]] == [("primary", 300)]
    boots = (await editor.get(f"/products/{done['rows'][1]['product_id']}")).json()
    assert (boots["family"], boots["category"], boots["images"]) == ("footwear", None, [])
    assert boots["brand_id"] == dress["brand_id"]
    brands = (await editor.get("/brands/")).json()["items"]
    assert [one["name"] for one in brands] == ["Nord"]


async def test_a_sku_that_exists_is_changed(
    editor: httpx.AsyncClient, gateway: Gateway, organization_id: UUID, web: Web
) -> None:
    product = await make_product(
        gateway.resources.database, OrganizationScope(organization_id), sku="A-1", color="red"
    )
    url = web.put(f"/{uuid4().hex}.png", picture())
    text = f"sku,name,color,image_url\nA-1,New name,,{url}\n"
    for _ in range(2):  # the second time nothing is new, and nothing is wrong
        done = await report(editor, text)
        assert (done["updated"], done["rows"][0]["product_id"]) == (1, str(product.id))
    shown = (await editor.get(f"/products/{product.id}")).json()
    assert (shown["name"], shown["color"], shown["category"]) == ("New name", "red", "dresses")
    assert [one["type"] for one in shown["images"]] == ["primary"]


async def test_a_bad_row_spoils_no_other(
    editor: httpx.AsyncClient, gateway: Gateway, organization_id: UUID, web: Web
) -> None:
    scope = OrganizationScope(organization_id)
    async with gateway.resources.database.write() as session:
        await BrandWriter(session, scope).add(name="Nord")
    text_page = web.put(f"/{uuid4().hex}", b"no picture")
    lines = [
        "sku,name,family,brand,image_url",
        "OK-1,Dress,,Nord,",
        ",No number,,,",
        "B-1,,,,",
        "B-2,Dress,food,,",
        "B-3,Dress,,Unknown,",
        f"B-4,Dress,,,{text_page}",
        "B-5,Dress,,,http://private.example/a.png",
        f"B-6,Dress,,,{web.port}",
        "B-7,Dress,,,",
        "B-7,Dress,,,",
        f"{'x' * 101},Dress,,,",
        "OK-2,Dress,,,",
    ]
    done = await report(editor, "\n".join(lines))
    assert (done["created"], done["updated"], done["failed"]) == (2, 0, 10)
    failed = {
        row["row"]: [fault["field"] for fault in row["errors"]]
        for row in done["rows"]
        if row["status"] == "failed"
    }
    assert failed == {
        3: ["sku"],
        4: ["name"],
        5: ["family"],
        6: ["brand"],
        7: ["image_url"],
        8: ["image_url"],
        9: ["image_url"],
        10: ["sku"],
        11: ["sku"],
        12: ["sku"],
    }
    assert all(row["product_id"] is None for row in done["rows"] if row["status"] == "failed")
    listed = (await editor.get("/products/")).json()["items"]
    assert [one["sku"] for one in listed] == ["OK-2", "OK-1"]
    store = gateway.resources.store
    assert [one async for one in store.list(f"media/{organization_id.hex}")] == []


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "sku is missing"),
        (b"name,price\nx,1\n", "price"),
        (b"sku,sku\na,b\n", "same name"),
        (b"name\nDress\n", "sku is missing"),
        (b"sku,name\n", "no products"),
        (b'sku,name\nA,"Dress\n', "no CSV"),
        (b"sku,name\nA,Dress,red\n", "Row 2"),
        ("sku,name\nA,Hülle\n".encode("latin-1"), "UTF-8"),
        (b"sku,name\n" + b"A,B\n" * 1001, "1,001"),
    ],
)
async def test_files_that_are_refused(editor: httpx.AsyncClient, data: bytes, part: str) -> None:
    refused = await send(editor, data)
    assert refused.status_code == 422, refused.text
    (fault,) = refused.json()["detail"]
    assert fault["loc"] == ["body", "file"]
    assert part in fault["msg"]


async def test_an_import_sent_again_answers_the_same(editor: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    first, second = [await send(editor, "sku,name\nA,Dress\n", headers=headers) for _ in range(2)]
    assert first.json()["created"] == 1
    assert (second.status_code, second.json()) == (200, first.json())
