"""Findings of the extract: what was repaired, emptied or set aside, where it stands, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

import polars as pl

from d2tra.config import Closed, parse, setting
from d2tra.extract.schemas import COLUMNS

FINDINGS: dict[str, pl.DataType] = {
    "table": pl.String(), "source": pl.String(), "source_row": pl.Int64(), "column": pl.String(),
    "rule": pl.String(), "severity": pl.String(), "value": pl.String(), "message": pl.String(),
    "their_column": pl.String(), "row": pl.Int64(), "place": pl.String(),
}  # fmt: skip

AS_READ = "as_read_"  # the prefix of a column's text before the mapping rewrote it
FRESH = ~pl.col("is_duplicate")  # what a later copy of a row breaks is found once, in the row itself
PLACE = "{}.{}"  # which source of its table filled a row, and which of its wide-to-long groups, from 0


class Rule(Closed):
    """A rule of config/quality.yaml: what follows when a cell or row breaks it, and how to mend that."""

    severity: Literal["fix", "cell", "row", "stop"]
    mend: str


def rules() -> dict[str, Rule]:
    """Returns every validation rule by name, as config/quality.yaml states them."""
    return _rules(Path.cwd())


@cache
def _rules(_folder: Path) -> dict[str, Rule]:
    stated = setting("quality")["rules"]
    return {
        name: parse(Rule, section, f"config/quality.yaml, rule {name}") for name, section in stated.items()
    }


def mending(rule: str, table: str, column: str | None) -> str:
    """Returns the sentence that says how to mend what breaks the rule in that column."""
    known = COLUMNS.get(table, {}).get(column or "")
    takes = known.says() if known else ""
    return rules()[rule].mend.replace("{column}", column or "").replace("{takes}", takes)


def read_findings(path: str | Path) -> pl.DataFrame:
    """Returns a quarantine.csv as it was written: text, but for source_row (Int64); an empty cell is null."""
    return pl.read_csv(path, infer_schema=False).with_columns(pl.col("source_row").cast(pl.Int64))


def find(
    rows: pl.DataFrame,
    table: str,
    column: str | None,
    rule: str,
    broken: pl.Expr,
    detail: pl.Expr | None = None,
) -> pl.DataFrame:
    """Returns one finding for each row of `rows` (source, source_row; row and place where known) where `broken` is true.

    The offending value is the cell of `column` as it was read; `detail` completes the sentence of the rule.
    """
    stated = rules()[rule]
    sentence = mending(rule, table, column)
    shown = pl.lit(None) if column is None else pl.col(column)
    if f"{AS_READ}{column}" in rows.columns:
        shown = pl.col(f"{AS_READ}{column}")
    if not rows.select(broken.fill_null(False).any()).item():
        return collect([])
    return rows.filter(broken.fill_null(False)).select(
        table=pl.lit(table),
        source="source",
        source_row="source_row",
        column=pl.lit(column, dtype=pl.String),
        rule=pl.lit(rule),
        severity=pl.lit(stated.severity),
        value=shown.cast(pl.String),
        message=pl.lit(sentence) if detail is None else pl.concat_str(pl.lit(sentence), detail.fill_null("")),
        their_column=pl.lit(None, dtype=pl.String),
        row=pl.col("row").cast(pl.Int64) if "row" in rows.columns else pl.lit(None, dtype=pl.Int64),
        place=pl.col("place") if "place" in rows.columns else pl.lit(None, dtype=pl.String),
    )


def collect(findings: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Returns the findings as one frame, in the order given; the empty frame with its columns where there is none."""
    return pl.concat([pl.DataFrame(schema=FINDINGS), *findings], how="vertical")
