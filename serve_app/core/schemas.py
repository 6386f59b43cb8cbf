"""What request bodies, and answers, have in common."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from serve_app.core.text import refuse_nul


class Input(BaseModel):
    """Base of request bodies: unknown fields are refused, so a misspelt one is never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _storable = field_validator("*")(refuse_nul)


class Patch(Input):
    """Base of the bodies of ``PATCH``: what is absent stays as it is, null empties a field.

    ``required``: fields that cannot be emptied.
    """

    required: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*")
    @classmethod
    def _keeps_what_is_required(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.field_name in cls.required:
            raise PydanticCustomError("null_not_allowed", "This field cannot be null")
        return value

    def changes(self) -> dict[str, Any]:
        """The fields that the request names."""
        return {name: getattr(self, name) for name in self.model_fields_set}


# Of a preset. The standard ones begin at 0.
Position = Annotated[
    int, Field(ge=0, le=10_000, description="Lists show presets of lower positions first.")
]

ItemT = TypeVar("ItemT")


class ListOf(BaseModel, Generic[ItemT]):
    """One page of a list; subclass it, so that its name in the documents is plain."""

    items: list[ItemT]
    total: int
    page: int
    size: int
