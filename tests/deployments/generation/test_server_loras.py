"""The server with the real engine, and adapters that come and go."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from configs.catalog import Catalog
from deployments.contracts import Result
from deployments.errors import InvalidInput
from deployments.generation.server import GenerationServer
from tests.factories.checkpoints import tiny_entry
from tests.factories.loras import make_lora


@pytest.fixture(scope="module")
def loras(checkpoint, tmp_path_factory):
    """Sixteen small adapters."""
    folder = tmp_path_factory.mktemp("loras")
    return [
        make_lora(checkpoint("sd"), folder / f"{seed}.safetensors", seed=seed) for seed in range(16)
    ]


@pytest.fixture
def server(checkpoint, loras):
    """Keeps four of them."""
    entry = tiny_entry("sd", checkpoint("sd"))
    server = GenerationServer(
        catalog=Catalog({entry.name: entry}, entry.name),
        threads=1,
        device="cpu",
        adapter_bytes=4 * loras[0].data.stat().st_size,
    )
    yield server
    server.close()


async def picture(server, request):
    *_, last = [event async for event in server(request)]
    assert isinstance(last, Result)
    return last.images[0]


async def test_sixteen_in_turn_stay_within_the_bound(server, loras, make_request):
    plain = await picture(server, make_request("sd"))
    first = [await picture(server, make_request("sd", loras=(one,))) for one in loras]
    for one, before in zip(loras, first, strict=True):
        again = await picture(server, make_request("sd", loras=(one,)))
        np.testing.assert_array_equal(again, before)
        status = await server.status()
        assert status.adapter_bytes <= 4 * loras[0].data.stat().st_size
    assert len({image.tobytes() for image in [plain, *first]}) == 17
    assert status.adapters == tuple(one.digest for one in loras[-4:])
    np.testing.assert_array_equal(await picture(server, make_request("sd")), plain)


async def test_a_bad_one_fails_its_own_request_alone(server, loras, make_request, tmp_path):
    (tmp_path / "text.safetensors").write_bytes(b"no tensors in here")
    bad = replace(type(loras[0]).from_file(tmp_path / "text.safetensors"), name="bad")
    missing = replace(bad, digest="00", name="missing", data=tmp_path / "gone.safetensors")
    outcomes = await asyncio.gather(
        *(
            picture(server, make_request("sd", loras=chosen))
            for chosen in ((), (bad,), (loras[0],), (loras[0], bad), (missing,), (loras[0],))
        ),
        return_exceptions=True,
    )
    assert [isinstance(one, InvalidInput) for one in outcomes] == [
        *(False, True, False, True, True, False)
    ]
    assert "'bad' cannot be loaded" in str(outcomes[1])
    np.testing.assert_array_equal(outcomes[2], outcomes[5])
