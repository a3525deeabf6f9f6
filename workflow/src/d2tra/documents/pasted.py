"""Numbers of a text that somebody typed or pasted, each looked for among the released cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import polars as pl

from d2tra.reproduction import Statement, misprint
from d2tra.tables.cells import decimal, format_cell

# A number by itself: not the 28 of DAS28, the 2 of 2a, the 19 of COVID-19 or the 2021 of eular_2021.
NUMBER = re.compile(
    r"(?<![A-Za-z_\d.,])(?<![A-Za-z]-)(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![\d_A-Za-z])(?:\s?(%|per ?cent))?"
)
# 9/12 (75.0 %), 9 of 12 (75%), 9 out of 12
FRACTION = re.compile(r"(?<![\d./])(\d+)\s?(?:/|of|out of)\s?(\d+)(?![\d/])(?:\s?\((\d+)(\.\d+)?\s?%)?")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
LEVEL = re.compile(
    r"\s?(%|per ?cent)?\s*((Wald|Wilson) )?(CI|confidence|interval|limits)"
)  # the 95 of a 95 % interval
AROUND = 40  # characters of context on each side
FOUND = {"number": pl.String, "where": pl.String, "verdict": pl.String, "why": pl.String}


class Supports(NamedTuple):
    """What released cells support: numbers as they are shown, counts, fractions, and percentages at full precision."""

    shown: set[str]
    counts: set[int]
    fractions: set[tuple[int, int]]
    percents: list[float]


def check_text(
    text: str, tables: Iterable[pl.DataFrame], statements: Sequence[Statement] = (), known: Iterable[str] = ()
) -> pl.DataFrame:
    """Returns one row per number of the text: number, where (its surroundings), verdict, why.

    verdict: `supported` by a released cell (percentages by correct rounding) or by a text that is `known` (the protocol);
    `impossible`: a percentage that is printed among the `statements` and is no correct rounding of the fraction behind it;
    `unsupported`: neither. A fraction (9/12, 9 of 12, with a percentage in brackets or without) is one finding: a cell
    must count just so many of just so many, and the percentage be theirs. Numbers of patients written in letters, and
    comments (`<!-- -->`), are not read.
    """
    text = COMMENT.sub("", text)
    supports = _supports(tables, known)
    fractions = {
        found.span(): row
        for found in FRACTION.finditer(text)
        if (row := _judge_fraction(found, text, supports))
    }
    rows = {
        found.start(): _judge(found, text, supports, statements)
        for found in _numbers(text)
        if not any(start <= found.start() < end for start, end in fractions)
    }
    rows |= {start: row for (start, _), row in fractions.items()}
    return pl.DataFrame([rows[start] for start in sorted(rows)], schema=FOUND, orient="row")


def _numbers(text: str) -> Iterator[re.Match[str]]:
    return (
        found for found in NUMBER.finditer(text) if not LEVEL.match(text, found.end(2 if found[2] else 1))
    )


def _judge_fraction(found: re.Match[str], text: str, supports: Supports) -> tuple[str, ...] | None:
    """The finding of a fraction; None where its two numbers are none (450 of 600 words)."""
    k, n = int(found[1]), int(found[2])
    if k > n or (found[3] is None and n not in {total for _, total in supports.fractions}):
        return None
    said, where = " ".join(found[0].split()), _surroundings(found, text)
    if found[3] is not None:
        places = len(found[4] or ".") - 1
        right = decimal(100 * k / n, places) if n else None
        if right != found[3] + (found[4] or ""):
            return said, where, "impossible", f"{k}/{n} rounds to {right} %"
    if (k, n) in supports.fractions:
        return said, where, "supported", "a released cell counts them"
    return said, where, "unsupported", f"no released cell counts {k} of {n}"


def _surroundings(found: re.Match[str], text: str) -> str:
    return " ".join(text[max(0, found.start() - AROUND) : found.end() + AROUND].split())


def _judge(
    found: re.Match[str], text: str, supports: Supports, statements: Sequence[Statement]
) -> tuple[str, ...]:
    whole, fraction, percent = found.groups()
    number = whole.replace(",", "") + (fraction or "")
    where = _surroundings(found, text)
    if percent:
        said = f"{number} %"
        misprints = [
            why for one in statements if one.published == float(number) and (why := misprint(one)) is not None
        ]
        if misprints:
            return said, where, "impossible", misprints[0]
        places = len(fraction or ".") - 1
        if any(decimal(value, places) == number for value in supports.percents):
            return said, where, "supported", "a released percentage rounds to it"
        return said, where, "unsupported", "no released percentage rounds to it"
    if number in supports.shown or (not fraction and int(number) in supports.counts):
        return number, where, "supported", "a released cell or the protocol has it"
    return number, where, "unsupported", "no released cell has it"


def _supports(tables: Iterable[pl.DataFrame], known: Iterable[str]) -> Supports:
    shown = {number for line in known for number in _shown(line)}
    counts: set[int] = set()
    fractions: set[tuple[int, int]] = set()
    percents: list[float] = []
    for cells in tables:
        for cell in cells.iter_rows(named=True):
            shown |= set(_shown(format_cell(cell)))
            counts |= {n for n in (cell["n"], cell["total"]) if n is not None}
            if cell["kind"] == "proportion" and cell["estimate"] is not None:
                percents.append(cell["estimate"])
                fractions.add((cell["n"], cell["total"]))
    return Supports(shown, counts, fractions, percents)


def _shown(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", text)
