"""Archives of pictures: what is taken, and that each file that is not is named with its reason."""

from __future__ import annotations

import io
import json
import resource
import tracemalloc
import zipfile

import pytest
from PIL import Image

from configs.settings import DatasetSettings, MediaSettings
from serve_app.core.datasets import Dataset, UnusableDataset, read_dataset
from tests.factories import datasets
from tests.factories.datasets import archive, pictures
from tests.factories.pictures import UNUSABLE, animation, picture

LIMITS = DatasetSettings()


def read(data: bytes, limits: DatasetSettings = LIMITS, **options: bool) -> Dataset:
    return read_dataset(io.BytesIO(data), limits, MediaSettings(), **options)


def refused(data: bytes, limits: DatasetSettings = LIMITS) -> dict[str, str]:
    """The reasons by file."""
    with pytest.raises(UnusableDataset) as caught:
        read(data, limits)
    assert str(caught.value).startswith("Invalid input: the dataset cannot be used: ")
    found = {problem.file: problem.reason for problem in caught.value.problems}
    for name, reason in found.items():
        assert name in str(caught.value)
        assert reason in str(caught.value)
    return found


def test_pictures_come_by_name_with_their_sizes() -> None:
    files = {"b.png": picture(40, 60), "a/x.jpg": picture(50, 20, "JPEG")}
    exif = Image.Exif()
    exif[274] = 6
    files["c.jpg"] = picture(30, 20, "JPEG", exif=exif)
    files["d.webp"] = picture(16, 17, "WEBP")
    found = read(archive(files)).pictures
    sizes = [(one.name, one.width, one.height) for one in found]
    # Upright, whatever Exif says about the file.
    assert sizes == [("a/x.jpg", 50, 20), ("b.png", 40, 60), ("c.jpg", 20, 30), ("d.webp", 16, 17)]
    assert {one.data for one in found} == {b""}
    kept = read(archive(files), keep_files=True).pictures
    assert [one.data for one in kept] == [files[one.name] for one in kept]


def test_captions_of_both_kinds() -> None:
    lines = [
        {"file_name": "00.png", "text": "a  red\ndress"},
        {"file_name": "sub/01.png", "text": "a coat", "extra": 1},
        {"file_name": "02.png", "text": "overruled"},
    ]
    files = {
        **pictures(4),
        "sub/01.png": picture(),
        "metadata.jsonl": "\n".join(map(json.dumps, lines)) + "\n\n",
        "02.txt": "\ufeffa skirt\n",
        "03.txt": "   ",
    }
    found = read(archive(files))
    captions = {one.name: one.caption for one in found.pictures}
    assert captions == {
        "00.png": "a red dress",
        "01.png": None,
        "02.png": "a skirt",
        "03.png": None,
        "sub/01.png": "a coat",
    }
    assert found.captions == 3
    assert found.warnings == (
        "2 pictures have no caption: 01.png, 03.png",
        "These have two captions; that in their .txt file counts: 02.png",
    )


def test_metadata_speaks_of_its_own_folder() -> None:
    files = {
        **pictures(4, "photos/"),
        "photos/metadata.jsonl": json.dumps({"file_name": "00.png", "text": "a dress"}),
    }
    assert read(archive(files)).pictures[0].caption == "a dress"


def test_what_operating_systems_leave_is_passed_over() -> None:
    litter = {
        "__MACOSX/._00.png": b"x",
        "photos/.DS_Store": b"x",
        "photos/._01.png": b"x",
        "Thumbs.db": b"x",
        "desktop.ini": b"x",
        "photos/": b"",
    }
    found = read(archive({**pictures(), **litter}))
    assert (len(found.pictures), found.warnings) == (4, ())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a ZIP"),
        (b"PK\x05\x06", "not a ZIP"),
        (picture(), "not a ZIP"),
        (datasets.dataset()[:-30], "cut off"),
        (b"PK\x05\x06" + bytes(18), "it has 0 pictures that can be used; at least 4"),
        (b"Rar!\x1a\x07\x00" + bytes(100), "not a ZIP"),
        (datasets.overlapping(pictures()), "overlap"),
    ],
)
def test_archives_that_are_none(data: bytes, words: str) -> None:
    found = refused(data)
    assert list(found) == [""]
    assert words in found[""]


def test_too_few_says_how_few() -> None:
    assert refused(archive(pictures(3))) == {
        "": "it has 3 pictures that can be used; at least 4 are needed"
    }
    files = {**pictures(3), "z.png": UNUSABLE["corrupt"]}
    assert refused(archive(files))[""] == (
        "it has 3 of 4 pictures that can be used; at least 4 are needed"
    )


