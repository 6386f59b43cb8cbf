"""What all models share: names of constraints, Python types and their columns."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import DateTime, Enum, ForeignKey, MetaData, Text, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

from db.ids import uuid7

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Declarative base: text without length, UTC timestamps, JSONB."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {  # noqa: RUF012
        str: Text,
        datetime: DateTime(timezone=True),
        UUID: Uuid,
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        list[dict[str, Any]]: JSONB,
    }


UuidKey = Annotated[UUID, mapped_column(primary_key=True, default=uuid7)]
OrganizationKey = Annotated[UUID, mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))]
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]
# Of a resource that may be changed: its version, for ETag and If-Match. The clock of the statement,
# not of the transaction: two changes in one are two versions.
UpdatedAt = Annotated[
    datetime,
    mapped_column(server_default=func.now(), onupdate=func.clock_timestamp()),
]


def text_enum(values: type[StrEnum], name: str) -> Enum:
    """The values of ``values`` as text under a CHECK constraint called ``name``."""
    return Enum(
        values,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )
