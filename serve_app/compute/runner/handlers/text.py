"""Tasks of type ``llm``: questions about pictures and data, to the provider of the task's queue."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import ValidationError

from configs.hosted import load_hosted
from serve_app.compute.runner.handlers.base import Work
from serve_app.compute.runner.hosted import Call
from serve_app.core.images import inspect_image
from serve_app.core.llm.answers import Answer, Verdict, schema_of
from serve_app.core.llm.questions import question_of
from serve_app.core.llm.schemas import first_violation
from serve_app.core.providers.base import Outcome, Picture, TextOrder
from serve_app.core.providers.errors import HostedMalformed
from serve_app.core.providers.registry import settings_of


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a question: text, and an object if one was asked for; tokens and US dollars."""

    text: str | None
    answer: dict[str, Any] | None
    usage: Mapping[str, int]
    cost_usd: float


class HostedText:
    """Asks, and lets nothing through that is not the answer that was asked for."""

    async def run(self, work: Work) -> dict[str, Any]:
        """Ask and check; the output has text or answer, or scores, with tokens and cost; see
        `Handler.run`."""
        config = work.task.config
        if config["operation"] == "evaluate":
            return await _evaluate(work)
        show = partial(_pictures, work, config.get("images", []))
        told = await ask(work, config, show, provider=work.task.queue, report=work.report)
        answer = told.answer
        if config["operation"] == "outfit" and answer is not None:
            answer["product_ids"] = _offered(answer["product_ids"], config)
        return {
            "images": [],
            "text": told.text if answer is None else None,
            "answer": answer,
            "model": config["model"],
            "usage": dict(told.usage),
            "cost_usd": told.cost_usd,
        }


async def _evaluate(work: Work) -> dict[str, Any]:
    """Judge each picture on its own; the scores are like those of `serve_app.core.evaluation`."""
    config = work.task.config
    judging = {**config, "operation": "judge"}
    product = [config["product"]] if config["product"] else []
    scores, usage, cost = [], Counter[str](), 0.0
    for part, image in enumerate(config["images"]):
        show = partial(_pictures, work, [*product, image])
        told = await ask(work, judging, show, provider=work.task.queue, part=part)
        scores.append(Verdict.model_validate(told.answer).scores())
        usage.update(told.usage)
        cost += told.cost_usd
        work.report((part + 1) / len(config["images"]))
    spent = {"model": config["model"], "usage": dict(usage), "cost_usd": cost}
    return {"images": [], "scores": scores, **spent}


async def ask(
    work: Work,
    config: Mapping[str, Any],
    show: Callable[[], Awaitable[tuple[Picture, ...]]],
    *,
    provider: str,
    part: int = 0,
    report: Callable[[float], None] = lambda _: None,
) -> Told:
    """Ask one question as a call of a task.

    Args:
        work: the attempt.
        config: of the question, settled.
        show: makes the pictures, if it has to be asked at all.
        provider: who is asked.
        part: which of the task's calls.
        report: takes progress.

    Raises:
        HostedError: as it says; `HostedMalformed` if the answer is another than was asked for.
    """
    model = load_hosted().texts[config["model"]]
    expected = question_of(config, ()).answer
    schema = config.get("schema") if expected is None else schema_of(expected)

    def price(outcome: Outcome) -> Any:
        usage = outcome.usage
        return model.cost(usage.get("input_tokens", 0), usage.get("output_tokens", 0))

    call = Call(
        work,
        provider,
        model.endpoint,
        seconds=settings_of(work.resources.settings, provider).call_seconds,
        part=part,
        price=price,
    )

    async def order() -> TextOrder:
        question = question_of(config, await show())
        return question.order(model.endpoint, schema, config.get("max_tokens", 2048))

    outcome = await call.run(order, report)
    try:
        answer = _checked(outcome.text or "", expected, schema)
    except ValueError as error:
        await call.reject()
        raise HostedMalformed(provider, str(error)) from error
    return Told(outcome.text, answer, outcome.usage, float(price(outcome)))


async def _pictures(work: Work, images: Sequence[Mapping[str, str]]) -> tuple[Picture, ...]:
    return tuple([await picture(work, one) for one in images])


def _checked(
    text: str, expected: type[Answer] | None, schema: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """The answer as an object; None where any text would do.

    Raises:
        ValueError: it is not what was asked for; the text says where, not what it says.
    """
    if expected is not None:
        try:
            return expected.model_validate_json(text).model_dump()
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"{where or 'the answer'}: {first['type']}") from error
    if schema is None:
        if not text.strip():
            raise ValueError("the answer is empty")
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError("the answer is no JSON") from error
    if not isinstance(found, dict):
        raise ValueError("the answer is no object")
    if (path := first_violation(schema, found)) is not None:
        raise ValueError(f"the answer is not of the schema at {path}")
    return found


def _offered(product_ids: list[str], config: Mapping[str, Any]) -> list[str]:
    """Those of the answer that the question offered, each once; a model may make some up."""
    known = {product["id"] for product in config["data"]["catalog"]}
    return [one for one in dict.fromkeys(product_ids) if one in known]


async def picture(work: Work, reference: Mapping[str, str]) -> Picture:
    """A picture of ours, as a provider may see it."""
    data = await work.resources.store.get(reference["path"])
    info = await asyncio.to_thread(inspect_image, data)
    return Picture(data, info.content_type)
