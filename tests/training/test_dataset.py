"""Files become pictures of few sizes, in an order that depends on seed and step alone."""

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tests.factories.checkpoints import tiny_entry
from training.contracts import InvalidTraining, TrainingExample
from training.dataset import (
    Order,
    bucket_sizes,
    digest,
    load_pictures,
    nearest,
    share_out,
    split,
    with_trigger_word,
)


@pytest.fixture
def tiny(tmp_path):
    return tiny_entry("sd", tmp_path)


def load(entry, *examples, resolution=None, trigger_word=None):
    return load_pictures(examples, entry, resolution=resolution, trigger_word=trigger_word)


def test_pictures_are_upright_whatever_way_the_camera_was_held(tiny):
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, :24] = 255  # white left half
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: to be shown a quarter to the right
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    [picture] = load(tiny, TrainingExample("a.png", file.getvalue(), ""))
    width, height = picture.frame.size
    assert height > width
    assert picture.frame.file_size == (32, 48)
    assert picture.pixels[0].mean() == 255
    assert picture.pixels[-1].mean() == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_over_white(tiny, mode):
    picture = Image.new("RGBA", (32, 48), (255, 0, 0, 0)).convert(mode)
    file = io.BytesIO()
    picture.save(file, "PNG", **({"transparency": 0} if mode == "P" else {}))
    [loaded] = load(tiny, TrainingExample("a.png", file.getvalue(), ""))
    assert (loaded.pixels == 255).all()


def test_every_broken_file_is_named(tiny, example):
    broken = [TrainingExample(name, b"no picture", "") for name in ("x.jpg", "y.jpg")]
    cut = TrainingExample("cut.png", example("c").image[:60], "")
    with pytest.raises(InvalidTraining) as caught:
        load(tiny, example("good.png"), *broken, cut)
    assert all(name in str(caught.value) for name in ("x.jpg", "y.jpg", "cut.png"))
    assert "good.png" not in str(caught.value)
    with pytest.raises(InvalidTraining, match="no pictures"):
        load(tiny)


def test_buckets_keep_the_shape_of_pictures(tiny, example):
    sizes = bucket_sizes(tiny, 32)
    assert all(min(size) == 32 for size in sizes)
    assert nearest((300, 400), sizes) == (32, 40)
    assert nearest((1600, 900), sizes) == (56, 32)
    areas = [width * height for width, height in bucket_sizes(tiny, None)]
    assert max(areas) < 1.3 * 32 * 48 < 1.7 * min(areas)
    wide, tall = load(tiny, example("w", (400, 200)), example("t", (200, 300)), resolution=32)
    assert (wide.frame.size, tall.frame.size) == ((64, 32), (32, 48))


def test_a_model_of_certain_sizes_gets_those(tiny, example):
    fixed = tiny.model_copy(update={"sizes": ((32, 48),)})
    [picture] = load(fixed, example("w", (400, 200)), resolution=64)
    assert picture.pixels.shape == (48, 32, 3)
    assert picture.frame.corner == (32, 0)


def test_a_resolution_beyond_the_model_is_refused(tiny):
    with pytest.raises(InvalidTraining, match="512 pixels"):
        bucket_sizes(tiny, 512)


def test_the_trigger_word_stands_in_every_caption_once():
    assert with_trigger_word("a dress", "ohwx") == "ohwx, a dress"
    assert with_trigger_word("photo of OHWX", "ohwx") == "photo of OHWX"
    assert with_trigger_word("", "ohwx") == "ohwx"
    assert with_trigger_word("a dress", None) == "a dress"


def test_what_is_held_out_depends_on_the_seed_alone():
    train, held_out = split(10, 0.2, seed=3)
    assert (train, held_out) == split(10, 0.2, seed=3)
    assert sorted(train + held_out) == list(range(10))
    assert len(held_out) == 2
    assert split(10, 0.2, seed=4) != (train, held_out)
    assert split(10, 0.0, seed=3) == (list(range(10)), [])
    assert len(split(3, 0.01, seed=0)[1]) == 1
    with pytest.raises(InvalidTraining, match="too few"):
        split(1, 0.5, seed=0)


def test_every_epoch_shows_every_picture_once_in_batches_of_one_shape():
    shapes = ["wide"] * 7 + ["tall"] * 6
    order = Order(shapes, batch_size=3, seed=1)
    assert order.steps_per_epoch == 5
    steps = [order.batch(step) for step in range(15)]
    for epoch in range(3):
        own = [batch for number, batch in steps if number == epoch]
        assert Counter(index for batch in own for index in batch) == Counter(range(13))
        mixed = [batch for batch in own if len({shapes[index] for index in batch}) > 1]
        assert not mixed
    assert steps[0] != steps[5]
    assert [Order(shapes, 3, seed=1).batch(step) for step in range(15)] == steps
    assert Order(shapes, 3, seed=2).batch(0) != steps[0]


def test_leftovers_of_the_buckets_share_batches():
    order = Order(["a", "b", "c", "d", "d"], batch_size=2, seed=0)
    assert order.steps_per_epoch == 3
    assert sorted(len(order.batch(step)[1]) for step in range(3)) == [1, 2, 2]


@pytest.mark.parametrize(("count", "parts"), [(5, 2), (4, 4), (1, 3), (8, 3)])
def test_rows_are_shared_out_evenly(count, parts):
    shares = share_out(count, parts)
    assert [row for share in shares for row in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_digest_knows_files_captions_and_order(example):
    a, b = example("a"), example("b", seed=1)
    digests = {
        digest([a, b]),
        digest([b, a]),
        digest([a]),
        digest([TrainingExample("a", a.image, "another caption"), b]),
    }
    assert len(digests) == 4
