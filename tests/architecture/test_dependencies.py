"""Nothing that answers a request is sent to a thread: that takes longer than all the rest of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from configs.settings import Settings
from serve_app.backend.app import create_backend_api
from serve_app.compute.app import create_compute_api


def test_endpoints_and_dependencies_are_coroutines() -> None:
    settings = Settings(environment="test")
    routes = [
        route
        for create in (create_compute_api, create_backend_api)
        for route in _api_routes(create(settings).routes)
    ]
    assert len(routes) > 8, "the walk finds the routes"
    in_threads = {
        f"{route.path}: {dependant.call}"
        for route in routes
        for dependant in _flat(route.dependant)
        if not _runs_in_the_loop(dependant.call)
    }
    assert not in_threads


def _runs_in_the_loop(call: object) -> bool:
    # A security scheme is an object that is called.
    function = call if inspect.isroutine(call) else type(call).__call__
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _api_routes(routes: list[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif included := getattr(route, "original_router", None):
            yield from _api_routes(included.routes)


def _flat(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for needed in dependant.dependencies:
        yield from _flat(needed)
