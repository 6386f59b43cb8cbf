from __future__ import annotations

import time
from uuid import UUID

from db.ids import new_task_id, prefixed_id, uuid7


def test_uuid7_follows_the_standard() -> None:
    before = time.time_ns() // 1_000_000
    value = uuid7()
    assert (value.version, value.variant) == (7, "specified in RFC 4122")
    assert before <= value.int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_ids_sort_by_creation_even_within_one_tick() -> None:
    uuids = [uuid7() for _ in range(5000)]
    texts = [new_task_id() for _ in range(5000)]
    assert uuids == sorted(uuids)
    assert texts == sorted(texts)
    assert len(set(texts)) == 5000


def test_the_random_part_differs_in_every_id() -> None:
    mask = (1 << 62) - 1
    assert len({uuid7().int & mask for _ in range(1000)}) == 1000


def test_text_form() -> None:
    prefix, _, rest = prefixed_id("train").partition("_")
    assert prefix == "train"
    assert len(rest) == 26
    number = 0
    for letter in rest:
        number = number * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(letter)
    assert UUID(int=number).version == 7