def test_too_many_are_refused_before_any_is_decoded() -> None:
    files = {f"{number}.png": b"not looked at" for number in range(6)}
    found = refused(archive(files), LIMITS.model_copy(update={"max_images": 5}))
    assert found == {"": "it has 6 pictures; at most 5 are taken"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil.png", "leads out of the archive"),
        ("a/../../evil.png", "leads out of the archive"),
        ("/etc/evil.png", "absolute path"),
        ("C:/evil.png", "absolute path"),
        ("a\\..\\evil.png", "characters"),
        ("inner.zip", "archive within the archive"),
        ("inner.tar.gz", "archive within the archive"),
        ("notes.md", "no picture in JPEG, PNG, WebP or AVIF"),
        ("old.bmp", "no picture in JPEG, PNG, WebP or AVIF"),
        ("lonely.txt", "no picture of its name"),
    ],
)
def test_names_that_are_refused(name: str, words: str) -> None:
    found = refused(archive({**pictures(), name: b"BM text"}))
    assert list(found) == [name]
    assert words in found[name]


def test_a_name_that_is_cut_off_at_a_nul() -> None:
    data = archive({**pictures(), "evil?png": b"x"}).replace(b"evil?png", b"evil\0png")
    assert list(refused(data)) == ["evil\\0png"]


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_pictures(name: str) -> None:
    found = refused(archive({**pictures(), "bad.png": UNUSABLE[name]}))
    assert list(found) == ["bad.png"]
    assert not found["bad.png"].startswith("Invalid input")


def test_several_reasons_come_together() -> None:
    same = picture()
    files = {
        **pictures(2),
        "gif.gif": b"GIF89a" + bytes(20),
        "moving.webp": animation(),
        "one.png": same,
        "two.png": same,
        "metadata.jsonl": "\n".join(
            [
                "{",
                "[]",
                '{"text": "a"}',
                '{"file_name": "00.png"}',
                '{"file_name": "00.png", "text": 5}',
                '{"file_name": "absent.png", "text": "a"}',
                '{"file_name": "00.png", "text": "a"}',
                '{"file_name": "00.png", "text": "b"}',
                json.dumps({"file_name": "01.png", "text": "x" * 2001}),
            ]
        ),
        "long.txt": "no picture",
        "00.txt": "y" * 3000,
        "01.txt": b"\xff\xfe\x00",
    }
    found = refused(archive(files))
    assert {name: reason[:30] for name, reason in found.items()} == {
        "metadata.jsonl line 1": "it is not valid JSON",
        "metadata.jsonl line 2": 'it is no JSON object; write {"',
        "metadata.jsonl line 3": "it has no file_name",
        "metadata.jsonl line 4": "its text is missing, or is no ",
        "metadata.jsonl line 5": "its text is missing, or is no ",
        "metadata.jsonl line 6": "there is no picture 'absent.pn",
        "metadata.jsonl line 8": "an earlier line is about '00.p",
        "metadata.jsonl line 9": "its text has more than 2,000 c",
        "00.txt": "a caption has at most 2,000 ch",
        "01.txt": "it is not encoded in UTF-8",
        "long.txt": "it is a caption, and there is ",
        "gif.gif": "this is no picture in JPEG, PN",
        "moving.webp": "the picture is animated; send ",
        "two.png": "it is the same picture as one.",
        "": "it has 3 of 6 pictures that ca",
    }


def test_links_and_devices() -> None:
    assert "symbolic link" in refused(datasets.with_link(pictures()))["link.png"]
    assert "no ordinary file" in refused(datasets.with_device(pictures()))["null.png"]


def test_encrypted_files() -> None:
    assert "encrypted" in refused(datasets.encrypted(pictures(5)))["00.png"]


def test_other_ways_of_packing() -> None:
    found = refused(archive(pictures(), compression=zipfile.ZIP_LZMA))
    assert all("use Deflate" in reason for name, reason in found.items() if name)


def test_files_of_one_name() -> None:
    buffer = io.BytesIO(archive(pictures()))
    with zipfile.ZipFile(buffer, "a") as opened:
        opened.writestr("./00.png", picture())
    assert "several files of this name" in refused(buffer.getvalue())["./00.png"]


def test_bombs_are_not_unpacked() -> None:
    data = datasets.bomb()
    tracemalloc.start()
    found = refused(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "times its size" in found["zeros.png"]
    assert peak < 4 * 1024 * 1024


def test_all_files_together_are_bounded() -> None:
    limits = LIMITS.model_copy(update={"max_unpacked_bytes": 500})
    assert "at most 500 are taken" in refused(datasets.dataset(), limits)[""]


def test_a_file_that_unpacks_to_more_than_it_says_stays_within_it() -> None:
    """Megabytes of zeros, declared as a thousand bytes."""
    data = datasets.lying({"zeros.png": bytes(64 * 1024 * 1024), **pictures()})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = refused(data)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "damaged" in found["zeros.png"]
    assert after - before < 32 * 1024, "kilobytes"


def test_a_list_of_files_that_is_too_long_is_not_read() -> None:
    files = {f"{number:05}-{'x' * 200}.png": b"" for number in range(5000)}
    assert refused(archive(files))[""] == "the archive has too many files"
