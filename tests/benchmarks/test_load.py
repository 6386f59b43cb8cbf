from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.load import Load, LoadError
from benchmarks.responder import responding


def test_every_answer_is_counted_and_timed() -> None:
    with responding(b'{"id": 1}') as base_url:
        measured = Load(f"{base_url}/x?y=1", "key", connections=4, seconds=0.5, warm_up=0.1).run()
    assert measured.rate == len(measured.milliseconds) / 0.5
    # Closed loop: four connections cannot have waited longer, together, than the load lasted.
    assert 0 < sum(measured.milliseconds) / 1e3 < 4 * 0.6
    assert 0 < measured.busy <= 1.1


def test_the_request_carries_path_query_and_token() -> None:
    request = Load("http://127.0.0.1:80/tasks/1?wait=0", "key").request
    assert request.startswith(b"GET /tasks/1?wait=0 HTTP/1.1\r\nHost: 127.0.0.1:80\r\n")
    assert b"\r\nAuthorization: Bearer key\r\n" in request
    assert request.endswith(b"\r\n\r\n")


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(Load("http://127.0.0.1/", "secret"))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", "HTTP 401"),
        (b"", "closed a connection"),
    ],
)
def test_a_server_that_fails_fails_the_load(answer: bytes, reason: str) -> None:
    with _server(answer) as base_url, pytest.raises(LoadError, match=reason):
        Load(base_url, "key", connections=1, seconds=0.5, warm_up=0).run()


@contextmanager
def _server(answer: bytes) -> Iterator[str]:
    """Answers the first request with these bytes, and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(10)
