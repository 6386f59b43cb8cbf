"""Pictures that come with a request: in a multipart form, or uploaded before under a key."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from db.models import Media
from db.session import WriteSession
from serve_app.core.errors import InvalidInput, PayloadTooLarge, UnprocessableField
from serve_app.core.images import ImageTooLarge, InvalidImage, UnsupportedImage
from serve_app.core.media import MediaLibrary
from serve_app.core.openapi import BINARY
from serve_app.core.pictures import Picture
from serve_app.core.uploads import Uploads

BodyT = TypeVar("BodyT", bound=BaseModel)

FormFile = Annotated[UploadFile | None, File(description="JPEG, PNG, WebP or AVIF."), BINARY]
FormUploadKey = Annotated[
    str | None,
    Form(
        max_length=200,
        description="Instead of a file: the `key` of an upload, see `POST /uploads/presigned-url`.",
    ),
]


class Attachment:
    """The picture of one request: a file or the key of an upload, and not both."""

    def __init__(
        self, library: MediaLibrary, uploads: Uploads, file: UploadFile | None, key: str | None
    ) -> None:
        self._library = library
        self._uploads = uploads
        self._file = file
        self._key = key

    async def take(self) -> Picture:
        """Read and check the picture; call it before the transaction's first statement.

        Raises:
            UnprocessableField: there is none, there are two, or it cannot be used.
            UploadNotFound: nothing was uploaded under the key.
            PayloadTooLarge, ImageTooLarge, UnsupportedImage: as they say.
        """
        if (self._file is None) is (self._key is None):
            raise UnprocessableField(
                "Send either a file or the upload_key of a presigned upload", ("body", "file")
            )
        if self._file is not None:
            return await self._checked(await self._file.read(), "file")
        assert self._key is not None
        try:
            return await self._checked(await self._uploads.read(self._key), "upload_key")
        except (InvalidImage, PayloadTooLarge, UnprocessableField):
            await self._uploads.remove(self._key)
            raise

    async def keep(self, session: WriteSession, picture: Picture) -> Media:
        """The row of the picture; an upload is gone once that is committed."""
        media = await self._library.keep(session, picture)
        if self._key is not None:
            session.after_commit(partial(self._uploads.remove, self._key))
        return media

    async def _checked(self, data: bytes, field: str) -> Picture:
        try:
            return await self._library.take(data)
        except (ImageTooLarge, UnsupportedImage):  # these have a status of their own
            raise
        except InvalidInput as error:
            raise error.at("body", field) from error


async def json_body(request: Request, model: type[BodyT]) -> BodyT | None:
    """The JSON of a request that may also be a form; None if it is one.

    Raises:
        UnprocessableField: it is no JSON.
        RequestValidationError: it is not what the model describes.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return None
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        first, *_ = problems = error.errors()
        if first["type"] == "json_invalid":
            detail = f"This is not valid JSON: {first['ctx']['error']}"
            raise UnprocessableField(detail, ("body",), "json_invalid") from error
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in problems]
        ) from error


def also_json(model: type[BaseModel]) -> dict[str, Any]:
    """``openapi_extra=`` of an endpoint that takes a form: it takes this JSON as well. Enumerations
    of the model must stand in the document already."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}
