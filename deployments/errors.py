"""Errors that cross a Serve handle.

Ray rebuilds an exception from the arguments of ``Exception.__init__``, so every class here passes
its own arguments on unchanged and builds its text in ``__str__``; a test pickles each of them.
"""

from __future__ import annotations

from typing import ClassVar


class DeploymentError(Exception):
    """A model deployment could not do its work.

    ``retryable`` says whether the same request may succeed when it is tried again.
    """

    code: ClassVar[str] = "deployment_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidInput(DeploymentError):
    """The request can never succeed: its values or its picture do not fit the model."""

    code = "invalid_input"

    def __str__(self) -> str:
        return f"Invalid input: {self.message}"


class ModelUnavailable(DeploymentError):
    """The weights are missing, or this machine cannot run them."""

    code = "model_unavailable"


class AdapterUnavailable(DeploymentError):
    """The weights of an adapter did not reach the replica."""

    code = "adapter_unavailable"
    retryable = True


class OutOfMemory(DeploymentError):
    """The device ran out of memory."""

    code = "out_of_memory"
    retryable = True


class InferenceFailed(DeploymentError):
    """The model raised; the text is its own."""

    code = "inference_failed"
    retryable = True
