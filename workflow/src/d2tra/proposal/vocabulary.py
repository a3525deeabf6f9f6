"""Which of their words mean which of ours: known words are guesses, every other word of a list is a question."""

from __future__ import annotations

import re

import polars as pl

from d2tra.extract.cells import LAB_WORDS, UNITS
from d2tra.extract.schemas import COLUMNS, Column
from d2tra.proposal.draft import CHOOSE, in_cells
from d2tra.proposal.feeds import Feed
from d2tra.proposal.words import Scheme, Words, key

LONGEST_WORD = 40  # characters; a longer text is a sentence and not shown
NATIVE_BOOLEANS = ("true", "false", "1", "0", "yes", "no")
UNDERSTOOD_UNITS = {unit for units in UNITS.values() for unit in units}
CODE_HINTS = {"sex": "NHS and ISO 5218 write 1 male, 2 female; others the reverse"}
CODE_SHAPES = {"icd10": r"^[A-TV-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?$", "snomed": r"^[0-9]{6,18}$"}
SHARE_OF_SHAPE = 0.98


def distinct_words(feed: Feed, theirs: list[str]) -> list[tuple[str, int]]:
    """Returns each different text of these columns once (capitals apart, the most frequent spelling) with its cells,
    the most frequent first."""
    cells = feed.cells()
    text = pl.concat([cells[name].alias("word") for name in theirs]).drop_nulls().to_frame()
    spelt = text.group_by("word").len("n").sort("n", "word", descending=[True, False])
    folded = spelt.with_columns(folded=pl.col("word").str.to_lowercase())
    words = folded.group_by("folded", maintain_order=True).agg(pl.col("word").first(), pl.col("n").sum())
    return [
        (str(word), int(n))
        for word, n in words.sort("n", "word", descending=[True, False]).select("word", "n").rows()
    ]


def guess_words(feed: Feed, words: Words) -> None:
    """Adds `values` of every column of listed words, `constants` where a table's needed column is not in the source."""
    for ours, theirs in feed.filled().items():
        column = COLUMNS[feed.table][ours]
        if feed.table in ("labs", "biomarkers") and ours in ("value", "unit", "test"):
            _guess_lab_words(feed, ours, theirs, words)
        elif column.kind in ("enum", "bool"):
            _guess_list(feed, column, theirs, words)
    if "recorded_das28" in feed.filled() and "recorded_das28_form" not in feed.filled():
        heading = feed.filled()["recorded_das28"][0]
        if key(heading) in words.forms:
            feed.guess(("constants", "recorded_das28_form"), words.forms[key(heading)], "the heading says so")
        else:
            feed.notes.append("recorded_das28: of which form nothing says; it is compared with none of ours")
    if feed.table == "patients" and "disease" not in feed.filled():
        feed.guess(
            ("constants", "disease"), CHOOSE, "no column tells; RA (or PsA), if it holds for every patient"
        )
    if feed.table == "diagnoses" and "code_system" not in feed.filled():
        _guess_code_system(feed)


def unknown_words(
    feed: Feed, column: Column, theirs: list[str], declared: set[str], words: Words
) -> list[tuple[str, int]]:
    """Returns the words of a column that are neither ours nor declared (small letters) nor mean missing, with their cells."""
    native = NATIVE_BOOLEANS if column.kind == "bool" else ()
    missing = {word.casefold() for word in words.missing["words"]} if column.kind == "bool" else set()
    return [
        (word, n)
        for word, n in distinct_words(feed, theirs)
        if word not in column.allowed and word.casefold() not in {*native, *declared, *missing}
    ]


def _guess_list(feed: Feed, column: Column, theirs: list[str], words: Words) -> None:
    found = unknown_words(feed, column, theirs, set(), words)
    shown = [(word, n) for word, n in found if len(word) <= LONGEST_WORD]
    if len(found) > words.evidence["words"]:
        feed.notes.append(
            f"{column.name}: {len(found):,} different texts; free text cannot be mapped word by word"
        )
        return
    if len(shown) < len(found):
        feed.notes.append(
            f"{column.name}: {len(found) - len(shown):,} texts of more than {LONGEST_WORD} letters not shown"
        )
    name = "bool" if column.kind == "bool" else column.name
    scheme = words.scheme(name, [word for word, _ in found])
    for word, n in shown:
        ours, reason = meaning(column, word, scheme, words)
        feed.guess(("values", column.name, word), ours, f"{in_cells(n)}; {reason}")


def meaning(column: Column, word: str, scheme: Scheme, words: Words) -> tuple[str, str]:
    """Returns what a word of theirs probably means, or CHOOSE, and why, with the answers there are."""
    ours = ", ".join(column.allowed) or "true, false"
    if re.fullmatch(r"[0-9]+(?:\.0)?", word):  # departments use codes both ways
        hint = f" {CODE_HINTS[column.name]}." if column.name in CODE_HINTS else ""
        return CHOOSE, f"a code: what does it stand for?{hint} One of: {ours}"
    if key(word) in scheme:
        return scheme[key(word)], "a known word"
    near = words.alike(word, scheme)
    hint = f"; spelt almost like {near!r}, {scheme[near]}?" if near else ""
    so = "its rows are set aside" if column.is_key else "its cells are left out"
    return CHOOSE, f"an unknown word{hint}. One of: {ours}. If none, delete the line: {so} and listed"


def _guess_lab_words(feed: Feed, ours: str, theirs: list[str], words: Words) -> None:
    """Known words of tests, units and results; what else stands there is no list, so it is counted and not shown."""
    if feed.table == "biomarkers":
        return
    scheme = words.scheme(ours, ())
    allowed = {
        "test": set(COLUMNS["labs"]["test"].allowed),
        "unit": UNDERSTOOD_UNITS,
        "value": set(LAB_WORDS),
    }[ours]
    n_other = n_cells = 0
    for word, n in distinct_words(feed, theirs):
        plain = (
            re.sub(r"\s", "", word).casefold()
            if ours == "unit"
            else word
            if ours == "test"
            else word.casefold()
        )
        if plain in allowed or (ours == "value" and re.search(r"[0-9]", word)):
            continue
        near = words.alike(word, scheme) if ours == "test" else None
        if key(word) in scheme:
            feed.guess(("values", ours, word), scheme[key(word)], f"{in_cells(n)}; a known word")
        elif near:
            reason = f"{in_cells(n)}; spelt almost like {near!r}, {scheme[near]}? If it is another test, delete the line"
            feed.guess(("values", ours, word), CHOOSE, reason)
        else:
            n_other, n_cells = n_other + 1, n_cells + n
    if n_other and ours != "unit":
        what = {
            "test": "other tests, which are set aside and counted",
            "value": "words that are no result we know",
        }[ours]
        feed.notes.append(f"{ours}: {n_other:,} {what} ({n_cells:,} cells)")


def _guess_code_system(feed: Feed) -> None:
    codes = feed.cells()[feed.filled()["code"][0]].drop_nulls()
    for system, shape in CODE_SHAPES.items():
        n = int(codes.str.contains(shape).sum())
        if n and n >= SHARE_OF_SHAPE * len(codes):
            feed.guess(("constants", "code_system"), system, f"{n:,} of {len(codes):,} codes have its shape")
            return
    feed.guess(
        ("constants", "code_system"),
        CHOOSE,
        "which system are the codes of? icd10, snomed, read2, omop, local",
    )
