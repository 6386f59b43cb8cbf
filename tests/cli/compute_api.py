"""A second, tiny implementation of the Compute API, behind a real socket.

It keeps to what clients rely on. Prompts choose what happens: "fail", "hang", "busy", which asks
the first two polls for patience, "limited", which asks the first two submissions, "tomorrow".
"""

from __future__ import annotations

import hashlib
import io
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

KEY = "sk_test_of_the_command_line"
BASE = "/compute/api/v1"
# By prompt, the seconds that submissions are asked to wait.
_REFUSALS = {"limited": (0, 0), "tomorrow": (40_000,)}


@dataclass
class ComputeApi:
    """What it was asked, and what it has."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    idempotency_keys: list[str] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    polls: dict[str, int] = field(default_factory=dict)
    image_headers: list[dict[str, str]] = field(default_factory=list)

    async def upload(self, request: Request) -> Response:
        if refusal := _refuse(request):
            return refusal
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            data = await file.read()
        self.uploads.append(data)
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
        return JSONResponse(
            {
                "path": "uploads/1.jpg",
                "url": f"{self.url}/images/1.jpg?signature=abc",
                "content_type": "image/jpeg",
                "size": len(data),
                "width": width,
                "height": height,
                "sha256": hashlib.sha256(data).hexdigest(),
            },
            201,
        )

    async def upload_dataset(self, request: Request) -> Response:
        if refusal := _refuse(request):
            return refusal
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            data = await file.read()
        self.uploads.append(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            pictures = [name for name in archive.namelist() if name.endswith(".jpg")]
        stored = {
            "url": f"{self.url}/datasets/1.zip?signature=abc",
            "images": len(pictures),
            "captions": 0,
            "warnings": ["1 pictures have no caption: 2.jpg"],
        }
        return JSONResponse(stored, 201)

    async def create(self, request: Request) -> Response:
        if refusal := _refuse(request):
            return refusal
        body = await request.json()
        if body.get("num_outputs", 1) > 16:
            loc = ["body", "num_outputs"]
            error = {"loc": loc, "msg": "at most 16", "type": "less_than_equal"}
            return JSONResponse({"detail": [error]}, 422)
        self.idempotency_keys.append(request.headers["Idempotency-Key"])
        seconds = _REFUSALS.get(body.get("prompt", ""), ())
        if (refused := len(self.idempotency_keys)) <= len(seconds):
            wait = seconds[refused - 1]
            return JSONResponse({"detail": "slower"}, 429, headers={"Retry-After": str(wait)})
        self.bodies.append(body)
        name = f"task_{len(self.bodies)}"
        kind = "training" if "dataset_url" in body else body.get("type", "generation")
        self.tasks[name] = {"id": name, "type": kind, "status": "pending", "progress": 0.0}
        self.polls[name] = 0
        return JSONResponse(self.tasks[name], 201)

    async def read(self, request: Request) -> Response:
        name = request.path_params["task"]
        task, body = self.tasks[name], self.bodies[int(name.removeprefix("task_")) - 1]
        self.polls[name] += 1
        if body.get("prompt") == "busy" and self.polls[name] <= 2:
            return JSONResponse({"detail": "slower"}, 429, headers={"Retry-After": "0"})
        if task["status"] != "cancelled":
            self._advance(task, body)
        return JSONResponse(task)

    def _advance(self, task: dict[str, Any], body: dict[str, Any]) -> None:
        if self.polls[task["id"]] < 3 or body.get("prompt") == "hang":
            task |= {"status": "running", "progress": 0.4}
            if task["type"] == "training":
                metrics = {
                    "current_epoch": 1,
                    "total_epochs": 2,
                    "current_step": 4,
                    "total_steps": 10,
                    "loss": 0.0834,
                    "eta_seconds": 75.0,
                }
                task["output"] = {"phase": "train", "metrics": metrics}
        elif body.get("prompt") == "fail":
            task |= {"status": "failed", "error": "Invalid input: the picture is [empty]"}
        elif task["type"] == "training":
            lora = {
                "id": "1",
                "name": body["output_name"],
                "version": 2,
                "url": f"{self.url}/images/lora?signature=x",
            }
            task |= {"status": "completed", "progress": 1.0, "output": {"lora": lora}}
        else:
            images = [
                {
                    "url": f"{self.url}/images/{n}.png?signature=x",
                    "width": 4,
                    "height": 6,
                    "seed": n,
                }
                for n in range(body.get("num_outputs", 1))
            ]
            task |= {"status": "completed", "progress": 1.0, "output": {"images": images}}

    async def cancel(self, request: Request) -> Response:
        task = self.tasks[request.path_params["task"]]
        task["status"] = "cancelled"
        return JSONResponse(task)

    async def image(self, request: Request) -> Response:
        self.image_headers.append(dict(request.headers))
        file = io.BytesIO()
        Image.new("RGB", (4, 6), "red").save(file, "PNG")
        return Response(file.getvalue(), media_type="image/png")

    def app(self) -> Starlette:
        routes = [
            Route("/storage/images", self.upload, methods=["POST"]),
            Route("/storage/datasets", self.upload_dataset, methods=["POST"]),
            Route("/training/", self.create, methods=["POST"]),
            Route("/training/{task}", self.read),
            Route("/tasks/", self.create, methods=["POST"]),
            Route("/tasks/generation", self.create, methods=["POST"]),
            Route("/tasks/{task}", self.read),
            Route("/tasks/{task}/cancel", self.cancel, methods=["POST"]),
        ]
        return Starlette(routes=[Route("/images/{name}", self.image), Mount(BASE, routes=routes)])


def _refuse(request: Request) -> Response | None:
    if request.headers.get("Authorization") == f"Bearer {KEY}":
        return None
    return JSONResponse({"detail": "Could not validate credentials"}, 401)


@contextmanager
def serving() -> Iterator[ComputeApi]:
    """The API on a free port of the loopback interface."""
    api = ComputeApi()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        api.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(api.app(), log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield api
        finally:
            server.should_exit = True
            thread.join()
