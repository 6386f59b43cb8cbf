"""A checkpoint comes back whole, or not at all."""

import pytest
import torch

from training.checkpoints import State, pack, unpack
from training.contracts import UnusableCheckpoint


@pytest.fixture
def state():
    groups = {
        "adapter": {"unet.a.lora_A.weight": torch.randn(3, 4)},
        "optimizer": {"step.a": torch.tensor(7.0), "exp_avg.a": torch.randn(2)},
    }
    return State(groups, {"step": 7, "scale": {}, "loss": 0.1 + 0.2})


def test_a_state_comes_back_to_the_last_bit(state):
    restored = unpack(pack(state))
    assert restored.figures == state.figures
    for group, values in state.groups.items():
        for name, value in values.items():
            assert torch.equal(restored.groups[group][name], value)
    assert pack(restored) == pack(state)


def test_a_damaged_checkpoint_says_so(state):
    data = pack(state)
    for cut in (len(data) - 1, len(data) // 2, 60):
        with pytest.raises(UnusableCheckpoint, match="damaged or incomplete"):
            unpack(data[:cut])
    with pytest.raises(UnusableCheckpoint, match="damaged"):
        unpack(data[:-3] + b"x" + data[-2:])


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x80\x04pickle"])
def test_other_bytes_are_no_checkpoint(data):
    with pytest.raises(UnusableCheckpoint, match="no checkpoint"):
        unpack(data)
