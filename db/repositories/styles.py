"""Styles."""

from __future__ import annotations

from db.models import Style
from db.repositories.scoped import ScopedRepository, ScopedWriter


class StyleRepository(ScopedRepository[Style]):
    """An organization's styles."""

    model = Style
    searched = (Style.name, Style.description, Style.prompt)
    sorts = {  # noqa: RUF012
        "name": Style.name,
        "created_at": Style.created_at,
        "updated_at": Style.updated_at,
    }


class StyleWriter(StyleRepository, ScopedWriter[Style]):
    """Styles, and changes of them."""
