"""The application's config file, as Serve and the application read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from ray.serve.schema import ServeDeploySchema

from serve_app.app import MODELS, Arguments, build

# Ray will take `metrics_interval_s` from the environment one day, of 2.60 it is a field.
pytestmark = pytest.mark.filterwarnings("ignore:The `metrics_interval_s` field:DeprecationWarning")

CONFIG = Path(__file__).parents[2] / "serve_config.yaml"


@pytest.fixture
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    ServeDeploySchema.model_validate(loaded)
    (application,) = loaded["applications"]
    return application


def test_replicas_take_on_all_that_the_runner_hands_them(config: dict[str, Any]) -> None:
    args = Arguments.model_validate(config["args"])
    deployments = {one["name"]: one for one in config["deployments"]}
    for queue, deployment in MODELS.items():
        held = args.slots[queue] + args.for_newcomers.get(queue, 0)
        assert deployments[deployment.name]["max_ongoing_requests"] >= held, queue


def test_a_queue_that_nobody_knows_is_an_error(config: dict[str, Any]) -> None:
    args = config["args"]
    with pytest.raises(ValueError, match="must name the queues"):
        build(Arguments(slots={"generation": 16}))
    with pytest.raises(ValueError, match="no queues of models"):
        build(Arguments(slots=args["slots"], for_newcomers={"training": 1}))
    with pytest.raises(ValidationError):
        Arguments(slots=args["slots"], for_newcomers={"generation": 0})
