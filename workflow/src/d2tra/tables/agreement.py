"""How far the definitions agree: two by two, and which of them are met together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import polars as pl

from d2tra.estimates import Interval, kappa
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell, value_cell
from d2tra.tables.results import POLICIES, SYNTHETIC, WILSON, Results
from d2tra.tables.table import Table

AGREEMENT: dict[str, type[pl.DataType]] = {
    "definition_1": pl.String,
    "definition_2": pl.String,
    "n": pl.Int64,
    "n_both": pl.Int64,
    "n_only_1": pl.Int64,
    "n_only_2": pl.Int64,
    "n_neither": pl.Int64,
    "n_unknown": pl.Int64,
    "percent_agreement": pl.Float64,
    "cohen_kappa": pl.Float64,
    "cohen_kappa_ci_low": pl.Float64,
    "cohen_kappa_ci_high": pl.Float64,
    "gwet_ac1": pl.Float64,
    "gwet_ac1_ci_low": pl.Float64,
    "gwet_ac1_ci_high": pl.Float64,
}
COUNTS = {
    "n_both": "Both",
    "n_only_1": "Only the first",
    "n_only_2": "Only the second",
    "n_neither": "Neither",
    "n_unknown": "Not assessable under either or both",
}
ANY = "Met under any definition"
EACH = "Met under each definition"
EXACTLY = "Met under exactly these"
OTHERS = "Met under another combination"
PATIENTS = "Patients"
TOGETHER = " + "
MOST_COMBINATIONS = 15


def count_agreement(analysis_set: pl.DataFrame, definitions: Sequence[str]) -> pl.DataFrame:
    """Returns one row per pair of definitions, in their order; columns AGREEMENT.

    `analysis_set`: a column per definition: met, not_met, not_assessable; null = a definition of another disease. `n`:
    patients under both definitions (a pair that shares none has no row) = n_both + n_only_1 + n_only_2 + n_neither
    (judged under both) + n_unknown (not assessable under at least one). percent_agreement (0–100), Cohen's kappa and
    Gwet's AC1 (−1 to 1, 95 % Wald limits) are of those judged under both; null where there is nobody, kappa also
    where both definitions give everybody the same verdict.
    """
    statuses = analysis_set.select(definitions)
    applies = statuses.select(pl.all().is_not_null())
    met, not_met = (
        statuses.select((pl.all() == status).fill_null(False)).to_numpy().astype(int)
        for status in ("met", "not_met")
    )
    shared = applies.to_numpy().astype(int)
    counts = {
        "n": shared.T @ shared,
        "n_both": met.T @ met,
        "n_only_1": met.T @ not_met,
        "n_only_2": not_met.T @ met,
        "n_neither": not_met.T @ not_met,
    }
    pairs = [pair for pair in combinations(range(len(definitions)), 2) if counts["n"][pair]]
    rows = [
        {"definition_1": definitions[first], "definition_2": definitions[second]}
        | _agreement(**{name: int(found[first, second]) for name, found in counts.items()})
        for first, second in pairs
    ]
    return pl.DataFrame(rows, schema=AGREEMENT)


def agreement(results: Results) -> Table:
    """Returns a line per definition set against the primary one: the cross table, the observed agreement, Cohen's kappa
    and Gwet's AC1. Every pair stands in agreement.csv."""
    counted = count_agreement(results.analysis_set, results.study.definition_names)
    counted = counted.filter(pl.col("definition_1") == results.primary)
    cells = [cell for pair in counted.iter_rows(named=True) for cell in _pair_cells(pair)]
    notes = (
        "Definitions by their names, each set against the primary one. Agreement, kappa and AC1 are of the patients who "
        "could be judged under both.",
        f"{WILSON} Cohen's kappa (standard error of Fleiss, Cohen & Everitt 1969) and Gwet's AC1 (Gwet 2008) with 95 % "
        "Wald intervals; kappa falls where hardly anybody or nearly everybody meets both, AC1 does so less.",
        *_common_notes(results),
    )
    return Table(
        "agreement", f"Agreement of the definitions, cohort {results.cohort}", as_cells(cells), notes
    )


