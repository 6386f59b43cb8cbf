"""What is refused: each with a clear answer, and nothing stored."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve_app.core.limits import JSON_BYTES
from tests.fixtures.api import NOTHING, Tenant

GENERATION = "/tasks/generation"
HUGE = 10**30


def refusal(response: httpx.Response) -> list[tuple[str, str]]:
    """Where and why, of a 422; each reason in words."""
    assert response.status_code == 422, response.text
    errors = response.json()["detail"]
    assert all(error.keys() == {"loc", "msg", "type"} for error in errors)
    assert all(error["msg"] for error in errors)
    return [(".".join(map(str, error["loc"][1:])), error["msg"]) for error in errors]


async def refused(tenant: Tenant, body: Any, field: str, words: str) -> None:
    response = await tenant.compute.post(GENERATION, json=body)
    found = refusal(response)
    assert any(where == field and words in why for where, why in found), found
    assert await tenant.stored() == NOTHING


@pytest.mark.parametrize("value", [None, 5, True, [], {}, ["a dress"]])
async def test_prompts_are_text(tenant: Tenant, value: Any) -> None:
    await refused(tenant, {"prompt": value}, "prompt", "valid string")


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "prompt", "required"),
        ({"prompt": ""}, "prompt", "at least 1 character"),
        ({"prompt": "a" * 2001}, "prompt", "at most 2000 characters"),
        ({"prompt": "a" * 100_000}, "prompt", "at most 10000 characters"),
        ({"prompt": "a\0b"}, "prompt", "NUL"),
        ({"negative_prompt": "\0"}, "negative_prompt", "NUL"),
        ({"negative_prompt": "a" * 2001}, "negative_prompt", "at most 2000 characters"),
        ({"negative_prompt": 1}, "negative_prompt", "valid string"),
        ({"model": "\0"}, "model", "NUL"),
        ({"model": "midjourney"}, "model", "known are ['atelier-tiny']"),
        ({"model": ""}, "model", "known are"),
        ({"model": "../atelier-tiny"}, "model", "known are"),
        ({"model": "a" * 201}, "model", "at most 200 characters"),
        ({"model": "sd-xl-base"}, "model", "needs a GPU"),
        ({"num_outputs": 0}, "num_outputs", "greater than or equal to 1"),
        ({"num_outputs": -1}, "num_outputs", "greater than or equal to 1"),
        ({"num_outputs": 17}, "num_outputs", "at most 16"),
        ({"num_outputs": 1_000_000}, "num_outputs", "at most 16"),
        ({"num_outputs": HUGE}, "num_outputs", "at most 16"),
        ({"num_outputs": "4"}, "num_outputs", "valid integer"),
        ({"num_outputs": 1.5}, "num_outputs", "valid integer"),
        ({"num_outputs": True}, "num_outputs", "valid integer"),
        ({"num_outputs": None}, "num_outputs", "valid integer"),
        ({"steps": 0}, "steps", "greater than or equal to 1"),
        ({"steps": 101}, "steps", "at most 100"),
        ({"steps": HUGE}, "steps", "at most 100"),
        ({"steps": "many"}, "steps", "valid integer"),
        ({"width": 0}, "width", "greater than or equal to 1"),
        ({"width": 63}, "width", "multiple of 8 from 64 to 256"),
        ({"width": 56}, "width", "multiple of 8 from 64 to 256"),
        ({"width": 132}, "width", "multiple of 8 from 64 to 256"),
        ({"width": 264}, "width", "multiple of 8 from 64 to 256"),
        ({"width": HUGE}, "width", "multiple of 8 from 64 to 256"),
        ({"height": 392}, "height", "multiple of 8 from 64 to 384"),
        ({"height": [192]}, "height", "valid integer"),
        ({"seed": -1}, "seed", "greater than or equal to 0"),
        ({"seed": 2**32}, "seed", "less than or equal to 4294967295"),
        ({"seed": HUGE}, "seed", "less than or equal to 4294967295"),
        ({"guidance_scale": -1}, "guidance_scale", "greater than or equal to 0"),
        ({"guidance_scale": 31}, "guidance_scale", "less than or equal to 30"),
        ({"guidance_scale": "7.5"}, "guidance_scale", "valid number"),
        ({"image_guidance_scale": HUGE}, "image_guidance_scale", "less than or equal to 30"),
        ({"strength": 0}, "strength", "greater than 0"),
        ({"strength": 1.1}, "strength", "less than or equal to 1"),
        ({"output_format": "gif"}, "output_format", "'jpeg', 'png' or 'webp'"),
        ({"output_format": "PNG"}, "output_format", "'jpeg', 'png' or 'webp'"),
        ({"output_format": None}, "output_format", "'jpeg', 'png' or 'webp'"),
        ({"priority": 11}, "priority", "less than or equal to 10"),
        ({"priority": -HUGE}, "priority", "greater than or equal to -10"),
        ({"priority": "high"}, "priority", "valid integer"),
        ({"loras": {}}, "loras", "valid list"),
        ({"loras": ["x"]}, "loras.0", "valid dictionary"),
        ({"loras": [{}]}, "loras.0.name", "required"),
        ({"loras": [{"name": ""}]}, "loras.0.name", "at least 1 character"),
        ({"loras": [{"name": "\0"}]}, "loras.0.name", "NUL"),
        ({"loras": [{"name": "x", "weight": 9}]}, "loras.0.weight", "less than or equal to 2"),
        ({"loras": [{"name": "x", "scale": 1}]}, "loras.0.scale", "no field 'scale'"),
        ({"loras": [{"name": "x"}, {"name": "x"}]}, "", "each LoRA may be named once"),
        ({"loras": [{"name": f"{n}"} for n in range(5)]}, "loras", "at most 4"),
        ({"loras": [{"name": "silk"}]}, "loras", "there is no LoRA named 'silk'"),
        ({"promt": "a"}, "promt", "no field 'promt' here; check its spelling"),
        ({"\0": "a"}, "\0", "check its spelling"),
        ({"x" * 5000: 1}, "x" * 100, "check its spelling"),
        ({"type": "generation"}, "type", "check its spelling"),
        ({"input_image_url": 5}, "input_image_url", "valid string"),
        ({"input_image_url": ""}, "input_image_url", "http:// or https://"),
        ({"input_image_url": "http://x/" + "a" * 9000}, "input_image_url", "8192 characters"),
    ],
)
async def test_values_of_a_generation(
    tenant: Tenant, body: dict[str, Any], field: str, words: str
) -> None:
    whole = body if body == {} or "prompt" in body else {"prompt": "a dress", **body}
    await refused(tenant, whole, field, words)


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"config": {}}, "type", "required"),
        ({"type": "generation"}, "generation.config", "required"),
        ({"type": "generation", "config": {}}, "generation.config.prompt", "required"),
        ({"type": "generation", "config": None}, "generation.config", "valid dictionary"),
        (
            {"type": "generation", "config": {"prompt": "a", "priority": 1}},
            "generation.config.priority",
            "check its spelling",
        ),
        (
            {"type": "generation", "config": {"prompt": "a", "steps": 500}},
            "generation.config.steps",
            "at most 100",
        ),
        (
            {"type": "generation", "config": {"prompt": "a"}, "retries": 5},
            "generation.retries",
            "check its spelling",
        ),
        ({"type": "training", "config": {}}, "type", "'generation', 'processing'"),
        ({"type": "GENERATION", "config": {}}, "type", "'generation', 'processing'"),
        ({"type": None, "config": {}}, "type", "'generation', 'processing'"),
        ({"type": ["generation"], "config": {}}, "type", "'generation', 'processing'"),
        ({"type": "a" * 1000, "config": {}}, "type", "'generation', 'processing'"),
        ({"type": "processing", "config": {}}, "processing.config.operation", "required"),
        (
            {"type": "processing", "config": {"operation": "sharpen", "image_url": "http://x/"}},
            "processing.config.operation",
            "'upscale', 'remove-background'",
        ),
        (
            {"type": "processing", "config": {"operation": "upscale"}},
            "processing.config.upscale.image_url",
            "required",
        ),
        *[
            (
                {
                    "type": "processing",
                    "config": {"operation": "upscale", "image_url": "http://x/", "scale": scale},
                },
                "processing.config.upscale.scale",
                "2, 3 or 4",
            )
            for scale in (0, 1, 5, 2.5, "2", None, 10**9)
        ],
        (
            {
                "type": "processing",
                "config": {
                    "operation": "remove-background",
                    "image_url": "http://x/",
                    "output_format": "jpeg",
                },
            },
            "processing.config.remove-background.output_format",
            "'png' or 'webp'",
        ),
        (
            {
                "type": "processing",
                "config": {"operation": "remove-background", "image_url": "http://x/", "scale": 2},
            },
            "processing.config.remove-background.scale",
            "check its spelling",
        ),
    ],
)
async def test_values_of_a_task(
    tenant: Tenant, body: dict[str, Any], field: str, words: str
) -> None:
    found = refusal(await tenant.compute.post("/tasks/", json=body))
    assert any(where == field and words in why for where, why in found), found
    assert await tenant.stored() == NOTHING


@pytest.mark.parametrize("path", [GENERATION, "/tasks/"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON object"),
        (b"null", "JSON object"),
        (b"[]", "JSON object"),
        (b'"a dress"', "JSON object"),
        (b"{", "not valid JSON"),
        (b'{"prompt": "a dress",}', "not valid JSON"),
        (b"prompt=a", "not valid JSON"),
        (b'{"prompt": "\xe9"}', "UTF-8"),
        (b'{"prompt": ' + b"[" * 5000, "nests too deeply"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nests too deeply"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "number that is too long"),
        (b'{"prompt": "' + b"a" * JSON_BYTES + b'"}', "at most 1,048,576 bytes"),
    ],
)
async def test_bodies_that_cannot_be_read(
    tenant: Tenant, path: str, body: bytes, words: str
) -> None:
    headers = {"Content-Type": "application/json"}
    response = await tenant.compute.post(path, content=body, headers=headers)
    assert response.status_code in {400, 413, 422}
    assert words in str(response.json()["detail"])
    assert await tenant.stored() == NOTHING


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *[
            (field, text)
            for field in ("guidance_scale", "strength", "num_outputs", "seed")
            for text in ("NaN", "Infinity", "-Infinity", "1e400")
        ],
        ("prompt", '"\\ud800"'),
        ("negative_prompt", '"a\\udfff"'),
        ("model", '"\\ud800"'),
        ("input_image_url", '"http://\\ud800/"'),
    ],
)
async def test_what_only_python_takes_for_json(tenant: Tenant, field: str, text: str) -> None:
    prompt = "" if field == "prompt" else '"prompt": "a", '
    body = f'{{{prompt}"{field}": {text}}}'
    headers = {"Content-Type": "application/json"}
    response = await tenant.compute.post(GENERATION, content=body, headers=headers)
    assert [where for where, _ in refusal(response)] == [field]
    assert await tenant.stored() == NOTHING


async def test_names_that_are_no_unicode(tenant: Tenant) -> None:
    headers = {"Content-Type": "application/json"}
    for body in ('{"prompt": "a", "\\ud800": 1}', '{"type": "\\ud800", "config": {}}'):
        response = await tenant.compute.post("/tasks/", content=body, headers=headers)
        assert refusal(response)
    assert await tenant.stored() == NOTHING


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
async def test_other_content_types(tenant: Tenant, content_type: str) -> None:
    response = await tenant.compute.post(
        GENERATION, content=b'{"prompt": "a"}', headers={"Content-Type": content_type}
    )
    assert refusal(response) == [
        ("", "Send a JSON object, with the header Content-Type: application/json")
    ]
    assert await tenant.stored() == NOTHING


async def test_answers_to_many_mistakes_stay_short(tenant: Tenant) -> None:
    body = {f"{n}" * 50: n for n in range(5000)}
    response = await tenant.compute.post(GENERATION, json=body)
    assert len(refusal(response)) == 50
    assert len(response.content) < 20_000


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *[({"page": page}, "page") for page in ("0", "-1", "x", "1.5", str(HUGE), "", "\0")],
        *[({"size": size}, "size") for size in ("0", "101", "x", str(HUGE))],
        ({"status": "done"}, "status"),
        ({"status": "\0"}, "status"),
        ({"type": "video"}, "type"),
        ({"type": "\0"}, "type"),
    ],
)
async def test_values_of_a_list(tenant: Tenant, query: dict[str, str], field: str) -> None:
    found = refusal(await tenant.compute.get("/tasks/", params=query))
    assert [where for where, _ in found] == [field]


@pytest.mark.parametrize("task_id", ["%00", "task_%00", "a" * 65, "a" * 5000])
async def test_ids_that_none_can_have(tenant: Tenant, task_id: str) -> None:
    for method, path in (
        ("GET", f"/tasks/{task_id}"),
        ("GET", f"/tasks/generation/{task_id}"),
        ("POST", f"/tasks/{task_id}/cancel"),
    ):
        found = refusal(await tenant.compute.request(method, path))
        assert [where for where, _ in found] == ["task_id"]


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "soon"])
async def test_waits_that_are_too_long(tenant: Tenant, wait: str) -> None:
    response = await tenant.compute.get("/tasks/task_abc", params={"wait": wait})
    assert [where for where, _ in refusal(response)] == ["wait"]


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from(["atelier-tiny", "default", "jpeg", "http://127.0.0.1/", "file:///etc"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    *("prompt", "input_image_url", "negative_prompt", "model", "num_outputs", "steps"),
    *("guidance_scale", "image_guidance_scale", "strength", "width", "height", "seed"),
    *("output_format", "loras", "priority"),
]


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    values=st.dictionaries(st.sampled_from(FIELDS) | st.text(), ANYTHING, max_size=5),
    prompt=st.text(max_size=50),
    nested=st.booleans(),
)
async def test_no_body_ever_answers_a_server_error(
    tenant: Tenant, values: dict[str, Any], prompt: str, nested: bool
) -> None:
    config = {"prompt": prompt, **values}
    body = {"type": "generation", "config": config} if nested else config
    response = await tenant.compute.post(
        "/tasks/" if nested else GENERATION,
        content=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code in {201, 400, 422}, response.text
    assert response.json()
