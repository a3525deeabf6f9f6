"""Every check of the catalogue, run on one site: pass, fail, not applicable or error, never one taken for another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from d2tra.extract.catalogue.facts import Facts, Group, NotApplicableError
from d2tra.extract.catalogue.histories import PAIRS, same_patient_pairs
from d2tra.extract.catalogue.plan import Check, load_catalogue
from d2tra.extract.schemas import COLUMNS, ROW_DATES

STATUSES = ("pass", "fail", "not_applicable", "error")
CHECKS: dict[str, pl.DataType] = {
    "check": pl.String(), "table": pl.String(), "column": pl.String(), "category": pl.String(),
    "subcategory": pl.String(), "description": pl.String(), "threshold": pl.Float64(), "n_rows": pl.Int64(),
    "n_failing": pl.Int64(), "share": pl.Float64(), "status": pl.String(), "note": pl.String(),
    "family": pl.String(), "severity": pl.String(), "counted": pl.String(), "source": pl.String(),
}  # fmt: skip
FILLED: dict[str, pl.DataType] = {
    "table": pl.String(), "column": pl.String(), "by": pl.String(), "group": pl.String(), "n": pl.Int64(),
    "n_filled": pl.Int64(),
}  # fmt: skip
DECIMALS = 2


def catalogue_findings(facts: Facts) -> dict[str, pl.DataFrame]:
    """Returns quality_checks (see `run_catalogue`) and same_patient (see `same_patients`), by config/quality.yaml."""
    checks = load_catalogue()
    return {"quality_checks": run_catalogue(checks, facts), "same_patient": same_patients(checks, facts)}


def run_catalogue(checks: Sequence[Check], facts: Facts) -> pl.DataFrame:
    """Returns one row per check, in their order.

    check (id), table, column (null: the whole table), category, subcategory, description, threshold (% that may fail),
    n_rows (looked at), n_failing, share (%, 2 decimals; null where nothing was looked at), status (`pass`, `fail`: share
    above the threshold, `not_applicable`: nothing there to judge, `error`: the check could not run), note (which
    groups fail, why not applicable, what went wrong), family, severity, counted (what n_rows counts), source.
    """
    return pl.DataFrame([_judged(check, facts) for check in checks], schema=CHECKS)


def same_patients(checks: Sequence[Check], facts: Facts) -> pl.DataFrame:
    """Returns the pairs of `same_patient_pairs` by the catalogue's own settings; none where it has no such check."""
    found = [
        same_patient_pairs(facts, **check.settings) for check in checks if check.family.kind == "same_person"
    ]
    return pl.concat([pl.DataFrame(schema=PAIRS), *found])


def filled_cells(facts: Facts) -> pl.DataFrame:
    """Returns how many cells are filled, per table, column, by (year, clinic) and group: n rows, n_filled; optional
    columns with any value only. Order: canonical columns, then groups ascending, rows that tell of none last."""
    found = [pl.DataFrame(schema=FILLED)]
    groupings: tuple[Group, ...] = ("year", "clinic")
    for by in groupings:
        for table in ROW_DATES:
            try:
                groups = facts.grouped(table, by)
            except NotApplicableError:
                continue
            for column in COLUMNS[table].values():
                if column.need != "R" and groups[column.name].sum():
                    found.append(
                        groups.select(
                            table=pl.lit(table), column=pl.lit(column.name), by=pl.lit(by),
                            group=pl.col(by).cast(pl.String).fill_null(f"no {by}"), n=pl.col("n").cast(pl.Int64),
                            n_filled=pl.col(column.name).cast(pl.Int64),
                        )
                    )  # fmt: skip
    return pl.concat(found)


def _judged(check: Check, facts: Facts) -> dict[str, Any]:
    family = check.family
    row: dict[str, Any] = {
        "check": check.id, "table": check.table, "column": check.column or None, "category": family.category,
        "subcategory": family.subcategory, "description": check.says, "threshold": check.threshold,
        "n_rows": 0, "n_failing": 0, "share": None, "note": None, "family": family.name,
        "severity": family.severity, "counted": None, "source": family.source,
    }  # fmt: skip
    try:
        counted = check.kind(facts, check.table, check.column, **check.settings)
    except NotApplicableError as reason:
        return {**row, "status": "not_applicable", "note": str(reason)}
    except Exception as problem:  # a check that breaks must not hide the others, nor pass
        said = str(problem).splitlines() or [""]
        return {**row, "status": "error", "note": f"{type(problem).__name__}: {said[0]}"}
    if not counted.n_rows:
        return {**row, "status": "not_applicable", "note": f"no {counted.of} to judge"}
    share = 100 * counted.n_failing / counted.n_rows
    return {
        **row, "n_rows": counted.n_rows, "n_failing": counted.n_failing, "share": round(share, DECIMALS),
        "status": "fail" if share > check.threshold else "pass", "note": counted.note or None, "counted": counted.of,
    }  # fmt: skip
