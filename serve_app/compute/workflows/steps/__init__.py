"""The types of steps; a new one is one more line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from serve_app.compute.workflows.steps.base import Desk, Inputs, Order, Picture, StepType
from serve_app.compute.workflows.steps.llm import (
    CaptionStep,
    JudgeStep,
    PromptStep,
    VisibilityStep,
)
from serve_app.compute.workflows.steps.others import ApprovalStep, ExportStep, TrainingStep
from serve_app.compute.workflows.steps.pictures import (
    CompositeStep,
    ConvertStep,
    GenerationStep,
    RemoveBackgroundStep,
    UpscaleStep,
)

# By type; where there are several operations, by ``type:operation``.
StepTypes: TypeAlias = Mapping[str, StepType]

STEP_TYPES: StepTypes = {
    "generation": GenerationStep(),
    "processing:upscale": UpscaleStep(),
    "processing:remove-background": RemoveBackgroundStep(),
    "processing:composite": CompositeStep(),
    "processing:convert": ConvertStep(),
    "llm:prompt": PromptStep(),
    "llm:caption": CaptionStep(),
    "llm:judge": JudgeStep(),
    "llm:visibility": VisibilityStep(),
    "training": TrainingStep(),
    "export": ExportStep(),
    "approval": ApprovalStep(),
}


def key_of(type_name: str, config: Mapping[str, Any]) -> str:
    """Where a step's type stands in the registry."""
    operation = config.get("operation")
    return f"{type_name}:{operation}" if type_name in {"processing", "llm"} else type_name


__all__ = [
    "STEP_TYPES",
    "Desk",
    "Inputs",
    "Order",
    "Picture",
    "StepType",
    "StepTypes",
    "key_of",
]
