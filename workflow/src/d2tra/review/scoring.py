"""What the answers say: which labels the reviewers confirm, how often, and what that does to the prevalence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal

import polars as pl

from d2tra.estimates import kappa
from d2tra.review import posterior
from d2tra.review.sampling import CRITERION, UNJUDGED
from d2tra.review.workbook import CANNOT_TELL, NO, YES
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell, value_cell

LABELS = {"met": "Labelled met", "not_met": "Labelled not met", UNJUDGED: "Not assessable"}
ESTIMATE = "Estimate (95 % CI)"
IF_NO, IF_YES = "If every undecided chart were no", "If every undecided chart were yes"
ASSESSABLE = ("met", "not_met")
# row: the measure, the labels whose charts it rests on
MEASURES: dict[str, tuple[posterior.Measure, tuple[str, ...]]] = {
    "Sensitivity, %": (posterior.sensitivity, ASSESSABLE),
    "Specificity, %": (posterior.specificity, ASSESSABLE),
    "Positive predictive value, %": (posterior.positive_predictive, ("met",)),
    "Negative predictive value, %": (posterior.negative_predictive, ("not_met",)),
    "Prevalence by review, of the assessable, %": (posterior.prevalence_assessable, ASSESSABLE),
    "Prevalence by review, of all members, %": (posterior.prevalence_all, tuple(LABELS)),
    "Cohen's kappa, label and review": (posterior.cohen_kappa, ASSESSABLE),
    "Gwet's AC1, label and review": (posterior.gwet_ac1, ASSESSABLE),
}
# Undecided charts move these furthest where all of them are yes, or all are no.
BOUNDED = [row for row in MEASURES if row.startswith(("Positive", "Negative", "Prevalence"))]
KAPPAS: dict[Literal["cohen", "gwet"], str] = {"cohen": "Cohen's kappa", "gwet": "Gwet's AC1"}
UNWEIGHTED = "unweighted: agreement within the charts read, which are no fair picture of the cohort"


def combine_reviewers(readings: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Returns one answer per chart and question: that of the reviewers who answered if they agree, else `cannot tell`;
    null where nobody answered. `readings`: as `read_answers` gives them, of the same sample."""
    answers = pl.concat(readings)
    agreed = {name: pl.col(name).drop_nulls() for name in answers.columns if name != "review_number"}
    return (
        answers.group_by("review_number")
        .agg(
            pl.when(given.n_unique() > 1).then(pl.lit(CANNOT_TELL)).otherwise(given.first()).alias(name)
            for name, given in agreed.items()
        )
        .sort("review_number")
    )


def score_review(
    key: pl.DataFrame, readings: Sequence[pl.DataFrame], criteria: Mapping[str, str], seed: int
) -> list[pl.DataFrame]:
    """Returns the blocks of review.csv, each a frame of cells: charts by stratum, label against review, accuracy and
    corrected prevalence (weighted by design, `d2tra.review.posterior.METHOD`), agreement with the label and, where there
    are two reviewers, between them.

    `key`: the sample with label, stratum, n_in_stratum and `criterion <id>`. A chart that was not answered is taken as
    missing by chance within its stratum, and so is one that could not be decided; what these could change is bounded in
    columns of their own.
    """
    answers = combine_reviewers(readings)
    charts = key.join(
        answers.rename({c: f"answer {c}" for c in answers.columns if c != "review_number"}),
        on="review_number",
        validate="1:1",
        maintain_order="left",
    )
    blocks = [_chart_cells(charts), _crossed_cells(charts), _accuracy_cells(charts, seed)]
    names = {"overall": "All in all"} | {
        criterion: f"Criterion {criterion}: {title}" for criterion, title in criteria.items()
    }
    labelled = {"overall": "label"} | {criterion: CRITERION + criterion for criterion in criteria}
    verdicts = charts.with_columns(
        pl.col(name).replace_strict({"met": YES, "not_met": NO}, default=None) for name in labelled.values()
    )
    compared = {
        f"{name}: program and review": verdicts.select(first=labelled[short], second=f"answer {short}")
        for short, name in names.items()
    }
    blocks.append(_each_agreement(compared))
    if len(readings) > 1:
        pair = readings[0].join(readings[1], on="review_number", suffix=" 2", validate="1:1")
        compared = {
            f"{name}: both reviewers": pair.select(first=short, second=f"{short} 2")
            for short, name in names.items()
        }
        blocks.append(_each_agreement(compared))
    return [as_cells(block) for block in blocks]


