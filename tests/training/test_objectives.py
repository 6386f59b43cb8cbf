"""What denoisers learn, against diffusers' schedulers and the papers' formulas."""

import pytest
import torch
from diffusers import DDPMScheduler

from training.contracts import InvalidTraining
from training.draws import generator
from training.objectives import Diffusion, Flow

CPU = torch.device("cpu")
SCHEDULE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def diffusion(**config):
    return Diffusion(SCHEDULE | config, CPU)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_examples_are_those_of_the_scheduler(kind):
    config = SCHEDULE | {"prediction_type": kind, "rescale_betas_zero_snr": kind != "epsilon"}
    scheduler = DDPMScheduler(**config)
    clean, noise = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor([0, 500, 999])
    objective = Diffusion(config, CPU)
    torch.testing.assert_close(
        objective.noisy(clean, noise, timesteps), scheduler.add_noise(clean, noise, timesteps)
    )
    target = objective.target(clean, noise, timesteps)
    expected = scheduler.get_velocity(clean, noise, timesteps) if kind != "epsilon" else noise
    torch.testing.assert_close(target, expected)


def test_min_snr_weights_are_those_of_the_paper():
    timesteps = torch.arange(1000)
    signal = DDPMScheduler(**SCHEDULE).alphas_cumprod
    ratio = signal / (1 - signal)
    capped = torch.minimum(ratio, torch.tensor(5.0))
    torch.testing.assert_close(diffusion().weight(timesteps, 5.0), capped / ratio)
    velocity = diffusion(prediction_type="v_prediction").weight(timesteps, 5.0)
    torch.testing.assert_close(velocity, capped / (ratio + 1))
    assert diffusion().weight(timesteps, None).eq(1).all()


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_a_last_step_of_pure_noise_counts(kind):
    objective = diffusion(prediction_type=kind, rescale_betas_zero_snr=True)
    weights = objective.weight(torch.arange(1000), 5.0)
    assert weights.isfinite().all()
    assert weights[-1] == 1
    assert weights[0] < 0.01
    assert (weights.diff() >= 0).all()


def test_a_model_that_predicts_pictures_is_refused():
    with pytest.raises(InvalidTraining, match="'sample'"):
        diffusion(prediction_type="sample")


def test_timesteps_are_drawn_from_the_whole_schedule_and_from_the_key_alone():
    drawn = torch.cat([diffusion().draw(generator(0, index)) for index in range(2000)])
    assert drawn.min() < 20
    assert drawn.max() > 980
    assert abs(drawn.float().mean() - 500) < 25
    assert torch.equal(diffusion().draw(generator(0, 7)), drawn[7:8])
    assert diffusion().quantiles(4).tolist() == [125, 375, 625, 875]


def test_a_flow_is_a_straight_line_with_logit_normal_timesteps():
    flow = Flow()
    clean, noise = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)
    times = torch.tensor([0.25, 1.0])
    assert torch.equal(flow.noisy(clean, noise, times)[:, 0, 0, 0], times)
    assert torch.equal(flow.target(clean, noise, times), noise)
    drawn = torch.cat([flow.draw(generator(0, index)) for index in range(4000)])
    logits = torch.logit(drawn)
    assert abs(logits.mean()) < 0.05
    assert abs(logits.std() - 1) < 0.05
    cuts = flow.quantiles(4)
    shares = torch.bucketize(drawn, cuts).bincount() / len(drawn)
    torch.testing.assert_close(
        shares, torch.tensor([1 / 8, 1 / 4, 1 / 4, 1 / 4, 1 / 8]), atol=0.03, rtol=0
    )
