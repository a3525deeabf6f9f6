"""data_dictionary.csv: every column that goes in and every column of the analysis set, with what it may hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from d2tra.definitions import Definition
from d2tra.extract.schemas import COLUMNS
from d2tra.risk_factor_plan import Characteristic, Plan

DICTIONARY = ["table", "column", "title", "holds", "missing", "source"]
NEEDS = {"R": "never", "R N": "cell may be empty: unknown", "N": "column or cell may be absent: unknown"}
CODINGS = {"yes_no": "true or false", "category": "one of {}", "number": "a number, {}"}


def data_dictionary(definitions: Sequence[Definition], plan: Plan) -> pl.DataFrame:
    """Returns one row per column: table, column, title, holds (values and unit in words), missing (what an empty cell
    means), source. The canonical tables first, then `analysis_set`: outcomes, then factors."""
    return pl.DataFrame(
        [*_canonical(), *_outcomes(definitions), *map(_factor, plan.characteristics.values())],
        schema=dict.fromkeys(DICTIONARY, pl.String),
        orient="row",
    )


def _canonical() -> Iterator[tuple[str, ...]]:
    for table, columns in COLUMNS.items():
        for column in columns.values():
            yield table, column.name, "", column.says(), NEEDS[column.need], "canonical extract"


def _outcomes(definitions: Sequence[Definition]) -> Iterator[tuple[str, ...]]:
    for definition in definitions:
        holds = "one of met, not_met, not_assessable"
        source = f"{definition.source.authors} {definition.source.year}"
        yield "analysis_set", definition.name, definition.title, holds, "of another disease", source


def _factor(factor: Characteristic) -> tuple[str, ...]:
    holds = CODINGS[factor.coding].format(", ".join(factor.levels) or factor.unit)
    return "analysis_set", factor.name, factor.title, holds, "unknown", factor.source
