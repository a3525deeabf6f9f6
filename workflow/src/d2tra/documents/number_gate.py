"""The number gate: no number leaves in a document that no released cell supports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from d2tra.documents.read_back import read_back, said_in
from d2tra.errors import StudyError


def find_unsupported(name: str, content: bytes, reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns what a document (docx, pptx, html) says with a number in it, and the released cells do not.

    `reports`: what `report_contents` gives, of each cohort that the document tells of. A row of a table may stand in the
    document as often as in the reports, not more.
    """
    found = read_back(name, content)
    expected = [said_in(contents) for contents in reports]
    sentences = set().union(*(said.sentences for said in expected))
    rows: Counter[tuple[str, ...]] = sum((said.rows for said in expected), Counter())
    return [*sorted(found.sentences - sentences), *(" | ".join(row) for row in sorted(found.rows - rows))]


def confirm_numbers(documents: Mapping[str, bytes], reports: Sequence[Mapping[str, Any]]) -> None:
    """Raises StudyError naming the document and the place of each number that no released cell supports."""
    for name, content in documents.items():
        unsupported = find_unsupported(name, content, reports)
        if unsupported:
            shown = "\n".join(f"  {place}" for place in unsupported[:10])
            raise StudyError(
                f"{name}: {len(unsupported)} places hold a number that no released cell supports:\n{shown}\n"
                "The document is not released. Make it anew from the released numbers."
            )
