"""Another tenant's object is a 404, on every route of both APIs.

The walk is over the routes themselves: a new one without a case here fails.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Host, Mount, Route, Router

from serve_app.gateway import BACKEND_BASE, COMPUTE_BASE, create_gateway
from tests.factories.adapters import make_adapter
from tests.factories.pictures import picture
from tests.factories.workflows import make_workflow
from tests.fixtures.api import Gateway, Tenant
from tests.fixtures.trainers import begin
from tests.fixtures.web import HOST

# Routes with an object of a tenant in their path: another's is not found.
OBJECTS = {
    f"GET {COMPUTE_BASE}/webhooks/{{webhook_id}}",
    f"PATCH {COMPUTE_BASE}/webhooks/{{webhook_id}}",
    f"DELETE {COMPUTE_BASE}/webhooks/{{webhook_id}}",
    f"POST {COMPUTE_BASE}/webhooks/{{webhook_id}}/rotate-secret",
    f"POST {COMPUTE_BASE}/webhooks/{{webhook_id}}/test",
    f"GET {COMPUTE_BASE}/webhooks/{{webhook_id}}/deliveries",
    f"POST {COMPUTE_BASE}/webhooks/deliveries/{{delivery_id}}/redeliver",
    f"GET {COMPUTE_BASE}/tasks/{{task_id}}",
    f"GET {COMPUTE_BASE}/tasks/generation/{{task_id}}",
    f"POST {COMPUTE_BASE}/tasks/{{task_id}}/cancel",
    f"GET {COMPUTE_BASE}/monitoring/tasks/{{task_id}}",
    f"GET {COMPUTE_BASE}/storage/images/{{path}}",
    f"GET {COMPUTE_BASE}/loras/{{lora_id}}",
    f"DELETE {COMPUTE_BASE}/loras/{{lora_id}}",
    f"GET {COMPUTE_BASE}/training/{{training_id}}",
    f"GET {COMPUTE_BASE}/training/{{training_id}}/metrics",
    f"GET {COMPUTE_BASE}/training/{{training_id}}/plot",
    f"POST {COMPUTE_BASE}/training/{{training_id}}/cancel",
    f"GET {COMPUTE_BASE}/workflows/{{workflow_id}}",
    f"POST {COMPUTE_BASE}/workflows/{{workflow_id}}/start",
    f"POST {COMPUTE_BASE}/workflows/{{workflow_id}}/cancel",
    f"POST {COMPUTE_BASE}/workflows/{{workflow_id}}/cleanup",
}
# And those that its owner may do in another state only.
STEERING = {
    f"POST {COMPUTE_BASE}/workflows/{{workflow_id}}/pause",
    f"POST {COMPUTE_BASE}/workflows/{{workflow_id}}/resume",
}
# Streams of what happens to an object of a tenant.
STREAMS = {f"GET {COMPUTE_BASE}/tasks/{{task_id}}/events"}
# The log of the caller's own organization: see tests/core/events.
LOG = {f"GET {COMPUTE_BASE}/events", f"GET {COMPUTE_BASE}/events/stream"}
# What an account makes for itself: a key has none.
ACCOUNT = {f"POST {COMPUTE_BASE}/events/token"}
# Lists: another's objects are not in them.
# How many of the objects below are in each. A training is a task.
LISTS = {
    f"GET {COMPUTE_BASE}/webhooks/": 1,
    f"GET {COMPUTE_BASE}/webhooks/deliveries": 1,
    f"GET {COMPUTE_BASE}/tasks/": 2,
    f"GET {COMPUTE_BASE}/monitoring/tasks": 2,
    f"GET {COMPUTE_BASE}/training/": 1,
    f"GET {COMPUTE_BASE}/loras/": 1,
    f"GET {COMPUTE_BASE}/workflows/": 1,
    f"GET {COMPUTE_BASE}/monitoring/workflows": 1,
}
# Of the platform as a whole; what is of a tenant in them: tests/compute/monitoring.
SHARED = {
    f"GET {COMPUTE_BASE}/monitoring/{one}"
    for one in ("queues", "providers", "workers", "workers/health", "stats", "workflows/stats")
}
# What is made belongs to who asked.
CREATIONS = {
    f"POST {COMPUTE_BASE}/webhooks/",
    f"POST {COMPUTE_BASE}/webhooks/secret",
    f"POST {COMPUTE_BASE}/tasks/",
    f"POST {COMPUTE_BASE}/tasks/generation",
    f"POST {COMPUTE_BASE}/storage/images",
    f"POST {COMPUTE_BASE}/storage/datasets",
    f"POST {COMPUTE_BASE}/training/",
    f"POST {COMPUTE_BASE}/loras/",
    f"POST {COMPUTE_BASE}/workflows/",
}
# By the signature of the URL, which names one object: see tests/backend/uploads.
SIGNED = {f"PUT {COMPUTE_BASE}/storage/uploads/{{path}}"}
GUARDED = OBJECTS | LISTS.keys() | CREATIONS | STREAMS | LOG | ACCOUNT
# Without an owner.
PUBLIC = {
    "GET /healthz",
    "GET /readyz",
    f"GET {BACKEND_BASE}/generation-models/",
    f"GET {BACKEND_BASE}/generation-models/{{name}}",
}


def operations(gateway: Starlette) -> set[str]:
    """Every method and path that a client can call, from the applications' own routes."""
    return set(_walk(gateway.routes, ""))


