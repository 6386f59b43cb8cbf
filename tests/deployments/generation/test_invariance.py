"""Layers whose rows have the same bits in any batch."""

import pytest
import torch
from torch import nn

from deployments.generation.invariance import make_rows_independent

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6, 9, 24])
def test_a_linear_layer_over_the_batch(rows):
    torch.manual_seed(0)
    plain = nn.Linear(384, 96)
    inputs = torch.randn(24, 384)
    expected = plain(inputs)
    make_rows_independent(plain)
    torch.testing.assert_close(plain(inputs), expected)
    assert torch.equal(plain(inputs[:rows]), plain(inputs)[:rows])


@pytest.mark.parametrize("side", [8, 48])
@pytest.mark.parametrize("rows", [1, 3, 6])
def test_a_group_norm_over_channels_last_maps(rows, side):
    torch.manual_seed(0)
    plain = nn.GroupNorm(16, 96)
    inputs = torch.randn(9, 96, side, side).to(memory_format=torch.channels_last)
    expected = plain(inputs)
    make_rows_independent(plain)
    result = plain(inputs)
    torch.testing.assert_close(result, expected)
    assert result.is_contiguous(memory_format=torch.channels_last)
    part = inputs[:rows].contiguous(memory_format=torch.channels_last)
    assert torch.equal(plain(part), result[:rows])


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [2, 3, 12])
def test_a_convolution(rows, threads, kernel):
    torch.manual_seed(0)
    plain = nn.Conv2d(288, 160, kernel, padding=kernel // 2)
    plain.to(memory_format=torch.channels_last)
    inputs = torch.randn(24, 288, 12, 8).to(memory_format=torch.channels_last)
    with torch.no_grad():
        expected = plain(inputs)
        make_rows_independent(plain)
        result = plain(inputs)
        torch.testing.assert_close(result, expected)
        assert result.is_contiguous(memory_format=torch.channels_last)
        torch.set_num_threads(threads)
        part = inputs[:rows].contiguous(memory_format=torch.channels_last)
        assert torch.equal(plain(part), result[:rows])
