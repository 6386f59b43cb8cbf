"""The standard presets: complete, with ids that never change."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest

from configs.catalog import CatalogError
from configs.presets import PRESETS_FOLDER, ShotTypeEntry, load_presets
from db.models import Framing, View


def test_every_framing_from_every_view() -> None:
    found = {(one.framing, one.view) for one in load_presets().shot_types}
    assert found == set(product(map(str, Framing), map(str, View)))


def test_the_files_know_the_words_of_the_tables() -> None:
    fields = ShotTypeEntry.model_fields
    assert set(get_args(fields["framing"].annotation)) == set(Framing)
    assert set(get_args(fields["view"].annotation)) == set(View)


def test_ids_are_the_same_everywhere() -> None:
    """Shots of all installations refer to them: these may never change."""
    presets = load_presets()
    first = presets.shot_types[0], presets.backgrounds[0], presets.resolutions[0]
    assert [(one.slug, one.id) for one in first] == [
        ("full-body-front", UUID("a8b4c1db-9e9d-5b31-ad3d-e62b4bf52cbc")),
        ("white", UUID("ca4d429b-843f-5ff0-8cd3-8fb098af4698")),
        ("portrait-2x3", UUID("936fe361-9836-5069-ae56-b03a43c67858")),
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("shot_types", "- {slug: a, name: A, framing: nose, view: front, prompt: p}", "framing"),
        ("backgrounds", "- {slug: a, name: A, type: color, prompt: p}", "as `type` says"),
        ("backgrounds", '- {slug: a, name: A, type: color, color: "#FFF"}', "color"),
        ("resolutions", "- &x {slug: a, name: A, width: 64, height: 64}\n- *x", "slug 'a'"),
        ("resolutions", "- {slug: a, name: A, width: 64, height: 64, depth: 3}", "depth"),
        ("resolutions", "[]", "at least 1"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, name: str, content: str, reason: str) -> None:
    shutil.copytree(PRESETS_FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / f"{name}.yaml").write_text(content)
    with pytest.raises(CatalogError, match=f"(?s){name}.*{reason}"):
        load_presets(tmp_path)
