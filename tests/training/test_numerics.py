"""Arithmetic of a run."""

from __future__ import annotations

import pytest
import torch

from training.numerics import reproducible


def gradient_of_shared_rows() -> torch.Tensor:
    """As of encoded captions that many pictures share."""
    noise = torch.Generator().manual_seed(0)
    encoded = torch.randn(2, 77, 256, generator=noise, requires_grad=True)
    rows = encoded[torch.tensor([0, 1] * 8)]
    (rows * torch.randn(rows.shape, generator=noise)).sum().backward()
    assert encoded.grad is not None
    return encoded.grad


@pytest.mark.parametrize("threads", [1, 2])
def test_shared_rows_have_the_same_gradient_every_time(threads):
    with reproducible(threads):
        first = gradient_of_shared_rows()
        assert all(torch.equal(first, gradient_of_shared_rows()) for _ in range(200))


def test_settings_of_the_process_come_back():
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    with reproducible(before[0] + 1):
        assert torch.get_num_threads() == before[0] + 1
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.get_deterministic_debug_mode()) == before
