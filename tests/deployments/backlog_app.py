"""A small Serve application that the autoscaling test runs: a settable signal, two workers."""

from __future__ import annotations

from ray import serve
from ray.serve.handle import DeploymentHandle


@serve.deployment
class Worker:
    async def __call__(self) -> str:
        return "done"


@serve.deployment
class TaskRunner:
    def __init__(self, upscaling: DeploymentHandle, generation: DeploymentHandle) -> None:
        self.workers = {"upscaling": upscaling, "generation": generation}
        self.backlog: dict[str, int] | None = {"upscaling": 0, "generation": 0}

    def set(self, backlog: dict[str, int] | None) -> None:
        self.backlog = backlog

    def record_autoscaling_stats(self) -> dict[str, int]:
        if self.backlog is None:
            raise RuntimeError("the database is away")
        return self.backlog


app = TaskRunner.bind(
    Worker.options(name="Upscaling").bind(), Worker.options(name="Generation").bind()
)
