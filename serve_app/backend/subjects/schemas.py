"""What the API says and takes about subjects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field

from db.models import AgeClass, Subject, SubjectKind
from serve_app.backend.subjects.images.schemas import SubjectImageRead
from serve_app.core.adapters import LoraId
from serve_app.core.dependencies import Sign
from serve_app.core.schemas import Input, ListOf, Patch
from serve_app.core.training.reading import TrainingProgress

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Mira"])]
Kind = Annotated[
    SubjectKind, Field(description="Whether the person is an AI model identity, or exists.")
]
Description = Annotated[str, Field(max_length=5000, examples=["Calm, looks into the camera."])]
Gender = Annotated[str, Field(max_length=50, examples=["female"])]
Age = Annotated[AgeClass, Field(description="How old the person looks.")]
BodyType = Annotated[str, Field(max_length=100, examples=["athletic"])]
SkinTone = Annotated[str, Field(max_length=100, examples=["light brown"])]
Hair = Annotated[str, Field(max_length=200, examples=["dark, shoulder length"])]
EyeColor = Annotated[str, Field(max_length=100, examples=["brown"])]


class SubjectRead(BaseModel):
    """A person who wears products."""

    id: UUID
    name: str
    kind: SubjectKind
    description: str | None
    gender: str | None
    age_class: AgeClass | None
    body_type: str | None
    skin_tone: str | None
    hair: str | None
    eye_color: str | None
    lora_id: LoraId | None
    cover_url: str | None = Field(
        description="Of the cover, or else of the first picture; fetchable until it expires."
    )
    images: list[SubjectImageRead]
    training: TrainingProgress | None = Field(description="The last one, or the one that runs.")
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    async def of(
        cls, subject: Subject, sign: Sign, trainings: Mapping[str, TrainingProgress]
    ) -> Self:
        """Render a subject whose pictures are loaded; its training is one of ``trainings``."""
        images = [await SubjectImageRead.of(image, sign) for image in subject.images]
        covers = [one for one in images if one.is_cover]
        return cls(
            id=subject.id,
            name=subject.name,
            kind=subject.kind,
            description=subject.description,
            gender=subject.gender,
            age_class=subject.age_class,
            body_type=subject.body_type,
            skin_tone=subject.skin_tone,
            hair=subject.hair,
            eye_color=subject.eye_color,
            lora_id=subject.lora_id,
            cover_url=next((one.url for one in [*covers, *images]), None),
            images=images,
            training=trainings.get(subject.training_id or ""),
            archived_at=subject.archived_at,
            created_at=subject.created_at,
            updated_at=subject.updated_at,
        )


class SubjectList(ListOf[SubjectRead]):
    """One page of subjects."""


class SubjectCreate(Input):
    """A new subject."""

    name: Name
    kind: Kind = SubjectKind.AI
    description: Description | None = None
    gender: Gender | None = None
    age_class: Age | None = None
    body_type: BodyType | None = None
    skin_tone: SkinTone | None = None
    hair: Hair | None = None
    eye_color: EyeColor | None = None
    lora_id: LoraId | None = None


class SubjectUpdate(Patch):
    """Changes of a subject."""

    required = frozenset({"name", "kind", "is_archived"})

    name: Name | None = None
    kind: Kind | None = None
    description: Description | None = None
    gender: Gender | None = None
    age_class: Age | None = None
    body_type: BodyType | None = None
    skin_tone: SkinTone | None = None
    hair: Hair | None = None
    eye_color: EyeColor | None = None
    lora_id: LoraId | None = None
    is_archived: bool | None = None
