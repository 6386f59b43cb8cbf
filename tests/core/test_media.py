"""Pictures of the studio: how they are kept, shared and removed."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from configs.settings import MediaSettings
from db.models import ProductImageType
from db.repositories import OrganizationScope
from db.repositories.products import ProductImageWriter
from serve_app.core.images import decode_pixels
from serve_app.core.media import MediaLibrary
from serve_app.core.pictures import Picture, prepare
from tests.factories.organizations import make_scope
from tests.factories.pictures import picture
from tests.factories.products import make_product
from tests.fixtures.api import Gateway

LIMITS = MediaSettings()
KINDS = ["JPEG", "PNG", "WEBP", "AVIF"]


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    """Red to the right, green downwards, so that turning it shows."""
    across = np.tile(np.linspace(0, 250, width), (height, 1))
    down = np.tile(np.linspace(0, 250, height)[:, None], (1, width))
    return Image.fromarray(np.dstack([across, down, np.full_like(down, 90)]).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "A camera"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return exif


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_file_is_kept_as_it_is(kind: str) -> None:
    data = saved(gradient(), kind)
    kept = prepare(data, LIMITS)
    assert kept.data == data
    assert (kept.width, kept.height) == (64, 48)
    assert kept.content_type == f"image/{kind.lower()}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_turned_picture_is_stored_upright_without_metadata(kind: str) -> None:
    data = saved(gradient(), kind, exif=turned(6), quality=95)
    kept = prepare(data, LIMITS)
    assert (kept.width, kept.height) == (48, 64)
    image = opened(kept.data)
    assert image.size == (48, 64)
    assert image.format == kind
    assert not image.getexif()
    assert b"A camera" not in kept.data
    upright = decode_pixels(data).astype(int)
    assert np.abs(decode_pixels(kept.data).astype(int) - upright).mean() < 3
    # Turned clockwise: what was at the lower left, green, is at the upper left now.
    red, green, _ = upright[2, 2]
    assert green > 200
    assert red < 60
    # It is plain now: sent again it is the same file.
    assert prepare(kept.data, LIMITS).sha256 == kept.sha256
    assert prepare(data, LIMITS).sha256 == kept.sha256


def test_metadata_of_every_kind_is_stripped() -> None:
    text = PngInfo()
    text.add_text("Author", "Somebody")
    for data in (
        saved(gradient(), "PNG", pnginfo=text),
        saved(gradient(), "PNG", exif=turned(1)),
        saved(gradient(), "JPEG", comment=b"Somebody", exif=turned(1)),
        saved(gradient(), "WEBP", xmp=b"<x>Somebody</x>"),
        saved(gradient(), "JPEG") + b"Somebody's video",
    ):
        kept = prepare(data, LIMITS)
        assert b"Somebody" in data or b"A camera" in data
        assert b"Somebody" not in kept.data
        assert b"A camera" not in kept.data


def test_colours_go_through_their_profile_to_srgb() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kept = prepare(saved(gradient(), "JPEG", icc_profile=profile), LIMITS)
    assert "icc_profile" not in opened(kept.data).info
    cmyk = prepare(saved(gradient().convert("CMYK"), "JPEG"), LIMITS)
    assert opened(cmyk.data).mode == "RGB"


def test_lossless_pictures_stay_so() -> None:
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        kept = prepare(saved(gradient(), kind, exif=turned(3), **options), LIMITS)
        expected = np.array(gradient())[::-1, ::-1]
        assert np.array_equal(decode_pixels(kept.data), expected)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((2000, 1000), (512, 256)), ((300, 900), (171, 512)), ((100, 80), (100, 80))],
)
def test_thumbnails(size: tuple[int, int], expected: tuple[int, int]) -> None:
    thumbnail = opened(prepare(saved(gradient(*size), "PNG"), LIMITS).thumbnail)
    assert (thumbnail.format, thumbnail.size) == ("WEBP", expected)


def on(background: tuple[int, ...], colour: tuple[int, ...], share: float) -> bytes:
    """A patch of one colour in the middle of a background."""
    image = Image.new("RGBA", (200, 200), background)
    side = round(200 * share**0.5)
    image.paste(Image.new("RGBA", (side, side), colour), ((200 - side) // 2, (200 - side) // 2))
    return saved(image, "PNG")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (on((255, 255, 255, 255), (180, 40, 40, 255), 0.3), "#b42828"),
        (on((247, 246, 244, 255), (20, 30, 90, 255), 0.1), "#141e5a"),
        (on((0, 0, 0, 0), (20, 120, 60, 255), 0.2), "#14783c"),
        (on((200, 60, 60, 255), (20, 120, 60, 255), 0.2), "#c83c3c"),
        # All white: white it is.
        (on((255, 255, 255, 255), (250, 250, 250, 255), 0.5), "#fcfcfc"),
        (on((0, 0, 0, 0), (0, 0, 0, 0), 0.5), "#ffffff"),
    ],
)
def test_the_dominant_colour_leaves_the_background_out(data: bytes, expected: str) -> None:
    found = prepare(data, LIMITS).dominant_color
    distance = [
        abs(int(found[at : at + 2], 16) - int(expected[at : at + 2], 16)) for at in (1, 3, 5)
    ]
    assert max(distance) <= 4, found


class Shelf:
    """An organization's library on a running platform."""

    def __init__(self, gateway: Gateway, scope: OrganizationScope) -> None:
        self.resources, self.scope = gateway.resources, scope
        self.database = gateway.resources.database
        self.library = MediaLibrary(gateway.resources, scope)

    async def objects(self) -> set[str]:
        folder = f"media/{self.scope.organization_id.hex}"
        return {one.path async for one in self.resources.store.list(folder)}

    async def show(self, picture: Picture) -> tuple[Any, Any]:
        """A new product, shown by a picture."""
        product = await make_product(self.database, self.scope)
        async with self.database.write() as session:
            media = await self.library.keep(session, picture)
            images = ProductImageWriter(session, self.scope, product.id)
            return product, await images.add(media, type=ProductImageType.PRIMARY)

    async def hide(self, product: Any, image: Any) -> None:
        async with self.database.write() as session:
            images = ProductImageWriter(session, self.scope, product.id)
            found = await images.get(image.id)
            assert found is not None
            await images.remove(found)
            await self.library.release(session, [image.media_id])


