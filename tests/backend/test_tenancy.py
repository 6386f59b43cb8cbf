"""Every operation of the Backend × every id that it takes × an object of another organization.

The OpenAPI document is walked, so a new route is tested as soon as it is there: one whose object no
world has, or whose body nobody wrote down, fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from configs.settings import Settings
from serve_app.backend.app import create_backend_api
from serve_app.core.permissions import PERMISSIONS, Least
from tests.factories.pictures import picture
from tests.factories.worlds import FURTHER_PRODUCT, LORA, World, make_world
from tests.fixtures.api import Gateway

DOCUMENT = create_backend_api(Settings(environment="test")).openapi()

# What fields and query parameters name, by the template of its path.
FIELDS = {
    "brand_id": "/brands/{brand_id}",
    "product_id": "/products/{product_id}",
    "main_product_id": "/products/{product_id}",
    "product_ids": FURTHER_PRODUCT,
    "subject_id": "/subjects/{subject_id}",
    "style_id": "/styles/{style_id}",
    "guideline_id": "/guidelines/{guideline_id}",
    "lora_id": LORA,
    "shot_type_id": "/shot-types/{shot_type_id}",
    "shot_type_ids": "/shot-types/{shot_type_id}",
    "resolution_preset_id": "/resolution-presets/{preset_id}",
    "background_preset_id": "/background-presets/{preset_id}",
    "shooting_id": "/shootings/{shooting_id}",
    "look_id": "/looks/{look_id}",
    "shot_id": "/shots/{shot_id}",
    "shot_ids": "/shots/{shot_id}",
    "generation_id": "/generations/{generation_id}",
    "prediction_id": "/predictions/{prediction_id}",
}


def _look(world: World) -> dict[str, Any]:
    return {
        "main_product_id": world["/products/{product_id}"],
        "subject_id": world["/subjects/{subject_id}"],
        "shot_type_ids": [world["/shot-types/{shot_type_id}"]],
    }


def _file(_: World) -> dict[str, Any]:
    return {"data": {}, "files": {"file": ("a.png", picture())}}


def _body(**values: Any) -> Callable[[World], dict[str, Any]]:
    return lambda _: {"json": dict(values)}


# The body of each operation that demands one, of the caller's own objects.
BODIES: dict[str, Callable[[World], dict[str, Any]]] = {
    "update_member": _body(role="viewer"),
    "create_invitation": _body(email="somebody@example.com"),
    "create_product": _body(name="Dress", sku="C"),
    "add_product_image": _file,
    "add_subject_image": _file,
    "create_subject": _body(name="Mira"),
    "create_style": _body(name="Noir"),
    "create_guideline": _body(name="Shop"),
    "create_shooting": lambda world: {
        "json": {"name": "Winter", "brand_id": world["/brands/{brand_id}"]}
    },
    "create_shooting_look": lambda world: {"json": _look(world)},
    "create_look": lambda world: {
        "json": _look(world) | {"shooting_id": world["/shootings/{shooting_id}"]}
    },
    "approve_shot": lambda world: {
        "json": {"prediction_id": world["/predictions/{prediction_id}"]}
    },
    "reject_shot": _body(reason="Wrong colour"),
    "request_shot_revision": _body(notes="Closer"),
    "create_shot_comment": _body(text="Creased"),
}


def operations() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path, operation


ROUTES = {name: (method, path, about) for name, method, path, about in operations()}


def schema_of(content: dict[str, Any]) -> dict[str, Any]:
    """The schema of a body, which may be optional."""
    schema: dict[str, Any] = content["schema"]
    for one in schema.get("anyOf", [schema]):
        if "$ref" in one:
            name = one["$ref"].rpartition("/")[2]
            found: dict[str, Any] = DOCUMENT["components"]["schemas"][name]
            return found
    return schema


def bodies_of(operation: str) -> list[dict[str, Any]]:
    contents = ROUTES[operation][2].get("requestBody", {}).get("content", {})
    return [schema_of(content) for content in contents.values()]


def has_uuid(schema: dict[str, Any]) -> bool:
    return '"uuid"' in json.dumps(schema)


IDS_IN_PATHS = [
    (operation, template)
    for operation, (_, path, _) in ROUTES.items()
    for template in (path[: match.end()] for match in re.finditer(r"\{\w+_id\}", path))
]
IDS_IN_BODIES = sorted(
    {
        (operation, name)
        for operation in ROUTES
        if PERMISSIONS[operation] is not Least.SUPERUSER
        for schema in bodies_of(operation)
        for name, field in schema.get("properties", {}).items()
        if has_uuid(field)
    }
)
IDS_IN_QUERIES = [
    (operation, parameter["name"])
    for operation, (_, _, about) in ROUTES.items()
    for parameter in about.get("parameters", [])
    if parameter["in"] == "query"
    and has_uuid(parameter["schema"])
    and parameter["name"] != "organization_id"
]


@pytest.fixture(scope="session")
async def mine(gateway: Gateway) -> World:
    return await make_world(gateway)


@pytest.fixture(scope="session")
async def theirs(gateway: Gateway) -> World:
    return await make_world(gateway)


def url_of(path: str, world: World, foreign: dict[str, str] | None = None) -> str:
    """The path with the world's ids, and with those that are ``foreign``."""
    url, ids = path, world.ids | (foreign or {})
    for match in re.finditer(r"\{\w+\}", path):
        url = url.replace(match.group(), ids[path[: match.end()]])
    return url


