"""What a step aims at, found from the latents on both of its sides, for each kind of scheduler."""

from __future__ import annotations

import diffusers
import pytest
import torch

from deployments.generation.clean import predicted

STEPS = 8
SCHEDULERS = {
    "DDIMScheduler": {
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "clip_sample": False,
    },
    "PNDMScheduler": {"skip_prk_steps": True},
    "EulerDiscreteScheduler": {},
    "DPMSolverMultistepScheduler": {"use_karras_sigmas": True},
    "UniPCMultistepScheduler": {},
    "FlowMatchEulerDiscreteScheduler": {"shift": 3.0},
    "HeunDiscreteScheduler": {},
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_picture_is_known_after_each_step(name: str) -> None:
    options = {"timestep_spacing": "trailing"} | SCHEDULERS[name]
    if name.startswith("FlowMatch"):
        del options["timestep_spacing"]
    scheduler = getattr(diffusers, name)(**options)
    scheduler.set_timesteps(STEPS)
    generator = torch.Generator().manual_seed(1)
    picture, noise = torch.randn(2, 1, 4, 3, 2, generator=generator)
    latents = _mixed(scheduler, picture, noise)
    seen = 0
    for number, timestep in enumerate(scheduler.timesteps[:-1]):
        before = latents
        output = _output(scheduler, timestep, picture, noise)
        latents = scheduler.step(output, timestep, before, return_dict=False)[0]
        aim = predicted(scheduler, timestep, before, latents)
        if (name, number) == ("PNDMScheduler", 1):
            continue  # it takes its first step once more, from where it began
        if not torch.equal(aim, latents):
            seen += 1
            torch.testing.assert_close(aim, picture, rtol=0, atol=0.02)
            assert (latents - picture).abs().mean() > (aim - picture).abs().mean()
    # Of steps of two halves the second ones.
    assert seen >= STEPS - 2


def _mixed(scheduler: object, picture: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The latents at the start."""
    first = scheduler.timesteps[:1]
    if hasattr(scheduler, "scale_noise"):
        return scheduler.scale_noise(picture, first, noise)
    return scheduler.add_noise(picture, noise, first)


def _output(
    scheduler: object, timestep: torch.Tensor, picture: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """What a network that knows the picture says."""
    if hasattr(scheduler, "scale_noise"):
        return noise - picture
    if scheduler.config.prediction_type == "epsilon":
        return noise
    kept = scheduler.alphas_cumprod[int(timestep)]
    return kept**0.5 * noise - (1 - kept) ** 0.5 * picture
