"""What the API answers about questions."""

from __future__ import annotations

from pydantic import BaseModel, Field

from db.models import TaskStatus


class QuestionRead(BaseModel):
    """A question that was asked."""

    task_id: str = Field(
        description="`GET /tasks/{task_id}` of the Compute API answers it: `output.answer`.",
        examples=["task_06f3k2m8q7v5t1xz0c9hjnpa4r"],
    )
    status: TaskStatus
    model: str = Field(description="Who is asked.", examples=["claude-haiku"])
