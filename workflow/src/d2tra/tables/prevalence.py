"""How many meet each definition, under each policy for a criterion 3 that nobody recorded."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from d2tra.estimates import wilson_high, wilson_low
from d2tra.risk_factors import HANGS
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell
from d2tra.tables.results import POLICIES, SYNTHETIC, WILSON, Results
from d2tra.tables.table import Table

KEYS = ["definition", "criterion_3_policy"]
MET = "Met"
UPPER = "Upper bound (not assessable counted as met)"
PREVALENCE = [
    *KEYS,
    "n",
    "n_met",
    "n_not_met",
    "n_not_assessable",
    "percent",
    "ci_low",
    "ci_high",
    "lower_bound",
    "upper_bound",
    "percent_complete_case",
]


def count_prevalence(
    members: pl.DataFrame, policies: pl.DataFrame, definitions: Sequence[str]
) -> pl.DataFrame:
    """Returns one row per definition × criterion-3 policy, in the order of `definitions` and of the policies.

    `members`: site, patient_id. `policies`: site, patient_id, definition, criterion_3_policy, status (a definition has
    rows for the patients of its disease; they are the denominator). Columns: PREVALENCE; percentages 0–100, null
    where n (or met + not met) is 0: percent (met/n) with Wilson 95 % limits, lower_bound (= met/n), upper_bound
    ((met + not assessable)/n), percent_complete_case (met/(met + not met)).
    """
    asked = pl.DataFrame({"definition": list(definitions)}).join(
        pl.DataFrame({"criterion_3_policy": list(POLICIES)}), how="cross"
    )
    of_members = policies.join(members, on=["site", "patient_id"], how="semi")
    counts = of_members.group_by(KEYS).agg(
        n=pl.len().cast(pl.Int64),
        **{
            f"n_{status}": (pl.col("status") == status).sum().cast(pl.Int64)
            for status in ("met", "not_met", "not_assessable")
        },
    )
    counted = asked.join(counts, on=KEYS, how="left", maintain_order="left").with_columns(
        pl.col("^n.*$").fill_null(0)
    )
    n, met, known = pl.col("n"), pl.col("n_met"), pl.col("n_met") + pl.col("n_not_met")
    return counted.with_columns(
        percent=_percent(met, n),
        ci_low=100 * wilson_low(met, n),
        ci_high=100 * wilson_high(met, n),
        lower_bound=_percent(met, n),
        upper_bound=_percent(met + pl.col("n_not_assessable"), n),
        percent_complete_case=_percent(met, known),
    ).select(PREVALENCE)


def prevalence(results: Results) -> Table:
    """Returns each definition's prevalence under the study's policy, with the bounds that the not assessable leave."""
    rows = results.prevalence.filter(pl.col("criterion_3_policy") == results.study.if_criterion_3_unrecorded)
    cells: list[Cell] = []
    for counted in rows.filter(pl.col("n") > 0).iter_rows(named=True):
        name, n, met = counted["definition"], counted["n"], counted["n_met"]
        row = _row(results, name)
        unknown = counted["n_not_assessable"]
        cells += [
            proportion_cell(row, MET, met, n),
            count_cell(row, "Not met", counted["n_not_met"]),
            count_cell(row, "Not assessable", unknown),
            proportion_cell(row, UPPER, met + unknown, n),
            proportion_cell(row, "Complete cases", met, n - unknown),
            count_cell(
                row,
                "Met only through presumed drug failures",
                int(results.analysis_set[name + HANGS].sum() or 0),
            ),
        ]
    notes = (
        WILSON,
        "Denominator: cohort members of the definition's disease. The lower bound counts the not assessable as not met: "
        "it is the first column.",
        f"Criterion 3, where it is not recorded: {POLICIES[results.study.if_criterion_3_unrecorded]}.",
        *_optional_notes(results),
        *([SYNTHETIC] if results.synthetic else []),
    )
    return Table("prevalence", f"Prevalence by definition, cohort {results.cohort}", as_cells(cells), notes)


def prevalence_by_policy(results: Results) -> Table:
    """Returns each definition's prevalence under the four policies side by side, and how many are not assessable."""
    cells: list[Cell] = []
    for counted in results.prevalence.filter(pl.col("n") > 0).iter_rows(named=True):
        row, column = _row(results, counted["definition"]), _heading(counted["criterion_3_policy"])
        cells.append(proportion_cell(row, column, counted["n_met"], counted["n"], "met"))
        cells.append(
            proportion_cell(row, column, counted["n_not_assessable"], counted["n"], "not assessable")
        )
    notes = (
        WILSON,
        f"The study's own policy: {results.study.if_criterion_3_unrecorded}.",
        *_optional_notes(results),
        *([SYNTHETIC] if results.synthetic else []),
    )
    title = f"Prevalence by what is taken of a criterion 3 that is not recorded, cohort {results.cohort}"
    return Table("prevalence_by_policy", title, as_cells(cells), notes)


def prevalence_by_cohort(results: Results) -> Table:
    """Returns the primary definition's prevalence in every cohort of the study, under the study's policy."""
    policy = results.study.if_criterion_3_unrecorded
    cells: list[Cell] = []
    for cohort, counted in results.by_cohort.items():
        of_primary = counted.filter(definition=results.primary, criterion_3_policy=policy).filter(
            pl.col("n") > 0
        )
        for found in of_primary.iter_rows(named=True):
            cells += [
                proportion_cell(cohort, MET, found["n_met"], found["n"]),
                count_cell(cohort, "Not met", found["n_not_met"]),
                count_cell(cohort, "Not assessable", found["n_not_assessable"]),
                proportion_cell(cohort, UPPER, found["n_met"] + found["n_not_assessable"], found["n"]),
            ]
    title = f"Prevalence of {results.definitions[results.primary].title} in each cohort"
    return Table("prevalence_by_cohort", title, as_cells(cells), results.footnotes(WILSON))


def _optional_notes(results: Results) -> list[str]:
    named = [
        (name, results.definitions[name].optional)
        for name in results.study.definition_names
        if name in results.definitions
    ]
    return [f"{name}: left out where unknown: {', '.join(optional)}." for name, optional in named if optional]


def _row(results: Results, name: str) -> str:
    primary = ", primary" if name == results.primary else ""
    return f"{results.definitions[name].title} ({name}{primary})"


def _heading(policy: str) -> str:
    words = POLICIES[policy]
    return f"{words[0].upper()}{words[1:]} ({policy})"


def _percent(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(100 * part / whole)
