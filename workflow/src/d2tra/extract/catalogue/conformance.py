"""Does the extract keep to the canonical tables? Read off what validation set aside and counted: nothing is judged twice."""

from __future__ import annotations

import polars as pl

from d2tra.extract.catalogue.facts import Counted, Facts, NotApplicableError
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import REQUIRED_TABLES


def table_present(facts: Facts, table: str, column: str) -> Counted:  # noqa: ARG001
    """The table is there with at least one row; an optional one may be absent."""
    if table in facts.valid and facts.valid[table].height:
        return Counted(1, 0, "tables")
    if table not in REQUIRED_TABLES:
        raise NotApplicableError("an optional table, not in the extract")
    return Counted(1, 1, "tables", "the table is absent or has no valid row")


def column_present(facts: Facts, table: str, column: str) -> Counted:
    """The column holds at least one value; an optional one may be absent."""
    rows = facts.rows(table)
    if rows[column].count() or facts.n_set_aside(table, column):
        return Counted(1, 0, "columns")
    if not COLUMNS[table][column].must_exist:
        raise NotApplicableError("an optional column, without any value in the extract")
    return Counted(1, 1, "columns", "a required column without any value")


def set_aside(facts: Facts, table: str, column: str, rules: list[str]) -> Counted:
    """Cells that broke one of these rules of validation, of all cells that held (or had to hold) something."""
    n_rows = facts.rows(table)[column].count() + facts.n_set_aside(table, column)
    if not n_rows:
        raise NotApplicableError("no value in the extract")
    return Counted(n_rows, facts.n_set_aside(table, column, rules))


def accounted(facts: Facts, table: str, column: str, count: str) -> Counted:  # noqa: ARG001
    """A count of accounting.csv, of the rows read."""
    facts.rows(table)
    row = facts.accounting.filter(pl.col("table") == table)
    return Counted(row["n_read"].item(), row[count].item(), "rows")


def listed(facts: Facts, table: str, column: str, check: str, of: str = "rows") -> Counted:
    """What quality.csv says of this check: its count, of all `rows` of the table, of all `patients`, of the `cells`
    filled in the column, or in the column named."""
    if check not in facts.limits:
        raise KeyError(f"config/quality.yaml has no check {check}")
    rows = facts.rows(table)
    cells = column if of in ("rows", "patients", "cells") else of
    if cells and not rows[cells].count():
        raise NotApplicableError("no value in the extract")
    mine = facts.listed.filter((pl.col("table") == table) & (pl.col("check") == check))
    mine = mine.filter(pl.col("column") == column) if column else mine
    n_failing = int(mine["n"].cast(pl.Int64).sum())
    if of == "patients":
        return Counted(facts.rows("patients").height, n_failing, of)
    n = rows.height if of == "rows" else rows[cells].count()
    return Counted(n, n_failing, of if of == "rows" else "cells")
