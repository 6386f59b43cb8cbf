"""Headers of safetensors files: what is good is read, and everything else refused in words."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from serve_app.core.errors import SartiqError
from serve_app.core.safetensors import InvalidSafetensors, PickledFile, read_header
from tests.factories.lora_files import lora_file

TENSOR: dict[str, Any] = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def file_of(header: Any, data: bytes = b"\0" * 8) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_names_shapes_and_metadata_are_read() -> None:
    tensors = {"a": np.zeros((2, 3), np.float32), "b": np.zeros((), np.float16)}
    header = read_header(io.BytesIO(save(tensors, {"format": "pt", "seed": "7"})))
    assert dict(header.shapes) == {"a": (2, 3), "b": ()}
    assert dict(header.metadata) == {"format": "pt", "seed": "7"}
    assert read_header(io.BytesIO(save({}))).shapes == {}


@pytest.mark.parametrize("length", [0x80, 0x180, 0x4B50])
def test_a_length_that_begins_as_a_pickle_does(length: int) -> None:
    text = json.dumps({"a": TENSOR}).encode().ljust(length)
    assert read_header(io.BytesIO(file_of(text))).shapes == {"a": (2,)}


class Reads(io.BytesIO):
    """Counts the bytes that are read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_tensors_are_not_read() -> None:
    file = Reads(save({"a": np.zeros(1_000_000, np.float32)}))
    read_header(file)
    assert file.count < 200


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a safetensors file"),
        (b"GIF89a", "not a safetensors file"),
        (b"<html><body>Not found</body></html>", "not a safetensors file"),
        (file_of({})[:9], "cut off"),
        (file_of({"a": TENSOR})[:-1], "is damaged"),
        (file_of({"a": TENSOR}, b"\0" * 9), "end at byte 8 of 9"),
        ((10**18).to_bytes(8, "little") + b"{}", "cut off"),
        (file_of(b" " * (17 * 1024 * 1024)), "at most 16,777,216"),
        (file_of(b"\xff\xfe{}"), "no JSON"),
        (file_of(b"[" * 100_000), "no JSON"),
        (file_of(b'{"a": ' + b"9" * 5000 + b"}"), "no JSON"),
        (file_of([]), "no JSON object"),
        (file_of(b'{"a": 1, "a": 2}'), "a name twice"),
        (file_of({"__metadata__": {"a": 1}}, b""), "not text"),
        (file_of({"__metadata__": ["a"]}, b""), "not text"),
        (file_of({"a": 5}), "no type, shape and place"),
        (file_of({"a": {**TENSOR, "data_offsets": [0]}}), "no type, shape and place"),
        (file_of({"a": {**TENSOR, "data_offsets": ["0", "8"]}}), "no type, shape and place"),
        (file_of({"a": {**TENSOR, "dtype": "I64"}}), "of type I64, not F64, F32, F16, BF16"),
        (file_of({"a": {**TENSOR, "shape": [-2]}}), "no valid shape"),
        (file_of({"a": {**TENSOR, "shape": [True, 2]}}), "no valid shape"),
        (file_of({"a": {**TENSOR, "shape": [2.0]}}), "no valid shape"),
        (file_of({"a": {**TENSOR, "shape": [10**30]}}), "not the bytes"),
        (file_of({"a": {**TENSOR, "data_offsets": [-8, 0]}}), "not the bytes"),
        (file_of({"a": {**TENSOR, "data_offsets": [8, 16]}}, b"\0" * 16), "leave gaps"),
        (file_of({"a": TENSOR, "b": TENSOR}), "overlap"),
        (file_of({"a": TENSOR}, b""), "end at byte 8 of 0"),
    ],
)
def test_what_is_damaged_or_malicious(data: bytes, words: str) -> None:
    with pytest.raises(InvalidSafetensors, match=words) as caught:
        read_header(io.BytesIO(data))
    assert str(caught.value).startswith("Invalid input: ")


def test_files_that_run_code_are_named_so() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("archive/data.pkl", pickle.dumps({}))
    for data in (pickle.dumps({"a": 1}, protocol=2), archive.getvalue()):
        with pytest.raises(PickledFile, match="Only safetensors files"):
            read_header(io.BytesIO(data))


@given(st.integers(0, 4000), st.binary(min_size=1, max_size=8), st.integers(-3000, 3000))
def test_any_damage_is_a_refusal(place: int, bytes_: bytes, cut: int) -> None:
    data = bytearray(lora_file(rank=1))
    data[place : place + len(bytes_)] = bytes_
    with suppress(SartiqError):
        read_header(io.BytesIO(bytes(data[:cut] if cut else data)))
