"""The OpenAPI documents: complete, and changed only on purpose.

After a change on purpose: ``python -m tests.contract.test_openapi`` writes the snapshots anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from configs.settings import Settings
from serve_app.backend.app import create_backend_api
from serve_app.compute.app import create_compute_api
from serve_app.core.permissions import PERMISSIONS, Least

FOLDER = Path(__file__).parent
APIS = {"compute": create_compute_api, "backend": create_backend_api}
UPDATE = "on purpose? `python -m tests.contract.test_openapi` writes it anew"


def document(name: str) -> dict[str, Any]:
    secrets = dict.fromkeys(("api_key", "secret_key", "first_superuser_password"), "x" * 12)
    api: FastAPI = APIS[name](Settings(environment="test", **secrets))
    found = api.openapi()
    # Versions change without the API changing.
    return {**found, "info": {**found["info"], "version": "0"}}


def snapshot(name: str) -> Path:
    return FOLDER / f"openapi-{name}.json"


def operations(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document(name)["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


@pytest.mark.parametrize("name", APIS)
def test_the_document_is_as_reviewed(name: str) -> None:
    assert document(name) == json.loads(snapshot(name).read_text()), UPDATE


@pytest.mark.parametrize("name", APIS)
def test_every_operation_says_what_it_is(name: str) -> None:
    seen = set()
    for where, operation in operations(name):
        identity = operation["operationId"]
        assert identity.isidentifier(), where
        # What FastAPI makes up holds the path, as in `create_tasks__post`.
        assert "__" not in identity, where
        assert identity not in seen, where
        seen.add(identity)
        assert operation["description"], where
        assert operation["tags"], where


@pytest.mark.parametrize("name", APIS)
def test_errors_are_documented(name: str) -> None:
    for where, operation in operations(name):
        responses = operation["responses"]
        assert "503" in responses, where
        if not is_public(operation):
            assert "401" in responses, where
            if "{" in where:
                assert "404" in responses, where
        if "requestBody" in operation:
            assert {"400", "413", "422"} <= responses.keys(), where
        for status, response in responses.items():
            if status >= "400" and status != "422":
                schema = response["content"]["application/json"]["schema"]
                model = "RetryRead" if status == "429" else "ErrorRead"
                assert schema == {"$ref": f"#/components/schemas/{model}"}, where


def test_limits_are_documented() -> None:
    headers = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
    for where, operation in operations("compute"):
        if not operation.get("security"):
            continue
        responses = operation["responses"]
        assert {"Retry-After", "X-RateLimit-Retry-After"} <= responses["429"]["headers"].keys()
        for status, response in responses.items():
            assert status == "401" or headers <= response["headers"].keys(), (where, status)


@pytest.mark.parametrize("name", APIS)
def test_credentials_are_documented(name: str) -> None:
    schemes = document(name)["components"]["securitySchemes"].values()
    assert [scheme["scheme"] for scheme in schemes] == ["bearer"]
    for where, operation in operations(name):
        if not is_public(operation):
            assert operation["security"], where


def is_public(operation: dict[str, Any]) -> bool:
    return PERMISSIONS[operation["operationId"]] is Least.PUBLIC


def test_bodies_have_examples_that_are_valid() -> None:
    schemas = document("compute")["components"]["schemas"]
    for name in ("GenerationCreate", "GenerationTaskCreate", "ProcessingTaskCreate"):
        for example in schemas[name]["examples"]:
            assert example.keys() <= schemas[name]["properties"].keys(), name
            assert set(schemas[name]["required"]) <= example.keys(), name
    (answer,) = schemas["TaskRead"]["examples"]  # its nulls are not shown
    assert answer.keys() <= schemas["TaskRead"]["properties"].keys()


@pytest.mark.parametrize("name", APIS)
def test_answers_have_every_field(name: str) -> None:
    """So that generated clients see no field of an answer as optional."""
    schemas = document(name)["components"]["schemas"]
    answers = {one for one in schemas if one.endswith(("Read", "List", "Image"))}
    assert len(answers) > 4
    for answer in answers:
        assert set(schemas[answer]["required"]) == schemas[answer]["properties"].keys(), answer


if __name__ == "__main__":
    for api in APIS:
        snapshot(api).write_text(json.dumps(document(api), indent=2, ensure_ascii=False) + "\n")
