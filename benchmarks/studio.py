"""The Backend API over many organizations: lists, filters, search, login, the whole workflow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, Final
from uuid import UUID

import httpx
from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context
from benchmarks.harness import Result, Target, quantiles
from benchmarks.load import Load
from benchmarks.studio_rows import PREDICTIONS, PRODUCTS, fill
from serve_app.seed import Seeder, log_in

_CONNECTIONS = 8
_LIST_MS = 50.0
_LOGIN_MS = 400.0
_WORKFLOW_SECONDS = 8.0
_PASSWORD = "correct horse battery staple"

#: What a tenant asks for: lists, filters by field, text, order, a late page, a search.
REQUESTS: Final[Mapping[str, str]] = {
    "brands": "/brands/",
    "products": "/products/",
    "products, filtered": "/products/?category=dresses&color=red",
    "products, q": "/products/?q=number%2017",
    "products, sorted": "/products/?sort=-name&page=5",
    "subjects": "/subjects/",
    "styles": "/styles/",
    "shootings": "/shootings/",
    "looks": "/looks/",
    "shots": "/shots/",
    "shots, filtered": "/shots/?status=review&page=2",
    "generations": "/generations/",
    "generations, filtered": "/generations/?status=completed&q=product%202",
    "predictions": "/predictions/",
    "predictions, filtered": "/predictions/?status=review&page=10",
    "shot types": "/shot-types/",
    "search": "/search/?q=product%2017",
}


def run(context: Context) -> Result:
    """Fill the database, then ask for one thing after the other."""
    base = f"{context.platform.base_url}/api/v1"
    organizations = context.times(1000, 20)
    context.say(f"studio: rows of {organizations:,} organizations")
    tenant = asyncio.run(fill(context.database_url, organizations))
    settings = context.settings
    password = settings.first_superuser_password.get_secret_value()
    root = context.platform.base_url
    with log_in(root, settings.first_superuser_email, password, None) as admin:
        email = _account(admin, tenant)
        seconds = [_workflow(admin, context) for _ in range(context.times(3, 1))]
    logins = _logins(base, email, context.times(80, 8))
    with log_in(root, email, _PASSWORD, None) as client:
        token = client.headers["Authorization"].removeprefix("Bearer ")
    lists = {}
    for name, path in REQUESTS.items():
        context.say(f"studio: {name}")
        load = Load(f"{base}{path}", token, connections=_CONNECTIONS, seconds=context.times(3, 1))
        lists[name] = load.run().milliseconds
    return _result(organizations, lists, logins, seconds)


def _account(admin: httpx.Client, tenant: UUID) -> str:
    """A new editor of the tenant."""
    email = f"editor-{tenant.hex[:8]}@example.com"
    body = {
        "email": email,
        "password": _PASSWORD,
        "organization_id": str(tenant),
        "role": "editor",
    }
    admin.post("/users/", json=body).raise_for_status()
    return email


def _logins(base: str, email: str, count: int) -> list[float]:
    """Milliseconds of each, as many at once as there are connections."""

    form = {"username": email, "password": _PASSWORD}

    def log_in_once(client: httpx.Client) -> float:
        started = time.perf_counter()
        client.post(f"{base}/login/access-token", data=form).raise_for_status()
        return (time.perf_counter() - started) * 1000

    def connection(_: int) -> list[float]:
        # To make a client takes longer than a login, and would be measured with those beside it.
        with httpx.Client(timeout=30, trust_env=False) as client:
            log_in_once(client)
            barrier.wait()
            return [log_in_once(client) for _ in range(count // _CONNECTIONS)]

    barrier = Barrier(_CONNECTIONS)
    with ThreadPoolExecutor(_CONNECTIONS) as clients:
        return [one for samples in clients.map(connection, range(_CONNECTIONS)) for one in samples]


def _workflow(admin: httpx.Client, context: Context) -> float:
    """Seconds from the login to two approved shots."""
    seeded = Seeder(admin).fill()
    types = _answer(admin.get("/shot-types/", params={"size": 2}))["items"]
    settings = context.settings
    password = settings.first_superuser_password.get_secret_value()
    started = time.perf_counter()
    with log_in(
        context.platform.base_url, settings.first_superuser_email, password, None
    ) as client:
        shooting = _post(client, "/shootings/", name="Bench", brand_id=seeded.brand_id)
        look = _post(
            client,
            f"/shootings/{shooting['id']}/looks",
            main_product_id=seeded.products["AN-DRS-001"],
            subject_id=seeded.subjects["Mira"],
            style_id=seeded.styles["Clean Studio"],
            shot_type_ids=[one["id"] for one in types],
        )
        for shot in look["shots"]:
            _post(client, f"/shots/{shot['id']}/generate", num_predictions=1)
        for shot in look["shots"]:
            found = _reviewable(client, shot["id"])
            chosen = found["current_prediction_id"]
            _post(client, f"/shots/{shot['id']}/approve", prediction_id=chosen)
    return time.perf_counter() - started


def _reviewable(client: httpx.Client, shot_id: str) -> Any:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        shot = _answer(client.get(f"/shots/{shot_id}"))
        if shot["status"] == "review":
            return shot
        if shot["status"] != "generating":
            raise RuntimeError(f"the shot is {shot['status']}")
        time.sleep(0.1)
    raise RuntimeError("the shot was not generated in two minutes")


def _post(client: httpx.Client, url: str, **body: Any) -> Any:
    return _answer(client.post(url, json=body))


def _answer(response: httpx.Response) -> Any:
    if response.is_error:
        raise RuntimeError(f"{response.request.url.path}: {response.text[:300]}")
    return response.json()


def _result(
    organizations: int, lists: Mapping[str, list[float]], logins: list[float], seconds: list[float]
) -> Result:
    latencies = {name: quantiles(samples) for name, samples in lists.items()}
    slowest = max(latencies, key=lambda name: latencies[name]["p99"])

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, 1)
        p99 = {name: latencies[name]["p99"] for name in lists}
        axes.barh(list(p99), list(p99.values()), color=plots.PLATFORM)
        axes.invert_yaxis()
        axes.axvline(_LIST_MS, linestyle="--", color="black", linewidth=1)
        axes.set_xlabel("p99, milliseconds (dashed: target)")

    return Result(
        name="studio",
        title=f"Backend API with {organizations:,} organizations: slowest list {slowest}",
        method=(
            f"{organizations:,} organizations with {organizations * PRODUCTS:,} products and "
            f"{organizations * PREDICTIONS:,} predictions in the platform's Postgres. Each request "
            f"in a closed loop at {_CONNECTIONS} connections, as one of the tenants, with pages of "
            f"the default size. Logins at {_CONNECTIONS} at once. The workflow is login, shooting, "
            "look with two shots, one image each from the bundled model, both approved."
        ),
        targets=[
            Target(f"slowest list ({slowest}), p99", latencies[slowest]["p99"], _LIST_MS, "ms"),
            Target("login, p99", quantiles(logins)["p99"], _LOGIN_MS, "ms"),
            Target("login → two approved shots, slowest run", max(seconds), _WORKFLOW_SECONDS, "s"),
        ],
        data={
            "list_milliseconds": latencies,
            "login_milliseconds": quantiles(logins),
            "workflow_seconds": seconds,
        },
        draw=draw,
    )
