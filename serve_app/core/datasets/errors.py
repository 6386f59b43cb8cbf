"""What is wrong with an archive, file by file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serve_app.core.errors import InvalidInput, UnprocessableField, UnprocessableFields

# As many are listed; an archive may be wrong in as many ways as it has files.
_LISTED = 200
_MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file of the archive, or with an empty name the archive, cannot be used."""

    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file[:_MAX_NAME]}: {self.reason}" if self.file else self.reason


class UnusableDataset(InvalidInput):
    """The archive cannot be trained from; each problem names its file."""

    code = "unusable_dataset"

    def __init__(self, problems: Sequence[Problem]) -> None:
        more = len(problems) - _LISTED
        listed = [*map(str, problems[:_LISTED]), *([f"and {more} more"] if more > 0 else [])]
        super().__init__(f"the dataset cannot be used: {'; '.join(listed)}")
        # The base keeps text; pickling needs the arguments in this class's own order.
        self.args = (problems,)
        self.problems = tuple(problems)

    def at(self, *loc: str | int) -> UnprocessableField:
        """The same refusal with one entry for each problem, pinned to its file."""
        listed = [(one.file[:_MAX_NAME], one.reason) for one in self.problems[:_LISTED]]
        if (more := len(self.problems) - _LISTED) > 0:
            listed.append(("", f"and {more} more"))
        names, reasons = [name for name, _ in listed], [reason for _, reason in listed]
        return UnprocessableFields(self.detail, loc, self.code, names, reasons)
