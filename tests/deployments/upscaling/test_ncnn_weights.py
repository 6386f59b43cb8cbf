"""The ncnn reader, on files written here byte by byte."""

import struct
from pathlib import Path

import numpy as np
import pytest

from deployments.upscaling.ncnn_weights import (
    FLOAT16_FLAG,
    FLOAT32_FLAG,
    NcnnFormatError,
    read_graph,
    read_weights,
)

PARAM = """7767517
3 3
Input        data    0 1 data
Convolution  conv    1 1 data a  0=1 1=3 4=1 5=1 6=9 9=2 -23310=1,2.000000e-01
PReLU        prelu   1 1 a b     0=2
"""
KERNEL = np.arange(9, dtype=np.float32) / 4
BIAS, SLOPES = struct.pack("<f", 0.5), struct.pack("<2f", 0.25, -1)


def stored(flag: int, kernel: bytes) -> bytes:
    return struct.pack("<I", flag) + kernel + BIAS + SLOPES


# 18 bytes of half precision, and two that fill up to a multiple of four.
HALF = stored(FLOAT16_FLAG, KERNEL.astype("<f2").tobytes() + b"\0\0")
SINGLE = stored(FLOAT32_FLAG, KERNEL.astype("<f4").tobytes())


def files(folder: Path, data: bytes, param: str = PARAM) -> tuple[Path, Path]:
    (folder / "m.param").write_text(param)
    (folder / "m.bin").write_bytes(data)
    return folder / "m.param", folder / "m.bin"


@pytest.mark.parametrize("data", [HALF, SINGLE], ids=["float16", "float32"])
def test_reads_both_storages(tmp_path: Path, data: bytes) -> None:
    param, path = files(tmp_path, data)
    convolution, prelu = read_weights(read_graph(param), path)
    np.testing.assert_array_equal(convolution.weight, KERNEL.reshape(1, 1, 3, 3))
    np.testing.assert_array_equal(convolution.bias, [0.5])
    np.testing.assert_array_equal(prelu.weight, [0.25, -1])
    assert prelu.bias is None


def test_graph_keeps_wiring_and_parameters(tmp_path: Path) -> None:
    _, convolution, prelu = read_graph(files(tmp_path, HALF)[0])
    assert (convolution.inputs, convolution.outputs) == (("data",), ("a",))
    assert convolution.params[10] == (0.2,)
    assert convolution.params[6] == 9
    assert prelu.inputs == ("a",)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (HALF + b"\0\0\0\0", "4 bytes left over"),
        (HALF[:-3], "ends 3 bytes too soon"),
        (stored(0x000D4B38, KERNEL.astype("i1").tobytes()), "unsupported weight storage"),
    ],
)
def test_every_byte_must_be_accounted_for(tmp_path: Path, data: bytes, text: str) -> None:
    param, path = files(tmp_path, data)
    with pytest.raises(NcnnFormatError, match=text):
        read_weights(read_graph(param), path)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("7767517", "7767516", "not a .param file"),
        ("3 3\n", "4 3\n", "3 layers, 4 announced"),
        ("=1,2.0", "=2,2.0", "is not 2 long"),
    ],
)
def test_a_graph_that_contradicts_itself_is_refused(
    tmp_path: Path, old: str, new: str, text: str
) -> None:
    param, _ = files(tmp_path, HALF, PARAM.replace(old, new))
    with pytest.raises(NcnnFormatError, match=text):
        read_graph(param)


def test_weights_that_are_no_square_kernel_are_refused(tmp_path: Path) -> None:
    param, path = files(tmp_path, HALF, PARAM.replace("6=9", "6=10"))
    with pytest.raises(NcnnFormatError, match="no square convolution"):
        read_weights(read_graph(param), path)
