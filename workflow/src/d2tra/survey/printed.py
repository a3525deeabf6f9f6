"""Printed percentages: which of them no whole number of the respondents can give?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import NamedTuple

from d2tra.reproduction import as_printed

POSSIBLE, CUT_OFF, IMPOSSIBLE = "possible", "only if cut off, not rounded", "impossible"
WAYS = {"rounded": ROUND_HALF_UP, "cut off": ROUND_DOWN}


class Judged(NamedTuple):
    """A printed percentage of so many. `rounded`, `cut_off`: the whole numbers that give it, correctly rounded or cut off
    after its last decimal; `nearest`: those next to it on either side; `of_fewer`: the greatest smaller number of respondents
    of whom some whole number, rounded, gives it (None: there is none)."""

    printed: str
    of: int
    rounded: list[int]
    cut_off: list[int]
    nearest: list[int]
    of_fewer: int | None

    @property
    def verdict(self) -> str:
        if self.rounded:
            return POSSIBLE
        return CUT_OFF if self.cut_off else IMPOSSIBLE


def judge(printed: str, of: int) -> Judged:
    """Returns what whole numbers of respondents say of a percentage as printed ("68.3": its decimals count)."""
    exact = float(printed) * of / 100
    near = sorted({math.floor(exact), math.ceil(exact)})
    fewer = (n for n in range(of - 1, 0, -1) if whole_numbers(printed, n))
    rounded, cut_off = whole_numbers(printed, of), whole_numbers(printed, of, "cut off")
    return Judged(printed, of, rounded, cut_off, near, next(fewer, None))


def whole_numbers(printed: str, of: int, way: str = "rounded") -> list[int]:
    """Returns every k from 0 to `of` whose percentage k/of is printed so, in ascending order."""
    places, unit = _places(printed), 10.0 ** -_places(printed)
    low, high = ((float(printed) + step) * of / 100 for step in (-unit, unit))
    near = range(max(0, math.floor(low)), min(of, math.ceil(high)) + 1)
    return [k for k in near if as_printed(100 * k / of, places, WAYS[way]) == Decimal(printed)]


def adds_up(percentages: Iterable[str]) -> tuple[Decimal, bool]:
    """Returns the sum of percentages that share one whole, and whether correct rounding explains how far it is from 100."""
    stated = list(percentages)
    total = sum(map(Decimal, stated), Decimal(0))
    slack = sum((Decimal(1).scaleb(-_places(text)) / 2 for text in stated), Decimal(0))
    return total, abs(total - 100) <= slack


def _places(printed: str) -> int:
    return len(printed.partition(".")[2])