@pytest.fixture
async def shelf(gateway: Gateway) -> Shelf:
    return Shelf(gateway, await make_scope(gateway.resources.database))


async def test_a_transaction_that_comes_to_nothing_leaves_no_object(shelf: Shelf) -> None:
    taken = await shelf.library.take(picture())

    async def fail() -> None:
        async with shelf.database.write() as session:
            await shelf.library.keep(session, taken)
            assert len(await shelf.objects()) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await shelf.objects() == set()


async def test_twins_at_the_same_time_are_one(shelf: Shelf) -> None:
    taken = await shelf.library.take(picture())
    shown = await asyncio.gather(*(shelf.show(taken) for _ in range(5)))
    assert len({image.media_id for _, image in shown}) == 1
    assert len(await shelf.objects()) == 2


async def test_a_twin_of_what_fails_is_stored_itself(shelf: Shelf) -> None:
    taken = await shelf.library.take(picture())
    holds = asyncio.Event()

    async def fail() -> None:
        async with shelf.database.write() as session:
            await shelf.library.keep(session, taken)
            holds.set()
            await asyncio.sleep(0.2)
            raise ZeroDivisionError

    failing = asyncio.create_task(fail())
    await holds.wait()
    _, image = await shelf.show(taken)
    with pytest.raises(ZeroDivisionError):
        await failing
    assert await shelf.objects() == {image.media.path, image.media.thumbnail_path}


async def test_coming_and_going_at_the_same_time_loses_nothing(shelf: Shelf) -> None:
    """However the two meet, what is shown in the end has its objects, and nothing else has."""
    taken = await shelf.library.take(picture())
    shown = [await shelf.show(taken)]
    for _ in range(15):
        _, new = await asyncio.gather(shelf.hide(*shown.pop()), shelf.show(taken))
        shown.append(new)
        media = new[1].media
        assert await shelf.objects() == {media.path, media.thumbnail_path}
    await shelf.hide(*shown.pop())
    assert await shelf.objects() == set()


async def test_the_last_use_goes_while_a_new_one_is_not_yet_committed(shelf: Shelf) -> None:
    taken = await shelf.library.take(picture())
    last = await shelf.show(taken)
    product = await make_product(shelf.database, shelf.scope)
    async with shelf.database.write() as session:
        media = await shelf.library.keep(session, taken)
        images = ProductImageWriter(session, shelf.scope, product.id)
        await images.add(media, type=ProductImageType.BACK)
        hiding = asyncio.create_task(shelf.hide(*last))
        await asyncio.sleep(0.2)
        assert not hiding.done()
    await hiding
    assert await shelf.objects() == {media.path, media.thumbnail_path}


async def test_organizations_share_nothing(shelf: Shelf, gateway: Gateway) -> None:
    other = Shelf(gateway, await make_scope(gateway.resources.database))
    taken = await shelf.library.take(picture())
    mine, theirs = await shelf.show(taken), await other.show(taken)
    assert mine[1].media_id != theirs[1].media_id
    await shelf.hide(*mine)
    assert (len(await shelf.objects()), len(await other.objects())) == (0, 2)
