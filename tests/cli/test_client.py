"""The client where the platform asks for patience."""

from __future__ import annotations

import pytest

from serve_app.client import ClientError, ComputeClient
from tests.cli.compute_api import KEY, ComputeApi


def test_a_limit_is_waited_for(api: ComputeApi) -> None:
    with ComputeClient(api.url, KEY) as client:
        assert client.generate("limited").status == "pending"
    # Sent three times, and taken once: each time it was the same request.
    assert len(api.idempotency_keys) == 3
    assert len(set(api.idempotency_keys)) == 1
    assert len(api.bodies) == 1


def test_what_takes_too_long_is_said(api: ComputeApi) -> None:
    with ComputeClient(api.url, KEY) as client, pytest.raises(ClientError) as refused:
        client.generate("tomorrow")
    assert (refused.value.status_code, refused.value.retry_after) == (429, 40_000)
    assert api.bodies == []
