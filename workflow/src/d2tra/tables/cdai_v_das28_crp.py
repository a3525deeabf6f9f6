"""Do CDAI and DAS28-CRP say the same of a patient whose drug suppresses CRP? Their bands, crossed."""

from __future__ import annotations

import polars as pl

from d2tra.codelists import dmards
from d2tra.scores.settings import load_score_settings
from d2tra.tables.agreement import PATIENTS
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell
from d2tra.tables.results import WILSON, Results
from d2tra.tables.table import Table

KEY = ["site", "patient_id"]
GROUPS = {
    True: "On a b/tsDMARD that suppresses CRP",
    False: "On no b/tsDMARD that suppresses CRP",
}
CDAI, DAS28_CRP = "CDAI: ", "DAS28-CRP: "
BOTH, LOWER, LEFT_OUT = "both bands known", "lower band by DAS28-CRP than by CDAI", "Band or drug not known"
NOTES = (
    WILSON,
    "Both scores of the visit at the index date. CDAI holds no acute-phase reactant; a drug that blocks interleukin-6 or the "
    "Janus kinases lowers CRP whatever the joints do. The drug is ongoing at that visit.",
)


def cdai_v_das28_crp(results: Results) -> Table:
    """Returns the bands of CDAI against those of DAS28-CRP at the index visit, for patients on and not on a b/tsDMARD that
    suppresses CRP, and in how many DAS28-CRP gives the lower band; no cell where the study has no scores."""
    title = f"CDAI and DAS28-CRP by drugs that suppress CRP, cohort {results.cohort}"
    cells: list[Cell] = []
    if results.scores is not None and results.sequence is not None:
        bands = {
            score: [edge.band for edge in load_score_settings().bands_of(score)]
            for score in ("cdai", "das28_crp")
        }
        members = results.analysis_set.select(*KEY, "index_date")
        patients = _judged(members, results.scores, results.sequence, bands)
        known = patients.drop_nulls()
        for suppressed, row in GROUPS.items():
            cells += _crossed(row, known.filter(pl.col("suppressed") == suppressed), bands)
        cells.append(count_cell(LEFT_OUT, PATIENTS, patients.height - known.height))
    return Table("cdai_v_das28_crp", title, as_cells(cells), results.footnotes(*NOTES))


def _judged(
    members: pl.DataFrame, scores: pl.DataFrame, sequence: pl.DataFrame, bands: dict[str, list[str]]
) -> pl.DataFrame:
    """Per member: cdai_band and das28_crp_band (Enum) of the visit at the index date; suppressed (null: the site has told
    of no b/tsDMARD)."""
    drugs = dmards().filter("suppresses_crp")["molecule"]
    ongoing = (pl.col("start_date") <= pl.col("index_date")) & (
        pl.col("stop_date") > pl.col("index_date")
    ).fill_null(True)
    taking = (
        sequence.filter(pl.col("molecule").is_in(drugs.implode()))
        .join(members, on=KEY)
        .filter(ongoing)
        .select(*KEY, taking=True)
        .unique()
    )
    return (
        members.join(scores, left_on=[*KEY, "index_date"], right_on=[*KEY, "visit_date"], how="left")
        .join(taking, on=KEY, how="left")
        .select(
            *(pl.col(f"{score}_band").cast(pl.Enum(names)) for score, names in bands.items()),
            suppressed=pl.when(pl.col("site").is_in(sequence["site"].implode())).then(
                pl.col("taking").fill_null(False)
            ),
        )
    )


def _crossed(row: str, patients: pl.DataFrame, bands: dict[str, list[str]]) -> list[Cell]:
    cells = [
        count_cell(
            row,
            DAS28_CRP + das28,
            patients.filter(cdai_band=cdai, das28_crp_band=das28).height,
            CDAI + cdai,
        )
        for cdai in reversed(bands["cdai"])
        for das28 in bands["das28_crp"]
    ]
    rank = {score: pl.col(f"{score}_band").to_physical() for score in bands}
    n_lower = patients.filter(rank["das28_crp"] < rank["cdai"]).height
    cells.append(count_cell(row, PATIENTS, patients.height, BOTH))
    cells.append(proportion_cell(row, PATIENTS, n_lower, patients.height, LOWER))
    return cells
