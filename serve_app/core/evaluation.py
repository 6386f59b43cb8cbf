"""How good is a generated picture? Scores of what can be measured on its pixels.

An evaluator answers scores by name, each in [0, 1]; ``confidence`` is what decides whether a
picture is accepted, the others what is adjusted. Hosted judges, which look at a picture as a person
would, answer the same from a task of their own: see :class:`serve_app.core.llm.answers.Verdict`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2
from scipy.ndimage import laplace
from skimage.color import deltaE_ciede2000, rgb2gray, rgb2lab

from serve_app.core.colour import Pixels, flatten_on_white

# ΔE2000 (CIE 142-2001) up to which colours count as the same, and from which as different.
_SAME_COLOUR, _OTHER_COLOUR = 5.0, 40.0
# Standard deviation of the Laplacian of luminance in [0, 1], of a blurred and of a crisp picture.
_BLURRED, _CRISP = 0.004, 0.03
# Share of the frame that a person fills.
_LEAST_SHARE, _ENOUGH_SHARE = 0.02, 0.12
# Alpha from which a pixel of a cut-out belongs to what it shows.
_OPAQUE = 128
_MOST_PIXELS = 20_000
_CLUSTERS = 5
_WEIGHTS: Mapping[str, float] = {
    "garment_color": 0.5,
    "sharpness": 0.15,
    "exposure": 0.15,
    "subject_in_frame": 0.2,
}


@dataclass(frozen=True, slots=True)
class Scores:
    """What an evaluator says of a picture, each in [0, 1].

    Attributes:
        garment_color: how near the product's colour occurs on the cut-out; 1 without a product.
        sharpness: from blurred to crisp.
        exposure: share of pixels that are neither crushed nor burnt out, and a middling mean.
        subject_in_frame: whether there is a person, large enough and not beside the frame.
        confidence: the weighted geometric mean: one bad score is not made up for by the others.
    """

    garment_color: float
    sharpness: float
    exposure: float
    subject_in_frame: float
    confidence: float

    def as_dict(self) -> dict[str, float]:
        """Rounded, as it stands on a prediction."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


class Evaluator(Protocol):
    """Judges pictures."""

    def score(self, cut_out: Pixels, product: Pixels | None) -> Scores:
        """Score one picture.

        Args:
            cut_out: (H, W, 4), the picture with what is no person made transparent.
            product: (H, W, 3 or 4), what the person should wear, or None.
        """


class PixelEvaluator:
    """Measures colour, sharpness, exposure and framing; knows nothing of anatomy or taste."""

    def score(self, cut_out: Pixels, product: Pixels | None) -> Scores:
        """See :meth:`Evaluator.score`."""
        scores = {
            "garment_color": _garment_color(cut_out, product),
            "sharpness": _sharpness(cut_out[..., :3]),
            "exposure": _exposure(cut_out),
            "subject_in_frame": _in_frame(cut_out[..., 3]),
        }
        logs = (weight * math.log(max(scores[name], 1e-3)) for name, weight in _WEIGHTS.items())
        return Scores(**scores, confidence=math.exp(sum(logs)))


def _garment_color(cut_out: Pixels, product: Pixels | None) -> float:
    """The nearest of the person's main colours to the product's own."""
    if product is None:
        return 1.0
    person = cut_out[..., :3][cut_out[..., 3] >= _OPAQUE]
    wanted = main_colours(_of_product(product))
    if not len(person) or not wanted:
        return 0.0
    (colour, _), *_ = wanted
    nearest = min(
        float(deltaE_ciede2000(colour, seen))
        for seen, share in main_colours(person)
        if share > 0.05
    )
    return _between(nearest, worst=_OTHER_COLOUR, best=_SAME_COLOUR)


def main_colours(
    pixels: npt.NDArray[np.uint8],
) -> Sequence[tuple[npt.NDArray[np.float64], float]]:
    """(N, 3) sRGB -> CIELAB colours of up to five clusters with their shares, the largest first."""
    if not len(pixels):
        return []
    step = max(1, len(pixels) // _MOST_PIXELS)
    lab = rgb2lab(pixels[::step][:, None] / 255.0)[:, 0]
    count = min(_CLUSTERS, len(np.unique(lab, axis=0)))
    centres, labels = kmeans2(lab, count, minit="++", seed=0)
    shares = np.bincount(labels, minlength=count) / len(labels)
    order = np.argsort(-shares)
    return [(centres[index], float(shares[index])) for index in order if shares[index] > 0]


def _of_product(product: Pixels) -> npt.NDArray[np.uint8]:
    """Pixels of a product picture that are no white or transparent background."""
    if product.shape[2] == 4:
        return product[..., :3][product[..., 3] >= _OPAQUE]
    flat = flatten_on_white(product)
    corners = np.stack([flat[0, 0], flat[0, -1], flat[-1, 0], flat[-1, -1]])
    ground = np.median(corners, axis=0)
    is_product = np.abs(flat.astype(float) - ground).max(axis=2) > 24
    return flat[is_product] if is_product.any() else flat.reshape(-1, 3)


def _sharpness(picture: Pixels) -> float:
    edges = float(laplace(rgb2gray(picture)).std())
    return _between(edges, worst=_BLURRED, best=_CRISP)


def _exposure(cut_out: Pixels) -> float:
    person = cut_out[..., 3] >= _OPAQUE
    if not person.any():
        return 0.0
    luminance = rgb2gray(cut_out[..., :3])[person]
    crushed = float(((luminance < 0.01) | (luminance > 0.995)).mean())
    middling = 1.0 - max(0.0, abs(float(luminance.mean()) - 0.5) - 0.3) / 0.2
    return max(0.0, min(1.0, (1.0 - crushed) * middling))


def _in_frame(alpha: npt.NDArray[np.uint8]) -> float:
    person = alpha >= _OPAQUE
    share = float(person.mean())
    if not share:
        return 0.0
    columns = np.flatnonzero(person.any(axis=0))
    centre = (columns[0] + columns[-1]) / 2 / max(1, person.shape[1] - 1)
    centred = 1.0 - max(0.0, abs(float(centre) - 0.5) - 0.15) / 0.35
    return _between(share, worst=_LEAST_SHARE, best=_ENOUGH_SHARE) * max(0.0, centred)


def _between(value: float, *, worst: float, best: float) -> float:
    return max(0.0, min(1.0, (value - worst) / (best - worst)))
