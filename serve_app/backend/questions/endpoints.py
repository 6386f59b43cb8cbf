"""The actions on products and looks that ask a language model."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response, status

from db.models import Task
from serve_app.backend.looks.endpoints import LookId
from serve_app.backend.products.endpoints import ProductId
from serve_app.backend.questions.schemas import QuestionRead
from serve_app.backend.questions.service import Questions
from serve_app.core.auth import Scope
from serve_app.core.dependencies import RequestResources, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.routing import Router

router = Router(tags=["questions"])


async def _questions(session: Writing, scope: Scope, resources: RequestResources) -> Questions:
    return Questions(session, scope, resources)


Asking = Annotated[Questions, Depends(_questions, scope="function")]


@router.post(
    "/products/{product_id}/caption",
    status_code=status.HTTP_201_CREATED,
    operation_id="caption_product",
    response_model=QuestionRead,
    responses=errors(*MEMBER, 409, 503),
)
async def caption(
    product_id: ProductId, asking: Asking, once: Idempotency
) -> QuestionRead | Response:
    """Have a language model say what the pictures of a product show. The product's `caption` is
    that, as soon as it is there; prompts begin with it."""

    async def make() -> QuestionRead:
        return _read(await asking.caption(product_id))

    return await once.create(asking.session, make)


@router.post(
    "/looks/{look_id}/suggest-outfit",
    status_code=status.HTTP_201_CREATED,
    operation_id="suggest_outfit",
    response_model=QuestionRead,
    responses=errors(*MEMBER, 409, 503),
)
async def suggest_outfit(
    look_id: LookId, asking: Asking, once: Idempotency
) -> QuestionRead | Response:
    """Have a language model choose what goes with the main product of a look, from your own
    products. The look stays as it is."""

    async def make() -> QuestionRead:
        return _read(await asking.outfit(look_id))

    return await once.create(asking.session, make)


def _read(task: Task) -> QuestionRead:
    return QuestionRead(task_id=task.id, status=task.status, model=task.config["model"])
