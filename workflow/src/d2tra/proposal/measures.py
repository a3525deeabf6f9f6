"""What numbers are in: units by the heading or by the values, joint counts, the HAQ, numbers that mean missing."""

from __future__ import annotations

import re

import polars as pl

from d2tra.extract.cells import read_number
from d2tra.extract.schemas import COLUMNS, Column
from d2tra.proposal.dates import missing_dates
from d2tra.proposal.draft import CHOOSE, in_cells
from d2tra.proposal.feeds import Feed
from d2tra.proposal.words import Words, split_unit

DECIMAL_COMMA = r"^(?:[<>]=?)?\s*[+-]?[0-9]+,[0-9]+$"
BOTH_COUNTS = {"tjc28": "tjc68", "sjc28": "sjc66"}
MOST_SLIPS = 0.02


def guess_measures(feed: Feed, words: Words) -> None:
    """Adds missing, units and the form of joint counts and HAQ of one feed, each with its evidence."""
    _guess_decimal(feed)
    guess_missing(feed, words)
    if feed.table == "visits":
        _guess_counts(feed, words)
        _ask_haq(feed, words)
    for ours, theirs in feed.filled().items():
        column = COLUMNS[feed.table][ours]
        if column.unit in MEASURED:
            _guess_unit(feed, words, column, theirs)


def _guess_decimal(feed: Feed) -> None:
    """A decimal comma, where numbers have one and none has a point."""
    cells = feed.cells()
    named = [
        theirs
        for ours, columns in feed.filled().items()
        if COLUMNS[feed.table][ours].kind in ("int", "float") or (feed.table, ours) == ("labs", "value")
        for theirs in columns
    ]
    if not named:
        return
    text = pl.concat([cells[name].alias("number") for name in named]).drop_nulls()
    n_comma = int(text.str.contains(DECIMAL_COMMA).sum())
    n_point = int(text.str.contains(r"^[<>]?\s*[0-9]*\.[0-9]+$").sum())
    if n_comma and not n_point:
        feed.guess(("decimal",), ",", f"{n_comma:,} numbers have a decimal comma, none a point")


def numbers_of(feed: Feed, theirs: list[str], words: Words) -> pl.Series:
    """Returns the numbers of these columns, read with a decimal comma too, without those that may mean missing."""
    cells = feed.cells()
    text = pl.concat([cells[name].alias("number") for name in theirs]).drop_nulls()
    comma = text.str.contains(DECIMAL_COMMA)
    plain = text.to_frame("number").select(
        read_number(pl.when(pl.lit(comma)).then(pl.col("number").str.replace(",", ".")).otherwise("number"))
    )
    numbers = plain.to_series().drop_nulls()
    return numbers.filter(~numbers.is_in([float(number) for number in words.missing["numbers"]]))


def guess_missing(feed: Feed, words: Words) -> None:
    """Adds the texts that mean missing: words in columns of numbers and dates, listed numbers out of the range."""
    cells = feed.cells()
    for ours, theirs in feed.filled().items():
        column = COLUMNS[feed.table][ours]
        if column.kind not in ("int", "float", "date", "month", "bool"):
            continue
        listed = missing_dates(words) if column.kind in ("date", "month") else [
            word.casefold() for word in words.missing["words"]
        ]  # fmt: skip
        text = pl.concat([cells[name].alias("text") for name in theirs]).drop_nulls().str.to_lowercase()
        found = text.filter(text.is_in(listed)).value_counts(sort=True)
        said = {str(word): count for word, count in found.rows()}
        if column.kind in ("int", "float"):
            scale = 10 if column.unit == "mm" and _is_in_cm(feed, theirs, words) else 1
            said |= _sentinels(text, column, scale, words)
        if said:
            feed.section.setdefault("missing", {})[ours] = [*said]
            for number, count in enumerate(said.values()):
                feed.why[("missing", ours, number)] = f"{in_cells(count)}; no value of {ours}"


def _sentinels(text: pl.Series, column: Column, scale: float, words: Words) -> dict[str, int]:
    low = column.low if column.low is not None else 0
    high = column.high if column.high is not None else float("inf")
    found = {}
    for each in words.missing["numbers"]:
        if low <= float(each) * scale <= high:
            continue
        count = int(text.to_frame("t").select((read_number(pl.col("t")) == float(each)).sum()).item())
        if count:
            found[each] = count
    return found


def _is_in_cm(feed: Feed, theirs: list[str], words: Words) -> bool:
    numbers = numbers_of(feed, theirs, words)
    if split_unit(theirs[0], words.units)[1] == "cm":
        return True
    return len(numbers) >= words.evidence["values"] and bool((numbers <= words.evidence["cm_at_most"]).all())