def definition_overlap(results: Results) -> Table:
    """Returns how many meet any definition, each of them, and exactly which together: the largest MOST_COMBINATIONS
    (the others as one line). No cells where fewer than two definitions judge anybody."""
    names = [name for name in results.study.definition_names if results.analysis_set[name].count()]
    cells = _overlap_cells(results.analysis_set, names) if len(names) > 1 else []
    notes = (
        WILSON,
        "Definitions by their names. A definition that cannot be assessed in a patient counts as not met by the patient "
        f"here. The {MOST_COMBINATIONS} largest combinations are shown.",
        *_common_notes(results),
    )
    title = f"Definitions that are met together, cohort {results.cohort}"
    return Table("definition_overlap", title, as_cells(cells), notes)


def _agreement(n: int, n_both: int, n_only_1: int, n_only_2: int, n_neither: int) -> dict[str, Any]:
    judged = n_both + n_only_1 + n_only_2 + n_neither
    crossed = (n_both, n_only_1, n_only_2, n_neither)
    return {
        "n": n,
        **dict(zip(COUNTS, (*crossed, n - judged), strict=True)),
        "percent_agreement": 100 * (n_both + n_neither) / judged if judged else None,
        **_limits("cohen_kappa", kappa(*crossed)),
        **_limits("gwet_ac1", kappa(*crossed, kind="gwet")),
    }


def _limits(name: str, found: Interval) -> dict[str, float | None]:
    return dict(zip((name, f"{name}_ci_low", f"{name}_ci_high"), found, strict=True))


def _pair_cells(pair: dict[str, Any]) -> list[Cell]:
    row, level = pair["definition_1"], pair["definition_2"]
    crossed = [pair[name] for name in COUNTS if name != "n_unknown"]
    # Together with the counts beside them, these give back a count of the cross table that is held back.
    hidden = {"level": level, "smallest": min((count for count in crossed if count), default=None)}
    agreed = pair["n_both"] + pair["n_neither"]
    return [
        *(count_cell(row, column, pair[name], level) for name, column in COUNTS.items()),
        proportion_cell(row, "Agreement", agreed, sum(crossed), **hidden),
        *(
            value_cell("estimate", row, column, *(pair[name + end] for end in ("", "_ci_low", "_ci_high")), **hidden)
            for name, column in (("cohen_kappa", "Cohen's kappa"), ("gwet_ac1", "Gwet's AC1"))
        ),
    ]  # fmt: skip


def _overlap_cells(analysis_set: pl.DataFrame, names: list[str]) -> list[Cell]:
    met_under = [pl.when(pl.col(name) == "met").then(pl.lit(name)) for name in names]
    together = analysis_set.select(
        pl.concat_str(met_under, separator=TOGETHER, ignore_nulls=True).alias("names")
    )
    counted = (
        together.filter(pl.col("names") != "")
        .group_by("names")
        .len()
        .sort("len", "names", descending=[True, False])
    )
    n_of = analysis_set.select(pl.any_horizontal(pl.col(names).is_not_null()).sum()).item()
    cells = [proportion_cell(ANY, PATIENTS, int(counted["len"].sum()), n_of)]
    for name in names:
        judged = analysis_set[name]
        cells.append(proportion_cell(EACH, PATIENTS, int((judged == "met").sum()), judged.count(), name))
    largest, others = counted.head(MOST_COMBINATIONS), counted.slice(MOST_COMBINATIONS)
    cells += [count_cell(EXACTLY, PATIENTS, n, level) for level, n in largest.iter_rows()]
    if others.height:
        cells.append(count_cell(OTHERS, PATIENTS, int(others["len"].sum())))
    return cells


def _common_notes(results: Results) -> list[str]:
    policy = results.study.if_criterion_3_unrecorded
    return [
        f"Criterion 3, where it is not recorded: {POLICIES[policy]} ({policy}).",
        *([SYNTHETIC] if results.synthetic else []),
    ]
