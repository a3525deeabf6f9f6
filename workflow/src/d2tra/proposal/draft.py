"""A part of a mapping while it is being proposed: its entries, on what each guess rests, and what is worth saying."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

CHOOSE = "CHOOSE"  # stands where a person must choose; load_site refuses it
Path = tuple[str | int, ...]


def in_cells(n: int) -> str:
    """Returns `1 cell`, `1,204 cells`."""
    return f"{n:,} cell{'s' * (n != 1)}"


@dataclass
class Draft:
    """`section`: plain values as the YAML holds them. `why`: of each guessed entry, by its path in the section, on what
    it rests; an entry without a reason is no guess. `notes`: comments, counts only."""

    section: dict[str, Any]
    why: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def guess(self, path: Path, value: Any, reason: str) -> None:
        """Adds an entry, for a person to confirm."""
        inner = self.section
        for step in path[:-1]:
            inner = inner.setdefault(str(step), {})
        inner[str(path[-1])] = value
        self.why[path] = reason

    def list_guess(self, name: str, value: str, reason: str) -> None:
        """Adds an item to a list of the section, for a person to confirm."""
        items = self.section.setdefault(name, [])
        items.append(value)
        self.why[(name, len(items) - 1)] = reason