def _guess_counts(feed: Feed, words: Words) -> None:
    """Counts whose heading says no number of joints: of 28, or of 68 and 66, by what they reach; both alike."""
    filled = feed.filled()
    unnumbered = {
        ours: filled[ours][0]
        for ours in BOTH_COUNTS
        if ours in filled and not re.search(r"\d", filled[ours][0])
    }
    numbers = {ours: numbers_of(feed, [theirs], words) for ours, theirs in unnumbered.items()}
    above = {ours: int((each > 28).sum()) for ours, each in numbers.items()}
    for ours, theirs in unnumbered.items():
        n, path = len(numbers[ours]), ("columns", theirs)
        if (
            sum(above.values()) > MOST_SLIPS * sum(map(len, numbers.values()))
            and BOTH_COUNTS[ours] not in filled
        ):
            feed.guess(path, BOTH_COUNTS[ours], f"{above[ours]:,} of {n:,} values above 28")
        elif n < words.evidence["values"]:
            feed.guess(path, CHOOSE, f"{ours} or {BOTH_COUNTS[ours]}? {n:,} values are too few to tell")
        else:
            feed.guess(path, ours, f"a known heading; {n - above[ours]:,} of {n:,} values are 28 or less")


def _ask_haq(feed: Feed, words: Words) -> None:
    theirs = feed.filled().get("haq_di")
    if not theirs or theirs == ["haq_di"]:
        return
    numbers = numbers_of(feed, theirs, words)
    above = int((numbers > 3).sum())
    if above > MOST_SLIPS * len(numbers):
        reason = f"{above:,} of {len(numbers):,} values above 3: no HAQ-DI; mdhaq_sum (0-30)? else move it to ignore"
        feed.guess(("columns", theirs[0]), CHOOSE, reason)


def _guess_unit(feed: Feed, words: Words, column: Column, theirs: list[str]) -> None:
    """One unit: by the heading, checked against the values; else by the values; else a question."""
    numbers = numbers_of(feed, theirs, words)
    if numbers.is_empty() or theirs == [column.name]:
        by_values, reason = (None, "") if numbers.is_empty() else MEASURED[str(column.unit)](numbers, words)
        if by_values in (None, column.unit):
            return
        feed.guess(("units", column.name), CHOOSE, f"the heading says {column.unit}, but {reason}")
        return
    stated = split_unit(theirs[0], words.units)[1]
    by_values, reason = MEASURED[str(column.unit)](numbers, words)
    if stated and by_values not in (None, stated):
        feed.guess(("units", column.name), CHOOSE, f"the heading says {stated}, but {reason}")
    elif stated:
        feed.guess(("units", column.name), stated, f"the heading says so{'; ' + reason if by_values else ''}")
    elif by_values:
        feed.guess(("units", column.name), by_values, reason)
    else:
        feed.guess(("units", column.name), CHOOSE, reason)


def _of_scale(numbers: pl.Series, words: Words) -> tuple[str | None, str]:
    n, least = len(numbers), words.evidence["values"]
    above = int((numbers > words.evidence["cm_at_most"]).sum())
    said = f"{above:,} of {n:,} values above {words.evidence['cm_at_most']}"
    if not above:
        return ("cm", said) if n >= least else (None, f"mm or cm? {said}: too few to tell")
    return ("mm", said) if above >= 0.1 * n else (None, f"mm or cm? {said}: mixed")


def _of_crp(numbers: pl.Series, words: Words) -> tuple[str | None, str]:
    n, bound = len(numbers), words.evidence
    below = int((numbers < bound["crp_median"]).sum())
    said = f"{below:,} of {n:,} values below {bound['crp_median']}"
    if n < bound["values"]:
        return None, f"mg/L or mg/dL? {said}: too few to tell"
    is_small = 2 * below > n and int((numbers >= bound["crp_maximum"]).sum()) == 0
    return ("mg/dL", f"{said}, none above {bound['crp_maximum']}") if is_small else ("mg/L", said)


def _of_height(numbers: pl.Series, words: Words) -> tuple[str | None, str]:
    n, bound = len(numbers), words.evidence
    metres = int((numbers <= bound["metres_at_most"]).sum())
    centimetres = int((numbers >= bound["centimetres_from"]).sum())
    if metres >= (1 - MOST_SLIPS) * n:
        return "m", f"{metres:,} of {n:,} values are {bound['metres_at_most']} or less"
    if centimetres >= (1 - MOST_SLIPS) * n:
        return "cm", f"{centimetres:,} of {n:,} values are {bound['centimetres_from']} or more"
    return None, f"m, cm or in? {metres:,} of {n:,} values are {bound['metres_at_most']} or less"


def _of_weight(numbers: pl.Series, words: Words) -> tuple[str | None, str]:
    low, high = words.evidence["kilograms"]
    n, inside = len(numbers), int(numbers.is_between(low, high).sum())
    said = f"{inside:,} of {n:,} values from {low} to {high}"
    return ("kg", said) if 2 * inside > n else (None, f"kg, lb or stone? {said}")


MEASURED = {"mm": _of_scale, "mg/L": _of_crp, "cm": _of_height, "kg": _of_weight}
