"""What the API takes and answers about workflows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from serve_app.compute.tasks.configs import Priority
from serve_app.compute.tasks.schemas import OutputImage
from serve_app.compute.tasks.schemas import Status as TaskState
from serve_app.core.schemas import Input, ListOf

WorkflowState = Literal["created", "running", "paused", "completed", "failed", "cancelled"]
StepState = Literal["pending", "running", "waiting", "completed", "failed", "cancelled"]

StepName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="Unique in the workflow.",
        examples=["generate-base"],
    ),
]
Scalar = str | int | float | bool | None
InputValues = Annotated[
    dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,63}$")], Scalar],
    Field(
        max_length=100,
        description="`image_url` is the picture that steps without predecessors work on; the "
        "others are for mappings.",
        examples=[{"image_url": "https://storage.example.com/products/dress.jpg"}],
    ),
]

_EXAMPLE: Final[dict[str, JsonValue]] = {
    "name": "product-to-model",
    "steps": [
        {
            "name": "generate-base",
            "type": "generation",
            "config": {"prompt": "model wearing product", "num_outputs": 4},
        },
        {
            "name": "upscale",
            "type": "processing",
            "config": {"operation": "upscale", "scale": 2},
            "depends_on": ["generate-base"],
        },
        {
            "name": "background-removal",
            "type": "processing",
            "config": {"operation": "remove-background"},
            "depends_on": ["upscale"],
        },
    ],
}


class StepCreate(Input):
    """A step of a new workflow."""

    name: StepName
    type: str = Field(
        max_length=100,
        description="`generation`, `processing` (`upscale`, `remove-background`, `composite` or "
        "`convert`), `training`, `export` or `approval`.",
        examples=["generation"],
    )
    config: dict[str, Any] = Field(
        {},
        description="As for a task of the type; what flows in or is mapped is left out.",
        examples=[{"prompt": "model wearing product", "num_outputs": 4}],
    )
    depends_on: list[StepName] = Field(
        [],
        max_length=100,
        description="Steps to wait for. Their pictures flow into this one.",
    )
    input_mappings: dict[str, Annotated[str, Field(max_length=500)]] = Field(
        {},
        max_length=100,
        description="By field of the config where its value comes from: "
        "`steps.<name>.output.images[<i>].<field>` or `input.<field>`.",
        examples=[{"image_url": "steps.generate-base.output.images[0].url"}],
    )


class WorkflowCreate(Input):
    """A new workflow."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str = Field(min_length=1, max_length=200)
    steps: list[StepCreate] = Field(min_length=1, description="At most 100.")
    on_failure: Literal["pause", "fail"] = Field(
        "pause",
        description="What a failed step does: `pause` the workflow, so that `resume` tries it "
        "again, or `fail` it.",
    )
    cache: bool = Field(
        False,
        description="A step with the same inputs, config and seed as one that was done before "
        "takes over its result.",
    )
    priority: Priority = 0
    input: InputValues = Field({}, description="With `start=true`, as for `start`.")


class WorkflowStart(Input):
    """What to start a workflow with."""

    input: InputValues = Field({})


class StepFile(BaseModel):
    """An archive that a step has packed."""

    url: str = Field(description="Fetchable without a header until it expires.")
    size: int = Field(description="Bytes.")
    content_type: str
    files: int = Field(description="Pictures in it.")


class StepOutput(BaseModel):
    """What a completed step has made."""

    images: list[OutputImage]
    file: StepFile | None = Field(description="Of an export.")
    training_id: str | None = Field(description="Of a training; `GET /training/{id}` has its LoRA.")
    approved_by: str | None = Field(description="Of an approval: the user who resumed.")
    text: str | None = Field(description="Of a question: the answer, if it is text.")
    answer: dict[str, Any] | None = Field(
        description="Of a question: the answer, checked against its schema."
    )
    usage: dict[str, int] | None = Field(description="Of a question: tokens.")
    cost_usd: float | None = Field(description="Of a question: what the provider asks for it.")


class StepTaskRead(BaseModel):
    """A task that a step consists of; one that was tried again is in the list twice."""

    id: str
    index: int = Field(description="Which piece of the step's work it does, from 0.")
    status: TaskState
    progress: float = Field(description="0 to 1.")


class WorkflowStepRead(BaseModel):
    """A step as it stands."""

    name: str
    type: str
    status: StepState
    progress: float = Field(description="0 to 1.")
    config: dict[str, Any]
    depends_on: list[str]
    input_mappings: dict[str, str]
    output: StepOutput | None
    reused: bool = Field(description="Its output was made by an earlier workflow.")
    cleaned: bool = Field(description="The objects of its output were removed.")
    error: str | None
    error_code: str | None
    tasks: list[StepTaskRead]
    started_at: datetime | None
    completed_at: datetime | None


class WorkflowRead(BaseModel):
    """A workflow as it stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "wf_06f3k2m8q7v5t1xz0c9hjnpa4r",
                    "name": "product-to-model",
                    "status": "running",
                    "current_step": 1,
                    "progress": 0.5,
                    "steps": [
                        {"name": "generate-base", "status": "completed", "progress": 1.0},
                        {"name": "upscale", "status": "running", "progress": 0.5},
                        {"name": "background-removal", "status": "pending", "progress": 0.0},
                    ],
                }
            ]
        }
    )

    id: str
    name: str
    status: WorkflowState
    current_step: int | None = Field(
        description="Index in `steps` of the first one that has not ended; null: all have."
    )
    progress: float = Field(description="0 to 1.")
    steps: list[WorkflowStepRead] = Field(description="Each after those that it depends on.")
    input: dict[str, Scalar]
    on_failure: Literal["pause", "fail"]
    cache: bool
    priority: int
    error: str | None = Field(description="Why it is paused or has failed.")
    error_code: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class WorkflowList(ListOf[WorkflowRead]):
    """One page of workflows."""


class CleanupRead(BaseModel):
    """What a cleanup has removed."""

    id: str
    objects: int = Field(description="Pictures and archives that were removed.")
    bytes: int = Field(description="That they took.")
    kept: int = Field(description="Objects that are left: last outputs, and what others use.")
    steps: list[str] = Field(description="Names of the steps whose outputs are gone.")
