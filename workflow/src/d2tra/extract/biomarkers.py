"""What a biomarker takes (config/biomarkers.yaml), and what a result of the optional table `biomarkers` says."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import model_validator

from d2tra.config import Closed, parse, setting, setting_path
from d2tra.errors import StudyError, nearest
from d2tra.extract.cells import Censored, number_used, plain_unit, reported_parts

NAME = r"^[a-z][a-z0-9_]{0,63}$"
BETWEEN_WORDS = r"[\s_-]+"


class Marker(Closed):
    """One marker: a number in its unit and range (both ends in), or a category of levels."""

    title: str
    kind: Literal["number", "category"]
    levels: list[str] = []
    unit: str | None = None
    range: tuple[float, float] | None = None
    source: str

    @model_validator(mode="after")
    def _as_its_kind(self) -> Marker:
        if (self.kind == "category") != bool(self.levels) or (self.levels and (self.unit or self.range)):
            raise ValueError("a category has levels, and no unit or range; a number has no levels")
        return self

    def says(self) -> str:
        """Returns what the marker takes, in words: `a number from 0 to 10 mg/L`, `one of low, high`."""
        if self.kind == "category":
            return "one of " + ", ".join(self.levels)
        words = f"a number from {self.range[0]:g} to {self.range[1]:g}" if self.range else "a number"
        return f"{words} {self.unit}" if self.unit else words


def known_markers() -> dict[str, Marker]:
    """Returns every marker of config/biomarkers.yaml by name; StudyError names the file and the key."""
    return _markers(Path.cwd())


@cache
def _markers(_folder: Path) -> dict[str, Marker]:
    where = setting_path("biomarkers")
    stated = setting("biomarkers") or {}
    for name in stated:
        if not re.match(NAME, str(name)):
            raise StudyError(f"{where}: {name!r}: a marker is named in small letters, digits and _.")
    return {name: parse(Marker, section, f"{where}: {name}") for name, section in stated.items()}


def known_marker(name: str) -> Marker:
    """Returns the marker of that name; StudyError names the nearest one, or all."""
    if name not in known_markers():
        raise StudyError(f"{setting_path('biomarkers')} has no marker {name!r}{nearest_marker(name)}")
    return known_markers()[name]


def nearest_marker(name: str) -> str:
    """Returns ", did you mean 'x'?" for the marker most like the name; where none is alike, all of them."""
    return nearest(name, known_markers()) or f"; known: {', '.join(known_markers())}."


def read_level(text: pl.Expr, levels: list[str]) -> pl.Expr:
    """Returns the level as declared: in any case, its words parted by blanks, hyphens or _ alike; null where it is none."""
    plain = text.str.strip_chars().str.to_lowercase().str.replace_all(BETWEEN_WORDS, " ")
    declared = {re.sub(BETWEEN_WORDS, " ", level.lower()): level for level in levels}
    return plain.replace_strict(declared, default=None, return_dtype=pl.String)


def read_biomarkers(rows: pl.DataFrame, censored: Censored = "half") -> pl.DataFrame:
    """Returns one row per row of `rows` (marker, value, unit: text), in order:

    number (Float64, in the marker's unit; `<x` by `censored`, `>x` is x; null for a category, an unknown marker and a
    text that is no number), has_own_unit (the value carries the marker's unit, `12 pg/mL`), problem (`unknown_marker`,
    `wrong_marker_unit`, `biomarker_out_of_range`, else null; null where marker or value is empty).
    """
    markers = known_markers()
    numbers = {name: marker for name, marker in markers.items() if marker.kind == "number"}
    units = {name: "".join(marker.unit.split()).lower() for name, marker in numbers.items() if marker.unit}
    parts = rows.select(
        "marker",
        "value",
        unit=plain_unit(pl.col("unit").cast(pl.String)),
        known_unit=pl.col("marker").replace_strict(units, default=None, return_dtype=pl.String),
        is_number=pl.col("marker").is_in(list(numbers)),
        **reported_parts(pl.col("value")),
    ).with_columns(own_unit=pl.when("is_number").then("own_unit"), x=pl.when("is_number").then("x"))
    takes = pl.lit(False)
    number = number_used(pl.col("x"), pl.col("limit"), censored)
    for name, marker in markers.items():
        if marker.kind == "category":
            fits = read_level(pl.col("value"), marker.levels).is_not_null()
        else:
            fits = number.is_between(*marker.range) if marker.range else number.is_not_null()
        takes = pl.when(pl.col("marker") == name).then(fits.fill_null(False)).otherwise(takes)
    fits_unit = {
        name: pl.col(name).is_null() | (pl.col(name) == pl.col("known_unit")).fill_null(False)
        for name in ("unit", "own_unit")
    }
    return parts.select(
        number=number,
        has_own_unit=pl.col("own_unit").is_not_null() & fits_unit["own_unit"],
        problem=pl.when(pl.col("marker").is_null() | pl.col("value").is_null()).then(None)
        .when(~pl.col("marker").is_in(list(markers))).then(pl.lit("unknown_marker"))
        .when(~pl.all_horizontal(fits_unit.values())).then(pl.lit("wrong_marker_unit"))
        .when(~takes).then(pl.lit("biomarker_out_of_range")),
    )  # fmt: skip
