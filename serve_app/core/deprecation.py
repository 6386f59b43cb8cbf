"""Deprecated operations say so in every answer, for the six months that they still work.

Inside a major version nothing is removed or renamed; what is to go in the next one is marked with
``deprecated=True`` and ``dependencies=[Depends(Deprecated(…))]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from fastapi import Response


@dataclass(frozen=True, slots=True)
class Deprecated:
    """Adds the headers ``Deprecation``, ``Sunset`` (RFC 8594) and ``Link`` to an answer.

    Attributes:
        sunset: when the operation may stop to work, in UTC.
        link: of the document that says what to use instead.
    """

    sunset: datetime
    link: str

    async def __call__(self, response: Response) -> None:
        """As a dependency of the operation."""
        response.headers["Deprecation"] = "true"
        response.headers["Sunset"] = format_datetime(self.sunset.astimezone(UTC), usegmt=True)
        response.headers["Link"] = f'<{self.link}>; rel="deprecation"'
