"""How a source writes its dates: every known way is tried on every cell; what reads both ways is a question."""

from __future__ import annotations

import polars as pl

from d2tra.extract.cells import read_number
from d2tra.extract.schemas import COLUMNS
from d2tra.proposal.draft import CHOOSE
from d2tra.proposal.feeds import Feed
from d2tra.proposal.words import Words

ISO_DAY = r"^[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?$"
YEARS = (1900, 2100)
SERIAL_DAYS = (7_305, 54_788)  # 1920 to 2049 as Excel counts days
MOST_SLIPS = 0.01  # of the cells may read the other way round, or not at all beside ISO days, before there is a question
BOTH_WAYS = {"%d": "%m", "%m": "%d"}


def date_cells(feed: Feed, words: Words) -> pl.Series:
    """Returns the filled cells of all date columns of a feed, without words and days that mean missing."""
    cells = feed.cells()
    names = [
        theirs
        for ours, columns in feed.filled().items()
        if COLUMNS[feed.table][ours].kind in ("date", "month")
        for theirs in columns
    ]
    if not names:
        return pl.Series("date", [], dtype=pl.String)
    pooled = pl.concat([cells[name].alias("date") for name in names]).drop_nulls()
    return pooled.filter(~pooled.str.to_lowercase().is_in(missing_dates(words)))


def missing_dates(words: Words) -> list[str]:
    """Returns what stands for no date, in small letters."""
    return [word.casefold() for word in [*words.missing["words"], *words.missing["dates"]]]


def n_read(cells: pl.Series, written: str) -> int:
    """Returns how many cells are days written so, between 1900 and 2100, or ISO days."""
    year = pl.col("date").str.to_date(written, strict=False).dt.year()
    return int(cells.to_frame("date").select(year.is_between(*YEARS).sum()).item())


def guess_dates(feed: Feed, words: Words) -> None:
    """Adds the way in which the source writes dates (`dates.format`), with its evidence; ISO dates need no entry."""
    cells = date_cells(feed, words)
    if cells.is_empty():
        return
    other = cells.filter(~cells.str.contains(ISO_DAY))
    n, n_other = len(cells), len(other)
    if not n_other:
        feed.notes.append(f"dates: {n:,} of {n:,} cells read as YYYY-MM-DD")
        return
    in_iso = f"; the other {n - n_other:,} of {n:,} cells are YYYY-MM-DD" if n > n_other else ""
    serial = other.to_frame("date").select(read_number(pl.col("date")).is_between(*SERIAL_DAYS).sum()).item()
    if serial >= (1 - MOST_SLIPS) * n_other:
        reason = f"{serial:,} of {n_other:,} cells are day numbers of a spreadsheet{in_iso}"
        feed.guess(("dates", "format"), "excel", reason)
        return
    counts = {written: n_read(other, written) for written in words.dates}
    most = max(counts.values())
    best = [written for written, count in counts.items() if count == most]
    if not most and n_other <= MOST_SLIPS * n:
        slips = f"{n_other:,} read in no known way and will be set aside or left out"
        feed.notes.append(f"dates: {n - n_other:,} of {n:,} cells read as YYYY-MM-DD; {slips}")
    elif not most:
        reason = f"none of {n_other:,} cells reads in a known way{in_iso}; say how, as in %d/%m/%Y"
        feed.guess(("dates", "format"), CHOOSE, reason)
    elif len(best) > 1:
        both = f"{most:,} of {n_other:,} cells read as {' and as '.join(best)}: both are possible; which is it?{in_iso}"
        feed.guess(("dates", "format"), CHOOSE, both)
    else:
        _guess_one(feed, other, best[0], most, counts, in_iso)


def _guess_one(
    feed: Feed, cells: pl.Series, best: str, most: int, counts: dict[str, int], in_iso: str
) -> None:
    """The way that reads most cells, unless too many read only the other way round."""
    n = len(cells)
    swapped = (
        best.translate({ord("d"): "m", ord("m"): "d"}) if "%b" not in best and "%B" not in best else best
    )
    both = pl.col("date").str.to_date(best, strict=False).is_null() & pl.col("date").str.to_date(
        swapped, strict=False
    ).dt.year().is_between(*YEARS)
    n_swapped = int(cells.to_frame("date").select(both.sum()).item())
    if n_swapped > MOST_SLIPS * n:
        reason = f"{most:,} of {n:,} cells read as {best}, {n_swapped:,} only as {swapped}: which is it?"
        feed.guess(("dates", "format"), CHOOSE, reason)
        return
    reason = f"{most:,} of {n:,} cells read as {best}"
    if swapped in counts and swapped != best:
        part = "first" if best.index("%d") < best.index("%m") else "second"
        reason += f"; {most - counts[swapped] + n_swapped:,} have a {part} part > 12"
    if "%y" in best:
        reason += "; two-digit years: 70 to 99 are read as 19xx, 00 to 69 as 20xx"
    feed.guess(("dates", "format"), best, reason + in_iso)
