"""What happens to a task, seen through the proxy: its stream with previews, and its webhook."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO

import pytest
from PIL import Image
from standardwebhooks import Webhook

from serve_app.client import ComputeClient
from tests.e2e.client import submit
from tests.fixtures.platform import LivePlatform

pytestmark = pytest.mark.platform


def test_a_task_is_followed_and_its_end_is_told(platform: LivePlatform) -> None:
    told: list[tuple[bytes, dict[str, str]]] = []
    arrived = threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.append((body, dict(self.headers)))
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://localhost:{server.server_port}/hook"
            with platform.client() as http:
                secret = http.post("/webhooks/secret").json()["secret"]
                body = {"model": "tiny", "prompt": "a dress", "steps": 40, "num_outputs": 2}
                task = submit(http, **body, webhook_url=url)
            with ComputeClient(platform.base_url, platform.api_key) as client:
                events = list(client.follow(task_id=task["id"]))
            assert arrived.wait(30)
        finally:
            server.shutdown()
            thread.join()
    logged = [event.kind for event in events if event.seq is not None]
    assert logged == ["task.created", "task.running", "task.completed"]
    progress = [event.data["progress"] for event in events if event.kind == "task.progress"]
    assert progress == sorted(progress)
    assert any(0 < one < 1 for one in progress)
    previews = [event.data for event in events if event.kind == "task.preview"]
    assert {one["index"] for one in previews} == {0, 1}
    picture = base64.b64decode(previews[0]["url"].removeprefix("data:image/webp;base64,"))
    with Image.open(BytesIO(picture)) as image:
        assert (image.format, max(image.size)) in {("WEBP", 128), ("WEBP", 64)}
    ((data, headers),) = told
    event = Webhook(secret).verify(data, headers)
    assert (event["type"], event["data"]["subject_id"]) == ("task.completed", task["id"])
