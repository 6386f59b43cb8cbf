"""Opening ONNX models through rembg's session classes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from deployments.background_removal.sessions import (
    ARCHITECTURES,
    architecture_of,
    bundled_weights,
    open_session,
)
from deployments.errors import ModelUnavailable


def open_cpu(onnx: Path, architecture: str = "u2net") -> object:
    return open_session(onnx, architecture=architecture, threads=1, cuda=False)


def test_another_model_by_path(tmp_path: Path) -> None:
    copy = Path(shutil.copy(bundled_weights(), tmp_path / "u2net_brand.onnx"))
    (mask,) = open_cpu(copy, architecture_of(copy)).predict(Image.new("RGB", (40, 30), "white"))
    assert (mask.mode, mask.size) == ("L", (40, 30))


@pytest.mark.parametrize(
    ("file", "architecture"),
    [
        ("u2netp.onnx", "u2net"),
        ("isnet-general-use.onnx", "isnet"),
        ("BiRefNet-portrait.onnx", "birefnet"),
        ("ben2.onnx", "ben"),
    ],
)
def test_architecture_by_file_name(file: str, architecture: str) -> None:
    assert architecture_of(Path(file)) == architecture


def test_a_name_that_says_nothing_is_refused_with_the_choices() -> None:
    with pytest.raises(ModelUnavailable, match=r"model\.onnx: .*isnet"):
        architecture_of(Path("model.onnx"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_its_class(architecture: str) -> None:
    # The weights are another network's; that the session opens shows that the class exists.
    assert hasattr(open_cpu(bundled_weights(), architecture), "predict")


def test_missing_broken_and_unknown_models_are_unavailable(tmp_path: Path) -> None:
    broken = tmp_path / "u2net.onnx"
    with pytest.raises(ModelUnavailable, match="there is no model"):
        open_cpu(broken)
    broken.write_bytes(b"not a model")
    with pytest.raises(ModelUnavailable, match=r"u2net\.onnx"):
        open_cpu(broken)
    with pytest.raises(ModelUnavailable, match="none of"):
        open_cpu(bundled_weights(), "sam")


def test_threads_are_limited() -> None:
    session = open_session(bundled_weights(), architecture="u2net", threads=1, cuda=False)
    assert session.inner_session.get_session_options().intra_op_num_threads == 1


def test_nothing_compiles_at_import() -> None:
    code = (
        "import sys, deployments.background_removal.sessions as s; "
        "s.open_session(s.bundled_weights(), architecture='u2net', threads=1, cuda=False); "
        "sys.exit(bool({'numba', 'pymatting', 'scipy', 'cv2'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
