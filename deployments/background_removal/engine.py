"""Cut the foreground of a picture out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

from deployments.background_removal.sessions import (
    architecture_of,
    bundled_weights,
    open_session,
)
from deployments.contracts import Pixels, Progress, Result
from deployments.errors import InvalidInput

# Confidence at or under which a pixel is background, and from which it is foreground. In between,
# alpha rises linearly; without this a veil of the background stays over the whole picture.
ALPHA_FLOOR = 0.06
ALPHA_CEILING = 0.94


class BackgroundRemover:
    """A salient-object network with what is needed around it.

    Args:
        onnx: the model; unset: the bundled u2netp.
        architecture: which session class reads it; unset: the file's name says it.
        threads: of onnxruntime.
        cuda: run on the GPU.
        clean_alpha: push nearly transparent pixels to transparent and nearly opaque ones to opaque.

    Raises:
        ModelUnavailable: there is no such model, or it cannot be opened.
    """

    def __init__(
        self,
        onnx: Path | None = None,
        *,
        architecture: str | None = None,
        threads: int = 1,
        cuda: bool = False,
        clean_alpha: bool = True,
    ) -> None:
        self._onnx = onnx or bundled_weights()
        self._session = open_session(
            self._onnx,
            architecture=architecture or architecture_of(self._onnx),
            threads=threads,
            cuda=cuda,
        )
        self._clean_alpha = clean_alpha

    @property
    def name(self) -> str:
        """Of the model."""
        return self._onnx.stem

    def remove(self, image: Pixels) -> Iterator[Progress | Result]:
        """One ``Result`` with the picture as (H, W, 4): its colours, and the foreground as alpha.

        Args:
            image: (H, W, 3) or (H, W, 4); what is transparent already stays so.

        Raises:
            InvalidInput: not such an array.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in {3, 4}:
            raise InvalidInput(f"expected RGB or RGBA bytes, not {image.dtype} {image.shape}")
        if not image.size:
            raise InvalidInput("the picture is empty")
        started = time.perf_counter()
        alpha = self._alpha(image)
        yield Progress(0.9)
        if image.shape[2] == 4:
            alpha *= image[..., 3] / np.float32(255)
        cutout = np.dstack([image[..., :3], np.rint(alpha * 255).astype(np.uint8)])
        yield Result(
            (cutout,),
            {
                "model": self.name,
                "rembg": version("rembg"),
                "onnxruntime": onnxruntime.__version__,
                "seconds": round(time.perf_counter() - started, 3),
            },
        )

    def _alpha(self, image: Pixels) -> npt.NDArray[np.float32]:
        """(H, W) in [0, 1]."""
        picture = Image.fromarray(image)
        if picture.mode == "RGBA":
            # The colours of transparent pixels are arbitrary; the network should not see them.
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        # The sessions stretch the mask to its full range; a constant one (0/0) means no foreground.
        with np.errstate(invalid="ignore"):
            (mask,) = self._session.predict(picture.convert("RGB"))
        alpha = np.asarray(mask, np.float32) / np.float32(255)
        if self._clean_alpha:
            alpha = (alpha - np.float32(ALPHA_FLOOR)) / np.float32(ALPHA_CEILING - ALPHA_FLOOR)
            np.clip(alpha, 0, 1, out=alpha)
        return alpha