def _walk(routes: list[BaseRoute], base: str) -> Iterator[str]:
    for route in routes:
        match route:
            case Host(app=Router()):
                continue  # the Compute API again, under its own name
            case Mount(app=app, path=path) if hasattr(app, "openapi"):
                for template, methods in app.openapi()["paths"].items():
                    yield from (f"{method.upper()} {base}{path}{template}" for method in methods)
            case Mount(path=path):
                yield from _walk(route.routes or [], base + path)
            case Route(path=path, methods=methods):
                yield from (
                    f"{method} {base}{path}" for method in methods or () if method != "HEAD"
                )
            case _:
                raise AssertionError(f"what is {route}?")


def test_every_route_has_a_case(gateway: Gateway) -> None:
    found = operations(create_gateway(gateway.settings, gpu=False))
    # Those of the Backend are walked by tests/backend/test_permissions.py and test_tenancy.py.
    backend = {one for one in found - PUBLIC if one.partition(" ")[2].startswith(BACKEND_BASE)}
    others = STREAMS | LOG | ACCOUNT | SHARED
    own = OBJECTS | STEERING | LISTS.keys() | CREATIONS
    assert found - backend == own | SIGNED | PUBLIC | others


def test_no_route_is_hidden_from_the_walk(gateway: Gateway) -> None:
    for mount in gateway.app.routes:
        if isinstance(mount, Mount):
            documents = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
            for route in mount.routes or []:
                shown = getattr(route, "include_in_schema", True)
                assert shown or getattr(route, "path", None) in documents


async def objects(tenant: Tenant) -> dict[str, str]:
    image = await tenant.compute.post("/storage/images", files={"file": picture()})
    task = await tenant.compute.post("/tasks/generation", json={"prompt": "a dress"})
    training = await begin(tenant.compute)
    hook = await tenant.compute.post("/webhooks/", json={"url": f"http://{HOST}/hook"})
    delivery = await tenant.compute.post(f"/webhooks/{hook.json()['id']}/test")
    lora = await make_adapter(tenant.database, tenant.scope)
    return {
        "{lora_id}": str(lora.id),
        "{webhook_id}": hook.json()["id"],
        "{delivery_id}": delivery.json()["id"],
        "{task_id}": task.json()["id"],
        "{training_id}": training["id"],
        "{path}": image.json()["path"],
        "{workflow_id}": (await make_workflow(tenant.compute))["id"],
    }


@pytest.mark.parametrize("operation", sorted(OBJECTS | STEERING | STREAMS))
async def test_objects_of_others_are_not_found(
    tenant: Tenant, other: Tenant, operation: str
) -> None:
    method, template = operation.split(" ")
    path = template
    for name, value in (await objects(tenant)).items():
        path = path.replace(name, value)
    assert "{" not in path
    url = f"http://platform.test{path}"
    body = {"json": {}} if method == "PATCH" else {}
    theirs = await other.compute.request(method, url, **body)
    assert theirs.status_code == 404
    unknown = {"Task", "Image", "Training", "LoRA", "Workflow", "Webhook", "Delivery"}
    assert theirs.json()["detail"].removesuffix(" not found") in unknown
    if operation in STEERING:
        return
    mine = await tenant.compute.request(method, url, **body)
    assert mine.status_code == (204 if method == "DELETE" else 200)
    if template.endswith("/cancel"):  # what the other tried had no effect
        assert mine.json()["status"] == "cancelled"
        # Two tasks and a workflow were made, and one of them cancelled; with a workflow its step.
        events = 5 if "workflow" in template else 4
        assert (await tenant.stored())["events"] == events


@pytest.mark.parametrize("operation", sorted(LISTS))
async def test_lists_hold_nothing_of_others(tenant: Tenant, other: Tenant, operation: str) -> None:
    await objects(tenant)
    url = f"http://platform.test{operation.split(' ')[1]}"
    assert (await tenant.compute.get(url)).json()["total"] == LISTS[operation]
    assert (await other.compute.get(url)).json() == {"items": [], "total": 0, "page": 1, "size": 20}


@pytest.mark.parametrize(
    "operation",
    sorted(OBJECTS | STEERING | LISTS.keys() | CREATIONS | STREAMS | LOG | ACCOUNT | SHARED),
)
async def test_nobody_comes_in_without_credentials(gateway: Gateway, operation: str) -> None:
    method, path = operation.split(" ")
    async with gateway.client(None) as anonymous:
        response = await anonymous.request(method, path)
    assert (response.status_code, response.json()) == (401, {"detail": "Not authenticated"})


@pytest.mark.parametrize("operation", sorted(PUBLIC - {"GET /readyz"}))
async def test_the_rest_is_public(gateway: Gateway, operation: str) -> None:
    async with gateway.client(None) as anonymous:
        response = await anonymous.get(operation.split(" ")[1].replace("{name}", "atelier-tiny"))
    assert response.status_code == 200
