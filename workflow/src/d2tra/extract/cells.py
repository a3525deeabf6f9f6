"""What one cell of text says: numbers, dates, yes or no, laboratory results. Null means that it says nothing of the kind."""

from __future__ import annotations

from typing import Literal

import polars as pl

NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
LAB_WORDS = ("positive", "negative", "weak positive")
Censored = Literal["half", "limit", "zero"]

# Every factor multiplies the other unit into the canonical one. Units are compared in small letters, without spaces.
UNITS: dict[str, dict[str, float]] = {
    "mm": {"mm": 1, "cm": 10},
    "mm/h": {"mm/h": 1, "mm/hr": 1, "mm": 1},
    "mg/L": {"mg/l": 1, "mg/dl": 10},
    "kg": {"kg": 1, "g": 0.001, "lb": 0.45359237, "stone": 6.35029318},
    "cm": {"cm": 1, "m": 100, "mm": 0.1, "in": 2.54},
    "kg/m2": {"kg/m2": 1, "kg/m²": 1},
    "mg": {"mg": 1, "g": 1000, "mg/day": 1, "mgod": 1, "mgdaily": 1, "mgoncedaily": 1, "mgmane": 1},
    "%": {"%": 1},
}
_TITRE_UNITS = ("u/ml", "iu/ml", "ku/l", "iu/l", "u/l", "au/ml")


def plain_unit(unit: pl.Expr) -> pl.Expr:
    """Returns the unit in small letters without spaces; null stays null, an empty one becomes null."""
    plain = unit.str.replace_all(r"\s", "").str.to_lowercase()
    return pl.when(plain != "").then(plain)


def read_number(text: pl.Expr) -> pl.Expr:
    """Returns Float64; null where the text is no finite decimal number (decimal point, no thousands separators)."""
    number = pl.when(text.str.contains(f"^{NUMBER}$")).then(text).cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def read_whole_number(text: pl.Expr) -> pl.Expr:
    """Returns Int64; `3.0` is 3, `3.5` and numbers beyond 2⁵³ are null."""
    number = read_number(text)
    return pl.when((number == number.round(0)) & (number.abs() < 2**53)).then(number).cast(pl.Int64)


def read_date(text: pl.Expr) -> pl.Expr:
    """Returns Date; null where the text is not `YYYY-MM-DD` and a day of the calendar."""
    iso = pl.when(text.str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")).then(text)
    return iso.str.to_date("%Y-%m-%d", strict=False)


def read_month(text: pl.Expr) -> pl.Expr:
    """Returns the text itself; null where it is not `YYYY-MM`."""
    return pl.when(text.str.contains(r"^[0-9]{4}-(0[1-9]|1[0-2])$")).then(text)


def read_boolean(text: pl.Expr) -> pl.Expr:
    """Returns Boolean from true/false, 1/0, yes/no in any case; null where it is none of them."""
    word = text.str.to_lowercase()
    return (
        pl.when(word.is_in(["true", "1", "yes"]))
        .then(True)
        .when(word.is_in(["false", "0", "no"]))
        .then(False)
    )


def reported_parts(text: pl.Expr) -> dict[str, pl.Expr]:
    """Returns what a result as reported is made of: `limit` (`<`, `>` …), `x` (Float64), `own_unit`; each null where absent."""
    start = r"^\s*(?:[<>]=?|[≤≥])?\s*"
    return {
        "limit": text.str.strip_chars().str.extract(r"^([<>≤≥])"),
        "x": read_number(text.str.extract(rf"{start}({NUMBER})\s*(?:[^0-9.,\s].*)?$")),
        "own_unit": plain_unit(text.str.extract(rf"{start}{NUMBER}\s*([^0-9.,\s].*)$")),
    }


def number_used(x: pl.Expr, limit: pl.Expr, censored: Censored) -> pl.Expr:
    """Returns the number that stands for `<x` (by `censored`), `>x` (x) and x."""
    below = {"half": x / 2, "limit": x, "zero": pl.when(x.is_not_null()).then(0.0)}[censored]
    return pl.when(limit.is_in(["<", "≤"])).then(below).otherwise(x)


def read_lab_results(labs: pl.DataFrame, crp_unit: str | None, censored: Censored) -> pl.DataFrame:
    """Returns one row per row of `labs` (test, value, unit: text), in order:

    number (Float64: ESR mm/h, CRP mg/L, RF and anti-CCP in their own unit; `<x` by `censored`, `>x` is x; null where
    the result is a word), is_censored (Boolean), has_own_unit (the value carries its unit, `12 mm/hr`),
    problem (`no_unit`, `unknown_unit`, `no_result`, else null).
    """
    esr, crp = pl.col("test") == "esr", pl.col("test") == "crp"
    titre = pl.col("test").is_in(["rf", "anti_ccp"])
    parts = labs.select(
        "test",
        unit=plain_unit(pl.col("unit").cast(pl.String)),
        word=pl.col("value").str.strip_chars().str.to_lowercase(),
        **reported_parts(pl.col("value")),
    ).with_columns(
        used=pl.coalesce(
            "unit", "own_unit", pl.when(crp).then(pl.lit(crp_unit, dtype=pl.String)).str.to_lowercase()
        )
    )
    own_titre = (pl.col("own_unit") == pl.col("unit")) | pl.col("own_unit").is_in(_TITRE_UNITS)

    def factor_of(unit: str, any_titre: pl.Expr) -> pl.Expr:
        def read(canonical: str) -> pl.Expr:
            return pl.col(unit).replace_strict(UNITS[canonical], default=None, return_dtype=pl.Float64)

        return pl.when(crp).then(read("mg/L")).when(esr).then(read("mm/h")).when(titre & any_titre).then(1.0)

    factor = pl.when(esr & pl.col("used").is_null()).then(1.0).otherwise(factor_of("used", pl.lit(True)))
    own_unit_fits = pl.col("own_unit").is_null() | (factor_of("own_unit", own_titre) == factor)
    number = number_used(pl.when(own_unit_fits).then(pl.col("x") * factor), pl.col("limit"), censored)
    return parts.select(
        number=number,
        is_censored=(pl.col("limit").is_not_null() & number.is_not_null()).fill_null(False),
        has_own_unit=(pl.col("own_unit").is_not_null() & number.is_not_null()).fill_null(False),
        problem=pl.when(crp & pl.col("used").is_null() & pl.col("x").is_not_null()).then(pl.lit("no_unit"))
        .when((esr | crp) & pl.col("unit").is_not_null() & factor.is_null()).then(pl.lit("unknown_unit"))
        .when(titre & pl.col("word").is_in(LAB_WORDS)).then(None)
        .when(number.is_null()).then(pl.lit("no_result")),
    )  # fmt: skip