def request_of(operation: str, world: World, field: str | None = None, value: str = "") -> Any:
    """Body of the operation, with another value of one field."""
    schemas = bodies_of(operation)
    if operation in BODIES:
        body = BODIES[operation](world)
    elif any(schema.get("required") for schema in schemas):
        pytest.fail(f"write down a body of {operation} in BODIES")
    else:
        body = {"json": {}} if schemas else {}
    if field is not None:
        form = body.get("json", body.get("data"))
        assert isinstance(form, dict)
        form[field] = [value] if field.endswith("_ids") else value
    return body


async def send(world: World, operation: str, url: str, **options: Any) -> Any:
    async with world.client() as client:
        return await client.request(ROUTES[operation][0], url, **options)


def assert_unknown(response: Any) -> None:
    assert response.status_code == 404, response.text
    # The service's own, not the router's: {"detail": "Not Found"}.
    assert re.fullmatch(r"\w[\w ]* not found", response.json()["detail"]), response.text


@pytest.mark.parametrize(("operation", "template"), IDS_IN_PATHS)
async def test_paths(mine: World, theirs: World, operation: str, template: str) -> None:
    url = url_of(ROUTES[operation][1], mine, {template: theirs[template]})
    response = await send(mine, operation, url, **request_of(operation, mine))
    if PERMISSIONS[operation] is Least.SUPERUSER:
        assert response.status_code == 403
    else:
        assert_unknown(response)


@pytest.mark.parametrize(("operation", "field"), IDS_IN_BODIES)
async def test_bodies(mine: World, theirs: World, operation: str, field: str) -> None:
    url = url_of(ROUTES[operation][1], mine)
    body = request_of(operation, mine, field, theirs[FIELDS[field]])
    assert_unknown(await send(mine, operation, url, **body))


@pytest.mark.parametrize(("operation", "name"), IDS_IN_QUERIES)
async def test_filters(mine: World, theirs: World, operation: str, name: str) -> None:
    """A foreign id finds nothing."""
    url = url_of(ROUTES[operation][1], mine)
    response = await send(mine, operation, url, params={name: theirs[FIELDS[name]]})
    assert (response.status_code, response.json()["items"]) == (200, [])


async def test_the_owner_finds_all_of_it(gateway: Gateway) -> None:
    """The same requests for one's own objects, so that the tests above refuse what is there.
    What changes most comes last."""
    world = await make_world(gateway)
    wrong = []
    for operation, field in sorted(_all(), key=_rank):
        url = url_of(ROUTES[operation][1], world)
        value = world[FIELDS[field]] if field else ""
        response = await send(world, operation, url, **request_of(operation, world, field, value))
        # Those that ask a hosted provider, which has no key here.
        absent = {503} if operation in {"caption_product", "suggest_outfit"} else set()
        if response.status_code not in {200, 201, 204, 409} | absent:
            wrong.append(f"{operation} {field or ''}: {response.text}")
    assert not wrong, "\n".join(wrong)


def _all() -> Iterator[tuple[str, str | None]]:
    for operation in dict.fromkeys(operation for operation, _ in IDS_IN_PATHS):
        if PERMISSIONS[operation] is not Least.SUPERUSER:
            yield operation, None
    yield from IDS_IN_BODIES


def _rank(one: tuple[str, str | None]) -> tuple[int, int]:
    method, path, _ = ROUTES[one[0]]
    # Of what is removed, the deepest first: the rest is in use, and stays.
    return ("GET", "PATCH", "PUT", "POST", "DELETE").index(method), -path.count("{")
