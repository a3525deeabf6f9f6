"""quality.html: what the catalogue of data-quality checks found at a site, on one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from d2tra.documents.layout import INTERNAL, SYNTHETIC, templates
from d2tra.extract.catalogue import STATUSES
from d2tra.figures.style import Style

WORDS = {
    "pass": "pass",
    "fail": "fail",
    "not_applicable": "not applicable",
    "error": "error",
    "not_known": "not known",
}
ORDER = {"error": 0, "fail": 1, "pass": 2, "not_applicable": 3}
FEW = 20  # rows of a year or clinic: a share of fewer tells little
DEEPEST = 0.75  # of a colour on white: ink on it keeps a contrast of 4.5 and more


def quality_page(
    title: str,
    synthetic: bool,
    found: Mapping[str, pl.DataFrame],
    filled: pl.DataFrame,
    style: Style,
) -> str:
    """Returns the page of one site, called by its `title`.

    `found`: quality_checks (of `run_catalogue`), same_patient (of `same_patients`), expectations (of
    `compare_with_expectations`) · `filled`: of `filled_cells`. No id and no value of a patient; counts are exact: it never
    leaves the department.
    """
    checks = found["quality_checks"]
    filled = filled.filter(pl.col("n") >= FEW)
    counts = {status: checks.filter(status=status).height for status in STATUSES}
    judged = checks.with_columns(pl.col("status").replace_strict(ORDER).alias("order"))
    pressing = judged.filter(pl.col("status").is_in(["error", "fail"])).sort(
        "order", "severity", "share", descending=[False, True, True], nulls_last=True, maintain_order=True
    )
    warm = style.colours["second"]
    return templates(escape=True).get_template("quality.html.j2").render(
        title=title,
        banners=[INTERNAL, *([SYNTHETIC] if synthetic else [])],
        words=WORDS,
        few=FEW,
        counts=counts,
        n_warnings=checks.filter(status="fail", severity="warning").height,
        n_pairs=found["same_patient"].height,
        statuses=STATUSES,
        summary=list(_summary(checks)),
        pressing=[_in_words(row) for row in pressing.iter_rows(named=True)],
        checks=[_in_words(row) for row in checks.iter_rows(named=True)],
        expected=[_expectation(row) for row in found["expectations"].iter_rows(named=True)],
        families=_families(checks, warm),
        filled=[
            _filled(filled.filter(table=table, by=by), table, by, warm)
            for by, table in filled.select("by", "table").unique(maintain_order=True).rows()
        ],
        choices={name: checks[name].unique(maintain_order=True).to_list() for name in ("category", "table")},
        colours={"pass": style.colours["third"], "fail": style.severity["high"], "error": style.colours["main"]},
    )  # fmt: skip


def _summary(checks: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """A line per category and subcategory: how many checks of each status."""
    names = ["category", "subcategory"]
    for category, subcategory in checks.select(names).unique(maintain_order=True).rows():
        mine = checks.filter(category=category, subcategory=subcategory)
        yield {
            "category": category,
            "subcategory": subcategory.replace("_", " "),
            "counts": [mine.filter(status=status).height for status in STATUSES],
        }


def _in_words(row: Mapping[str, Any]) -> dict[str, Any]:
    looked_at = row["n_rows"]
    found = (
        f"{row['n_failing']:,} of {looked_at:,} {row['counted']} ({row['share']:.2f} %)" if looked_at else "–"
    )
    return {
        **row,
        "column": row["column"] or "",
        "found": found,
        "allowed": f"{row['threshold']:g} %",
        "note": row["note"] or "",
        "subcategory": row["subcategory"].replace("_", " "),
    }


def _expectation(row: Mapping[str, Any]) -> dict[str, str]:
    is_share, unit = row["unit"] == "%", row["unit"]
    if row["found"] is None:
        found = "–"
    elif is_share:
        found = (
            f"{row['n']}/{row['n_known']} ({row['found']:.1f} %; {row['ci_low']:.1f}–{row['ci_high']:.1f})"
        )
    else:
        found = f"{row['found']:.1f} {unit} ({row['ci_low']:.1f}–{row['ci_high']:.1f}; n = {row['n_known']})"
    return {
        "says": row["description"],
        "found": found,
        "n_not_known": str(row["n_not_known"]),
        "expected": f"{row['expected_low']:g}–{row['expected_high']:g} {unit}",
        "verdict": row["verdict"],
        "note": row["note"] or "",
        "source": row["source"],
    }


def _families(checks: pl.DataFrame, colour: str) -> dict[str, Any]:
    """Families × tables: how many checks fail of those that could be judged, in which share the colour deepens."""
    tables = checks["table"].unique(maintain_order=True).to_list()
    ran = pl.col("status").is_in(["pass", "fail", "error"])
    counted = checks.group_by("family", "table", maintain_order=True).agg(
        n=ran.sum(), failing=pl.col("status").is_in(["fail", "error"]).sum()
    )
    cells = {(family, table): (n, failing) for family, table, n, failing in counted.rows()}
    lines = []
    for family in checks["family"].unique(maintain_order=True):
        found = [cells.get((family, table), (0, 0)) for table in tables]
        lines.append(
            {"label": family.replace("_", " "), "cells": [_part(failing, n, colour) for n, failing in found]}
        )
    return {"of": "Kind of check", "headings": tables, "rows": [], "lines": lines}


def _part(failing: int, n: int, colour: str) -> dict[str, str]:
    if not n:
        return {"text": "–", "colour": tint(colour, 0)}
    return {"text": f"{failing} of {n}", "colour": tint(colour, failing / n)}


def _filled(cells: pl.DataFrame, table: str, by: str, colour: str) -> dict[str, Any]:
    """Columns × years or clinics: how many percent of the cells are filled; the emptier, the deeper the colour."""
    groups = cells.select("group", "n").unique(maintain_order=True).rows()
    known = {
        (column, group): (n, k)
        for column, group, n, k in cells.select("column", "group", "n", "n_filled").rows()
    }
    lines: list[dict[str, Any]] = [
        {"label": column, "cells": [_percent(*known[column, group], colour) for group, _ in groups]}
        for column in cells["column"].unique(maintain_order=True)
    ]
    return {
        "name": f"{table}-{by}",
        "title": f"{table}: cells filled by {by}",
        "of": "Column",
        "headings": [group for group, _ in groups],
        "rows": [f"{n:,}" for _, n in groups],
        "lines": lines,
    }


def _percent(n: int, k: int, colour: str) -> dict[str, str]:
    return {"text": f"{percent_of(k, n)} %", "colour": tint(colour, 1 - k / n)}


def percent_of(k: int, n: int) -> int:
    """Returns k of n as a whole percent that is 0 or 100 only where none or all are."""
    return min(max(round(100 * k / n), 1 if k else 0), 100 if k == n else 99)


def tint(colour: str, share: float) -> str:
    """Returns the colour (#RRGGBB) on white, deeper for a larger share (0–1), never too deep for dark text."""
    parts: Sequence[int] = bytes.fromhex(colour[1:])
    mixed = [round(255 - (255 - part) * DEEPEST * share) for part in parts]
    return "#" + bytes(mixed).hex()
