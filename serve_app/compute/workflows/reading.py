"""What the API answers about workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from db.models import StepStatus, TaskStatus, WorkflowStep
from db.repositories.workflows import StepTaskProgress, WorkflowState
from serve_app.compute.tasks.schemas import OutputImage
from serve_app.compute.workflows.schemas import (
    StepFile,
    StepOutput,
    StepTaskRead,
    WorkflowRead,
    WorkflowStepRead,
)
from serve_app.core.dependencies import Sign

_ENDED = {StepStatus.COMPLETED, StepStatus.CANCELLED}


async def read_workflow(state: WorkflowState, sign: Sign) -> WorkflowRead:
    """What the API answers about a workflow."""
    workflow = state.workflow
    steps = [
        await _read_step(step, state.tasks.get(step.position, ()), sign) for step in state.steps
    ]
    current = next(
        (index for index, step in enumerate(state.steps) if step.status not in _ENDED), None
    )
    values = {
        name: await sign(value["path"]) if isinstance(value, dict) else value
        for name, value in workflow.input.items()
    }
    names = set(WorkflowRead.model_fields) & set(workflow.__table__.columns.keys())
    return WorkflowRead(
        **{name: getattr(workflow, name) for name in names - {"input", "status", "on_failure"}},
        status=workflow.status.value,
        on_failure=workflow.on_failure.value,
        input=values,
        current_step=current,
        progress=sum(step.progress for step in steps) / len(steps),
        steps=steps,
    )


async def _read_step(
    step: WorkflowStep, tasks: Sequence[StepTaskProgress], sign: Sign
) -> WorkflowStepRead:
    names = set(WorkflowStepRead.model_fields) & set(step.__table__.columns.keys())
    return WorkflowStepRead(
        **{name: getattr(step, name) for name in names - {"output", "status"}},
        status=step.status.value,
        progress=progress_of(step, tasks),
        output=None if step.output is None else await _read_output(step.output, sign),
        cleaned=step.cleaned_at is not None,
        tasks=[
            StepTaskRead(
                id=task.task_id, index=task.index, status=task.status.value, progress=task.progress
            )
            for task in tasks
        ],
    )


def progress_of(step: WorkflowStep, tasks: Sequence[StepTaskProgress]) -> float:
    """How far a step is, in [0, 1]: the mean of its tasks, the last of each index."""
    if step.status is StepStatus.COMPLETED:
        return 1.0
    last = {task.index: task for task in tasks}.values()
    done = [
        1.0 if task.status is TaskStatus.COMPLETED else task.progress
        for task in last
        if task.status not in {TaskStatus.FAILED, TaskStatus.CANCELLED}
    ]
    return sum(done) / len(last) if last else 0.0


async def _read_output(output: dict[str, Any], sign: Sign) -> StepOutput:
    images = []
    for image in output["images"]:
        fields = {name: image.get(name) for name in OutputImage.model_fields if name != "url"}
        images.append(OutputImage(url=await sign(image["path"]), **fields))
    file = output.get("file")
    if file is not None:
        names = ("size", "content_type", "files")
        file = StepFile(url=await sign(file["path"]), **{name: file[name] for name in names})
    others = {
        name: output.get(name) for name in StepOutput.model_fields.keys() - {"images", "file"}
    }
    return StepOutput(images=images, file=file, **others)
