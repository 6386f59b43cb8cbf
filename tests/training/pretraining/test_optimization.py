"""Two processes that share a batch and the work of Muon, against one that does it alone."""

from pathlib import Path

import pytest
import torch
from torch import nn

from training.pretraining import muon, parallel, precision
from training.pretraining.config import OptimizerConfig
from training.pretraining.optimization import Optimization

RECIPE = OptimizerConfig(
    matrix_rate=0.1, learning_rate=0.01, warmup=1, decay=0.5, clip=1.0, ema=0.5, weight_decay=0.1
)
STEPS = 4


def begun() -> tuple[nn.Module, Optimization]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 4, 3), nn.Flatten(),
                          nn.Linear(64, 8))  # fmt: skip
    return model, Optimization([model], RECIPE, STEPS)


def loss_of(model: nn.Module, step: int) -> torch.Tensor:
    """Of a batch of four that the processes share."""
    batch = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
    return model(batch[parallel.rank() :: parallel.size()]).square().mean()


def train(folder: Path, name: str, stop: int) -> None:
    """Save the state after `stop` steps, beginning with what is saved."""
    model, optimization = begun()
    path = folder / name
    for step in range(optimization.resume(path), stop):
        optimization.step(loss_of(model, step), step)
    optimization.save(path, stop)


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    parallel.run(2, train, tmp_path, "two", STEPS)
    train(tmp_path, "one", STEPS)
    one, two = torch.load(tmp_path / "one"), torch.load(tmp_path / "two")
    for name, weight in one["modules"][0].items():
        assert torch.allclose(weight, two["modules"][0][name], atol=1e-2), name
    for first, second in zip(one["momenta"], two["momenta"], strict=True):
        assert first.any()
        assert torch.allclose(first, second, atol=1e-3)


def test_an_interruption_of_two_processes_loses_no_momentum(tmp_path: Path) -> None:
    parallel.run(2, train, tmp_path, "whole", STEPS)
    parallel.run(2, train, tmp_path, "parts", 2)
    parallel.run(2, train, tmp_path, "parts", STEPS)
    whole, parts = torch.load(tmp_path / "whole"), torch.load(tmp_path / "parts")
    for name, weight in whole["modules"][0].items():
        assert torch.equal(weight, parts["modules"][0][name]), name
    assert all(map(torch.equal, whole["average"], parts["average"]))


def test_the_state_of_another_recipe_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "denoiser.pt"
    model, optimization = begun()
    optimization.save(path, 3)
    with_heads = Optimization([model, nn.Linear(2, 2)], RECIPE, STEPS)
    wider = Optimization([nn.Sequential(nn.Conv2d(3, 9, 3))], RECIPE, STEPS)
    for other in (with_heads, wider):
        with pytest.raises(ValueError, match=r"denoiser\.pt is the state of another recipe"):
            other.resume(path)
    assert begun()[1].resume(path) == 3
    assert begun()[1].resume(tmp_path / "none.pt") == 0


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
def test_muon_is_that_of_torch_on_every_processor(shape, native, monkeypatch):
    monkeypatch.setattr(muon, "has_bfloat16", lambda: native)
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(shape)) for _ in range(2))
    mine = muon.Muon([ours], lr=0.02, weight_decay=0.1)
    reference = torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1)
    for _ in range(5):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        mine.step()
        reference.step()
    assert (ours - 1).abs().max() > 0.02
    assert torch.allclose(ours, theirs, atol=2e-3)


def test_bfloat16_only_where_the_processor_is_good_at_it(monkeypatch):
    for native in (True, False):
        monkeypatch.setattr(precision, "has_bfloat16", lambda native=native: native)
        with precision.bfloat16():
            assert torch.is_autocast_enabled("cpu") is native
        with precision.bfloat16(enabled=False):
            assert not torch.is_autocast_enabled("cpu")


def test_without_a_matrix_rate_adam_moves_the_matrices_too(tmp_path: Path) -> None:
    model, _ = begun()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    plain = Optimization([model], RECIPE.model_copy(update={"matrix_rate": 0.0}), STEPS)
    plain.step(loss_of(model, 0), 0)
    assert not any(map(torch.equal, before, model.parameters()))
    # The first step of Adam is as long as its rate, wherever it goes.
    after = [parameter.detach() for parameter in model.parameters()]
    moved = [(old - new).abs().max() for old, new in zip(before, after, strict=True)]
    assert all(float(length) == pytest.approx(RECIPE.learning_rate, rel=0.01) for length in moved)
    plain.save(tmp_path / "adam", 1)
    assert plain.resume(tmp_path / "adam") == 1
    assert not torch.load(tmp_path / "adam")["momenta"]
