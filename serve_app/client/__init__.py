"""A client of the Compute API: what the command line, the demo and the benchmarks speak through."""

from serve_app.client.answers import (
    Event,
    EventPage,
    StoredDataset,
    StoredImage,
    Task,
    TrainedLora,
    Training,
    Workflow,
    WorkflowStep,
)
from serve_app.client.compute import ComputeClient, local_client
from serve_app.client.errors import ClientError, TaskCancelled, TaskFailed
from serve_app.client.urls import COMPUTE_BASE, is_local, local_url

__all__ = [
    "COMPUTE_BASE",
    "ClientError",
    "ComputeClient",
    "Event",
    "EventPage",
    "StoredDataset",
    "StoredImage",
    "Task",
    "TaskCancelled",
    "TaskFailed",
    "TrainedLora",
    "Training",
    "Workflow",
    "WorkflowStep",
    "is_local",
    "local_client",
    "local_url",
]
