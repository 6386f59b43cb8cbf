"""The client itself."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from configs.settings import Settings
from serve_app.client.answers import (
    Answer,
    Event,
    EventPage,
    StoredDataset,
    StoredImage,
    Task,
    Training,
    Workflow,
)
from serve_app.client.errors import ClientError, TaskCancelled, TaskFailed, reason_of, refusal
from serve_app.client.monitoring import (
    MonitoredTaskDetail,
    MonitoredTasks,
    Queue,
    Queues,
    Workers,
)
from serve_app.client.streams import Follower
from serve_app.client.urls import compute_url, is_local, local_url
from serve_app.client.workflows import WorkflowCalls

_POLL_SECONDS = 0.2
# How long a platform may be out of reach in the middle of a wait (a restart, a rate limit).
_PATIENCE_SECONDS = 60.0
# An archive is checked picture by picture before it is answered for.
_ARCHIVE_SECONDS = 600.0

_Model = TypeVar("_Model", bound=Answer)
WaitedT = TypeVar("WaitedT", Task, Training, Workflow)


class ComputeClient(WorkflowCalls):
    """Blocking client of one platform; use it as a context manager.

    Args:
        base_url: of the Compute API, or of the platform (its default path is added then).
        api_key: sent as a Bearer token.
        timeout: seconds for one request.
        transport: another way than TCP, such as ``httpx.WSGITransport`` in a test.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = compute_url(base_url)
        # No proxy of the environment stands between this machine and itself.
        remote = not is_local(self.base_url)
        self._http = httpx.Client(
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=timeout,
            transport=transport,
            trust_env=remote,
        )
        # Image URLs carry their own signature; they may lead to a host that must not see the key.
        self._images = httpx.Client(
            timeout=timeout, transport=transport, trust_env=remote, follow_redirects=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._images.close()

    def upload(self, path: Path) -> StoredImage:
        """Store a picture from a file."""
        with path.open("rb") as file:
            answer = self._request("POST", "/storage/images", files={"file": (path.name, file)})
        return _read(StoredImage, answer)

    def upload_dataset(self, path: Path) -> StoredDataset:
        """Store an archive of pictures to train from."""
        with path.open("rb") as file:
            files = {"file": (path.name, file)}
            answer = self._request(
                "POST", "/storage/datasets", files=files, timeout=_ARCHIVE_SECONDS
            )
        return _read(StoredDataset, answer)

    def generate(self, prompt: str, **options: Any) -> Task:
        """Submit a generation.

        Args:
            prompt: what to show.
            options: other fields of ``POST /tasks/generation``; those that are None are left out.
        """
        return self._submit(Task, "/tasks/generation", {"prompt": prompt, **options})

    def upscale(self, image_url: str, *, scale: int = 2) -> Task:
        """Submit the enlargement of a picture, two to four times."""
        return self._process({"operation": "upscale", "image_url": image_url, "scale": scale})

    def remove_background(self, image_url: str) -> Task:
        """Submit the cutting out of a picture's foreground."""
        return self._process({"operation": "remove-background", "image_url": image_url})

    def train(
        self, dataset_url: str, output_name: str, *, base_model: str | None = None, **config: Any
    ) -> Training:
        """Submit the training of a LoRA.

        Args:
            dataset_url: of an archive of pictures, as :meth:`upload_dataset` answers it.
            output_name: of the LoRA.
            base_model: a model's name; None: the platform's default.
            config: fields of ``config`` of ``POST /training/``; those that are None are left out.
        """
        given = {name: value for name, value in config.items() if value is not None}
        body = {
            "dataset_url": dataset_url,
            "output_name": output_name,
            "base_model": base_model,
            "config": given,
        }
        return self._submit(Training, "/training/", body)

    def training(self, training_id: str) -> Training:
        """A training as it stands now."""
        return _read(Training, self._request("GET", f"/training/{training_id}"))

    def task(self, task_id: str) -> Task:
        """A task as it stands now."""
        return _read(Task, self._request("GET", f"/tasks/{task_id}"))

    def queues(self) -> tuple[Queue, ...]:
        """What waits, what runs, and who serves it."""
        return _read(Queues, self._request("GET", "/monitoring/queues")).queues

    def workers(self) -> Workers:
        """The first hundred of those who do the work."""
        answer = self._request("GET", "/monitoring/workers", params={"size": 100})
        return _read(Workers, answer)

    def tasks(self, **filters: Any) -> MonitoredTasks:
        """Tasks, the newest first; ``filters`` as of ``GET /monitoring/tasks``, None for none."""
        given = {name: value for name, value in filters.items() if value is not None}
        return _read(MonitoredTasks, self._request("GET", "/monitoring/tasks", params=given))

    def timeline(self, task_id: str) -> MonitoredTaskDetail:
        """A task, and what happened to it when."""
        answer = self._request("GET", f"/monitoring/tasks/{quote(task_id, safe='')}")
        return _read(MonitoredTaskDetail, answer)

    def cancel(self, task_id: str) -> Task:
        """Cancel a task, a training included; one that has ended stays as it is."""
        return _read(Task, self._request("POST", f"/tasks/{task_id}/cancel"))

    def events(self, after: int = 0, **params: Any) -> EventPage:
        """A part of the event log: what came after an event; ``next_after`` is for the next call.

        Args:
            after: ``seq`` of that event; 0: from the beginning.
            params: others of ``GET /events``, such as ``kind``, ``limit`` or ``wait``.
        """
        params = {name: value for name, value in params.items() if value is not None}
        return _read(EventPage, self._request("GET", "/events", params={"after": after, **params}))

    def follow(
        self,
        *,
        after: int | None = None,
        kinds: Sequence[str] = (),
        task_id: str | None = None,
        on_break: Callable[[str], None] | None = None,
    ) -> Iterator[Event]:
        """What happens, as it happens; for ever, or until a task has ended.

        Args:
            after: ``seq`` of the event to begin after; None: from now on, or with the task.
            kinds: of the events; empty: all.
            task_id: only what happens to this task, with its progress and previews.
            on_break: told why the connection broke; it is made again, and nothing is missed.

        Raises:
            ClientError: the platform refuses it for good.
        """
        path = "/events/stream" if task_id is None else f"/tasks/{task_id}/events"
        params = {"after": after, "kind": list(kinds)}
        given = {name: value for name, value in params.items() if value not in (None, [])}
        return Follower(self._http, path, given, refusal).events(on_break)

    def wait(
        self,
        task: WaitedT,
        *,
        on_change: Callable[[WaitedT], None] | None = None,
        poll_seconds: float = _POLL_SECONDS,
        timeout_seconds: float | None = None,
    ) -> WaitedT:
        """Poll until a task, a training or a workflow is completed.

        A platform that is out of reach for a while, or asks for patience, is tried again.

        Raises:
            TaskFailed: the task failed, or the workflow is paused.
            TaskCancelled: somebody cancelled it.
            TimeoutError: it had not ended after ``timeout_seconds``.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        last_answer = time.monotonic()
        while not task.settled:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"{task.id} had not ended after {timeout_seconds:g} s")
            pause = poll_seconds
            try:
                task = self._again(task)
            except ClientError as error:
                if not error.transient or time.monotonic() - last_answer > _PATIENCE_SECONDS:
                    raise
                pause = max(poll_seconds, error.retry_after or 1.0)
            else:
                last_answer = time.monotonic()
                if on_change is not None:
                    on_change(task)
            if not task.settled:
                time.sleep(pause)
        return _completed(task)

    def _again(self, task: WaitedT) -> WaitedT:
        match task:
            case Workflow():
                return self.workflow(task.id)
            case Training():
                return self.training(task.id)
            case _:
                return self.task(task.id)

    def download(self, url: str, path: Path) -> Path:
        """Fetch a stored object into a file, which appears whole or not at all."""
        partial = path.with_name(f".{path.name}.partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._images.stream("GET", url) as answer, partial.open("wb") as file:
                if answer.is_error:
                    raise ClientError(
                        f"The file could not be fetched: HTTP {answer.status_code}.",
                        answer.status_code,
                    )
                for chunk in answer.iter_bytes():
                    file.write(chunk)
            return partial.replace(path)
        except httpx.HTTPError as error:
            raise ClientError(f"The file could not be fetched: {reason_of(error)}.") from error
        finally:
            partial.unlink(missing_ok=True)

    def fetch(self, url: str) -> bytes:
        """A stored object, such as a picture."""
        try:
            answer = self._images.get(url)
        except httpx.HTTPError as error:
            raise ClientError(f"The file could not be fetched: {reason_of(error)}.") from error
        if answer.is_error:
            raise ClientError(
                f"The file could not be fetched: HTTP {answer.status_code}.", answer.status_code
            )
        return answer.content

    def plot(self, training_id: str) -> bytes:
        """The course of a training, as a PNG."""
        return self._request("GET", f"/training/{training_id}/plot").content

    def _process(self, config: Mapping[str, Any]) -> Task:
        return self._submit(Task, "/tasks/", {"type": "processing", "config": config})

    def _submit(self, model: type[_Model], path: str, body: Mapping[str, Any]) -> _Model:
        given = {name: value for name, value in body.items() if value is not None}
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        return _read(model, self._request("POST", path, json=given, headers=headers))

    def _ask(self, model: type[_Model], method: str, path: str, **content: Any) -> _Model:
        return _read(model, self._request(method, path, **content))

    def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send a request; again if the platform asks for some patience and it can be sent again."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return self._once(method, path, **content)
            except ClientError as error:
                pause = error.retry_after
                is_read = "files" in content
                if pause is None or is_read or time.monotonic() + pause > until:
                    raise
                time.sleep(pause)

    def _once(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **content)
        except httpx.ConnectError as error:
            raise ClientError(
                f"Nothing answers at {self.base_url}: start the platform with `sartiq up`."
            ) from error
        except httpx.HTTPError as error:
            raise ClientError(
                f"The request to {self.base_url} failed: {reason_of(error)}."
            ) from error
        if answer.is_error:
            raise refusal(answer)
        return answer


def local_client(settings: Settings) -> ComputeClient:
    """A client of the platform on this machine, with its own key; close it."""
    return ComputeClient(local_url(settings), settings.api_key.get_secret_value())


def _read(model: type[_Model], answer: httpx.Response) -> _Model:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise ClientError(
            f"{answer.request.url} did not answer as the Compute API does.", answer.status_code
        ) from error


def _completed(task: WaitedT) -> WaitedT:
    if task.status == "failed":
        reason = (task.error or "no reason is known").rstrip(".")
        raise TaskFailed(f"{task.id} failed: {reason}.")
    if task.status == "paused":
        reason = (task.error or "a step waits for somebody to resume it").rstrip(".")
        raise TaskFailed(f"{task.id} is paused: {reason}.")
    if task.status == "cancelled":
        raise TaskCancelled(f"{task.id} was cancelled.")
    return task
