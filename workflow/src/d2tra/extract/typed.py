"""From text to typed cells: what a column cannot hold is a finding, judged by the table's pandera schema."""

from __future__ import annotations

import polars as pl

from d2tra.extract.cells import read_number
from d2tra.extract.findings import AS_READ, collect, find
from d2tra.extract.schemas import COLUMNS, READERS, Column, schema
from d2tra.extract.table_rules import Findings

KEPT = ("place", "clinic")  # what harmonised rows carry beside their canonical columns
NOTHING = collect([])  # stands where a column breaks nothing: each rule keeps its place


def read_table(
    text: pl.DataFrame, table: str, only: tuple[str, ...] | None = None
) -> tuple[pl.DataFrame, Findings]:
    """Returns the table typed (every canonical column, source, source_row, row) and what its cells break.

    Cells that break their column's kind, range, words or pattern become null; so do key cells, whose row is set aside.
    `only`: these columns instead of all. The findings are as many frames, in the same order, for any rows of the table.
    """
    columns = [column for column in COLUMNS[table].values() if only is None or column.name in only]
    empty = {
        c.name for c in columns if c.name not in text.columns or text[c.name].null_count() == text.height
    }
    typed = (
        text.lazy()
        .select(
            *(
                # most columns of most extracts are empty: a constant takes neither time nor memory
                pl.lit(None, dtype=column.dtype).alias(column.name)
                if column.name in empty
                else READERS[column.kind](pl.col(column.name)).cast(column.dtype).alias(column.name)
                for column in columns
            ),
            *(name for name in text.columns if name.startswith(AS_READ) or name in KEPT),
            "source",
            "source_row",
            "row",
        )
        .collect()
    )  # lazy: what several columns, or one twice, ask for is made once
    text = text.with_columns(
        pl.lit(None, dtype=pl.String).alias(name) for name in empty if name not in text.columns
    )
    failures = _schema_failures(typed, table, judged_columns(typed, table))
    findings: Findings = []
    emptied = []
    for column in columns:
        found, broken = _misfits(text, table, column, failures)
        findings += [NOTHING, NOTHING] if column.name in empty else _unread(text, typed, table, column)
        findings += found
        if broken is not None:
            emptied.append(pl.when(~broken).then(pl.col(column.name)).alias(column.name))
    return typed.with_columns(emptied), findings


def judged_columns(typed: pl.DataFrame, table: str) -> tuple[str, ...]:
    """Returns the columns of which a schema can say anything: not the empty ones that may be empty."""
    return tuple(
        name
        for name, column in COLUMNS[table].items()
        if name in typed.columns and (column.need == "R" or typed[name].null_count() < typed.height)
    )


def _schema_failures(typed: pl.DataFrame, table: str, only: tuple[str, ...]) -> pl.DataFrame:
    """column, check, row of every cell that fails the table's pandera schema."""
    from pandera.errors import SchemaErrors

    try:
        schema(table, only).validate(typed, lazy=True)
    except SchemaErrors as failed:
        cases = failed.failure_cases
        return cases.select("column", "check", row=typed["row"].gather(cases["index"].cast(pl.Int64)))
    return pl.DataFrame(schema={"column": pl.String, "check": pl.String, "row": typed.schema["row"]})


def _unread(text: pl.DataFrame, typed: pl.DataFrame, table: str, column: Column) -> Findings:
    """Findings for cells that hold something, but nothing of the column's kind."""
    name = column.name
    unread = text[name].is_not_null() & typed[name].is_null()
    if not unread.any():
        return [NOTHING, NOTHING]
    if column.kind == "int" and not column.is_key:
        is_number = read_number(pl.col(name)).is_not_null()
        return [
            find(text, table, name, "not_a_number", pl.lit(unread) & ~is_number),
            find(text, table, name, "not_a_whole_number", pl.lit(unread) & is_number),
        ]
    rule = {"float": "not_a_number", "bool": "not_true_or_false"}.get(column.kind, "not_a_date")
    rule = "broken_key" if column.is_key else rule
    return [find(text, table, name, rule, pl.lit(unread)), NOTHING]


def _misfits(
    text: pl.DataFrame, table: str, column: Column, failures: pl.DataFrame
) -> tuple[Findings, pl.Expr | None]:
    """Findings for cells that were read and fail the schema, and which cells to empty."""
    mine = failures.filter(pl.col("column") == column.name)
    if mine.is_empty():
        return [NOTHING, NOTHING], None
    null = pl.col("check") == "not_nullable"
    empty = pl.col("row").is_in(mine.filter(null)["row"].implode()) & pl.col(column.name).is_null()
    broken = pl.col("row").is_in(mine.filter(~null)["row"].implode())
    rule = "broken_key" if column.is_key else "not_in_list" if column.allowed else "out_of_range"
    return [
        find(text, table, column.name, "missing_key", empty),
        find(text, table, column.name, rule, broken),
    ], broken
