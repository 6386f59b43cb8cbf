"""What the families know, without a model."""

from types import SimpleNamespace

import pytest

from deployments.contracts import GenerationRequest
from deployments.families.flux import Flux

PICTURE = object()


@pytest.mark.parametrize(
    ("steps", "strength", "left_out"),
    [(4, 0.9, 1), (4, 0.5, 2), (3, 0.8, 1), (7, 0.99, 1), (4, 1.0, 0), (1, 0.8, 0)],
)
def test_flux_never_ignores_a_picture_below_full_strength(steps, strength, left_out):
    family = Flux(entry=None, text_pipeline=SimpleNamespace(), image_pipeline=SimpleNamespace())
    request = GenerationRequest(
        "r", "m", "p", (1,), 32, 48, steps, 0.0, strength=strength, image=PICTURE
    )
    effective = family.arguments(request)["strength"]
    # The rounding of FluxImg2ImgPipeline.get_timesteps.
    assert int(max(steps - min(steps * effective, steps), 0)) == left_out