def count_strata(charts: pl.DataFrame) -> pl.DataFrame:
    """Returns stratum, label, n (patients), n_drawn, n_answered, n_decided, n_yes; sorted by label and stratum."""
    answer = pl.col("answer overall")
    return (
        charts.group_by("stratum", "label", maintain_order=True)
        .agg(
            n=pl.col("n_in_stratum").first(),
            n_drawn=pl.len().cast(pl.Int64),
            n_answered=answer.count().cast(pl.Int64),
            n_decided=answer.is_in([YES, NO]).sum().cast(pl.Int64),
            n_yes=(answer == YES).sum().cast(pl.Int64),
        )
        .sort("label", "stratum")
    )


def _chart_cells(charts: pl.DataFrame) -> list[Cell]:
    columns = {
        "n": "Patients",
        "n_drawn": "Drawn",
        "n_answered": "Answered",
        "n_decided": "Decided",
        "n_yes": "Yes by review",
    }
    return [
        count_cell("Charts", title, stratum[name], stratum["stratum"].replace("_", " "))
        for stratum in count_strata(charts).iter_rows(named=True)
        for name, title in columns.items()
    ]


def _crossed_cells(charts: pl.DataFrame) -> list[Cell]:
    answer = pl.col("answer overall")
    columns = {
        "Review: yes": answer == YES,
        "Review: no": answer == NO,
        "Undecided": answer == CANNOT_TELL,
        "Not answered": answer.is_null(),
    }
    return [
        count_cell("Charts read", title, charts.filter((pl.col("label") == label) & condition).height, name)
        for (label, name), (title, condition) in product(LABELS.items(), columns.items())
    ]


def _accuracy_cells(charts: pl.DataFrame, seed: int) -> list[Cell]:
    counted = count_strata(charts)
    undecided = pl.col("n_answered") - pl.col("n_decided")
    cases = {ESTIMATE: counted}
    if int(counted.select(undecided.sum()).item()):
        cases[IF_NO] = counted.with_columns(n_decided="n_answered")
        cases[IF_YES] = counted.with_columns(n_decided="n_answered", n_yes=pl.col("n_yes") + undecided)
    cells = [_labelled_cell(counted)]
    for column, case in cases.items():
        strata = posterior.merge_undecided(case)
        drawn = posterior.draw_totals(strata, seed)
        for row in MEASURES if column == ESTIMATE else BOUNDED:
            measure, labels = MEASURES[row]
            found = posterior.estimate_measure(measure, strata, drawn)
            estimate, low, high = (_shown(row, value) for value in found)
            cell = value_cell("estimate", row, column, estimate, low, high)
            cells.append(cell | {"note": posterior.METHOD} | _charts_behind(case, labels))
    return cells


def _charts_behind(case: pl.DataFrame, labels: Sequence[str]) -> dict[str, int | None]:
    """The decided charts of these labels, and the smallest count of yes or no that they give away."""
    of_labels = case.filter(pl.col("label").is_in(labels))
    n_yes, n_decided = of_labels["n_yes"].to_list(), of_labels["n_decided"].to_list()
    n_no = [n - yes for n, yes in zip(n_decided, n_yes, strict=True)]
    return {"n": sum(n_decided), "smallest": _smallest([*n_yes, *n_no])}


def _shown(row: str, value: float | None) -> float | None:
    return 100 * value if value is not None and row.endswith("%") else value


def _smallest(counts: Sequence[int]) -> int | None:
    return min((count for count in counts if count), default=None)


def _labelled_cell(counted: pl.DataFrame) -> Cell:
    n_met = int(counted.filter(pl.col("label") == "met")["n"].sum())
    n_known = int(counted.filter(pl.col("label") != UNJUDGED)["n"].sum())
    return proportion_cell(
        "Labelled met, of the assessable", ESTIMATE, n_met, n_known, note="Wilson 95 % limits"
    )


def _each_agreement(compared: Mapping[str, pl.DataFrame]) -> list[Cell]:
    return [cell for row, pairs in compared.items() for cell in _agreement_cells(row, pairs)]


def _agreement_cells(row: str, pairs: pl.DataFrame) -> list[Cell]:
    """`pairs`: first, second (yes, no, others are undecided); unweighted."""
    decided = pairs.filter(pl.col("first").is_in([YES, NO]), pl.col("second").is_in([YES, NO]))
    both, only_first, only_second, neither = (
        decided.filter(pl.col("first") == first, pl.col("second") == second).height
        for first, second in product((YES, NO), repeat=2)
    )
    n = decided.height
    cells = [proportion_cell(row, "Agreement", both + neither, n)]
    for kind, column in KAPPAS.items():
        found = kappa(both, only_first, only_second, neither, kind=kind)
        cells.append(value_cell("estimate", row, column, *found) | {"n": n})
    hidden = {"smallest": _smallest([both, only_first, only_second, neither]), "note": UNWEIGHTED}
    return [cell | hidden for cell in cells]
