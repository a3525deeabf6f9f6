"""What the identifier screen looks at and what it finds: a column of distinct values, and signs of a kind in it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

LONGEST_HEADER = 200  # characters; what is longer is no header


class Sign(NamedTuple):
    """A kind of identifier and the number of cells that show it; a sign that does not stop is a warning."""

    kind: str
    cells: int
    stops: bool = True


@dataclass(frozen=True)
class Column:
    """A column to look at: its distinct filled `value`s with their `count`, numbered (`cell`), and what the mapping says of it.

    `roles`: canonical columns that it fills. `is_id`: patient_id, or declared under `id_columns` (`is_pseudonym`).
    `may_hold_text`: listed under `allow_text`. `is_title`: cells above a header, which make no column.
    """

    header: str
    values: pl.DataFrame
    roles: frozenset[str] = frozenset()
    is_id: bool = False
    is_pseudonym: bool = False
    may_hold_text: bool = False
    is_title: bool = False

    @property
    def n_filled(self) -> int:
        return int(self.values["count"].sum())

    @property
    def words(self) -> list[str]:
        return header_words(self.header)

    @property
    def is_birth_year(self) -> bool:
        return "birth_year" in self.roles or "".join(self.words) in {"birthyear", "yearofbirth", "yob"}

    def n_where(self, shows: pl.Expr) -> int:
        """Returns the number of cells whose `value` shows something."""
        return n_cells(self.values.filter(shows))


def n_cells(values: pl.DataFrame) -> int:
    """Returns how many cells hold these values."""
    return int(values["count"].sum())


def header_words(header: str) -> list[str]:
    """Returns the words of a header in lower case: `NHSNumber`, `nhs_number` and `NHS-Number` are nhs, number."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", unified(header))
    return re.findall(r"[a-z0-9]+", spaced.casefold())


def reads_as_cell(header: str, cells: pl.Series) -> bool:
    """Returns whether a header has digits and is built as some cell under it (`P0417` over `P0418`), or is far too long:
    it may be a row of patients where the header is missing, so messages give its number instead."""
    if len(header) > LONGEST_HEADER:
        return True
    if not re.search("[0-9]", header):
        return False
    shape = re.sub("[0-9]", "0", re.sub(r"[^\W\d_]", "a", header))
    return bool(cells.str.replace_all(r"\p{L}", "a").str.replace_all("[0-9]", "0").eq(shape).any())


def unified(text: str) -> str:
    """Returns text with one form of every letter and digit, and without characters that nobody sees."""
    if text.isascii():
        return text
    return re.sub(
        "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]", "", unicodedata.normalize("NFKC", text)
    )


def unified_cells(values: pl.DataFrame) -> pl.DataFrame:
    """Returns distinct values with their `count`, each in its unified form."""
    is_plain = pl.col("value").str.contains(r"^[\x00-\x7f]*$")
    if values.select(is_plain.all()).item():
        return values
    one_form = pl.col("value").str.normalize("NFKC").str.replace_all(r"\p{Cf}", "")
    other = values.filter(~is_plain).with_columns(value=one_form).filter(pl.col("value") != "")
    return pl.concat([values.filter(is_plain), other]).group_by("value").agg(pl.col("count").sum())


def plain(text: pl.Expr) -> pl.Expr:
    """Returns text in which every white space is one blank and every dash a hyphen."""
    return text.str.replace_all(r"[\s\p{Z}]+", " ").str.replace_all(r"\p{Pd}", "-")


def long_cells(values: pl.DataFrame) -> pl.DataFrame:
    """Returns the values that may hold an identifier among other text, with `text`: no plain dates, no short or
    decimal numbers."""
    short = r"^[-+0-9.,/:]{0,9}$|^[-+]?(?:0|[1-9][0-9]*)?[.,][0-9]+(?:[eE][-+]?[0-9]+)?$|^[0-9]{4}-[0-9]{2}-[0-9]{2}$|^[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{4}$"
    long = (pl.col("value").str.len_chars() >= 5) & ~pl.col("value").str.contains(short)
    return values.lazy().filter(long).with_columns(text=plain(pl.col("value"))).collect()


def extracted(cells: pl.DataFrame, pattern: str, group: int = 0) -> pl.DataFrame:
    """Returns cell, count, match: one row per place of `text` that matches; `group` cuts the match down to a part."""
    found = cells.filter(pl.col("text").str.contains(pattern))
    matches = found.select("cell", "count", match=pl.col("text").str.extract_all(pattern)).explode("match")
    return matches.with_columns(pl.col("match").str.extract(pattern, group)) if group else matches
