"""Text that may be stored."""

from __future__ import annotations

from typing import TypeVar

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

T = TypeVar("T")


def refuse_nul(value: T) -> T:
    """The value, unless it is text that Postgres cannot store."""
    if isinstance(value, str) and "\0" in value:
        raise PydanticCustomError("nul_character", "Remove the NUL characters from this text")
    return value


# Of a parameter: `Annotated[str, Path(), Storable]`.
Storable = AfterValidator(refuse_nul)
