"""Following the event log: a stream that is taken up again wherever it broke."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError
from pydantic import ValidationError

from serve_app.client.answers import Event
from serve_app.client.errors import ClientError

_SIGNALS = frozenset({"task.progress", "task.preview"})
# A stream that is silent sends a heartbeat every 15 seconds.
_SILENCE_SECONDS = 45.0
_CONNECT_SECONDS = 10.0
_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 10.0
_NO_MORE = 204


class Follower:
    """Follows a stream: its events in order and none twice, however often the connection breaks.

    Args:
        http: knows the base URL and the credentials.
        path, params: of the stream.
        refusal: what an answer that is an error says.
    """

    def __init__(
        self,
        http: httpx.Client,
        path: str,
        params: Mapping[str, Any],
        refusal: Callable[[httpx.Response], ClientError],
    ) -> None:
        self._http, self._path, self._params, self._refusal = http, path, params, refusal
        self._timeout = httpx.Timeout(_CONNECT_SECONDS, read=_SILENCE_SECONDS)
        self._place: str | None = None
        self._over = False
        self._pause = _PAUSE_SECONDS

    def events(self, on_break: Callable[[str], None] | None = None) -> Iterator[Event]:
        """All of them, until there can be no more.

        Args:
            on_break: told why there is no connection, each time that there is none.

        Raises:
            ClientError: the platform refuses the stream for good.
        """
        while not self._over:
            began = time.monotonic()
            try:
                yield from self._connect()
                # The server ends streams from time to time; at once if it is about to go.
                if not self._over and time.monotonic() - began < _PAUSE_SECONDS:
                    time.sleep(_PAUSE_SECONDS)
                continue
            except (httpx.TransportError, SSEError) as error:
                reason = str(error) or type(error).__name__
            except ClientError as error:
                if not error.transient:
                    raise
                reason, self._pause = error.message, max(self._pause, error.retry_after or 0)
            if on_break is not None:
                on_break(reason)
            time.sleep(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)

    def _connect(self) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream"}
        if self._place is not None:
            headers["Last-Event-ID"] = self._place
        with self._http.stream(
            "GET", self._path, params=self._params, headers=headers, timeout=self._timeout
        ) as answer:
            if answer.is_error:
                answer.read()
                raise self._refusal(answer)
            self._over = answer.status_code == _NO_MORE
            if self._over:
                return
            for sent in EventSource(answer).iter_sse():
                self._pause, self._place = _PAUSE_SECONDS, sent.id or self._place
                if sent.data:
                    yield _event(sent)


def _event(sent: ServerSentEvent) -> Event:
    try:
        data = sent.json()
        if sent.event in _SIGNALS:
            return Event(kind=sent.event, subject_id=data.pop("task_id"), data=data)
        return Event.model_validate(data)
    except (ValueError, KeyError, ValidationError) as error:
        raise ClientError(f"The stream sent what is no event: {sent.data[:200]}", 200) from error
