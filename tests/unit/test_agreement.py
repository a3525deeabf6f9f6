"""Agreement of definitions: cross table, kappa, AC1, and which definitions are met together, from a few patients."""

import polars as pl
import pytest

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.disclosure import disclose, load_profile
from d2tra.risk_factor_plan import load_plan
from d2tra.tables import TABLES, Results
from d2tra.tables.agreement import AGREEMENT, MOST_COMBINATIONS, count_agreement
from d2tra.tables.cells import formatted
from tables import frame

FEW = frame("""
    patient_id | wide           | narrow         | other_disease
    A          | met            | met            |
    B          | met            | not_met        |
    C          | met            | not_assessable |
    D          | not_met        | not_met        |
    E          | not_assessable | not_met        |
    F          | not_met        | met            |
    G          | not_assessable | not_assessable |
    H          | met            | met            |
""", other_disease=pl.String)  # fmt: skip


def crossed(both: int, only_1: int, only_2: int, neither: int) -> pl.DataFrame:
    """As many patients with each pair of verdicts."""
    verdicts = [("met", "met"), ("met", "not_met"), ("not_met", "met"), ("not_met", "not_met")]
    rows = [pair for pair, n in zip(verdicts, (both, only_1, only_2, neither), strict=True) for _ in range(n)]
    return pl.DataFrame(rows, schema={"wide": pl.String, "narrow": pl.String}, orient="row")


def results(analysis_set: pl.DataFrame, definitions: list[str], **more) -> Results:
    study = Study(
        name="s", title="t", sites=["north"], cohorts=[{"name": "audit"}], definitions=definitions, seed=1
    )
    return Results(
        study=study,
        cohort="audit",
        plan=load_plan(),
        definitions={"eular_2021": load_definition("eular_2021")},
        analysis_set=analysis_set,
        flow=pl.DataFrame(),
        prevalence=pl.DataFrame(),
        **more,
    )


def shown(name: str, analysis_set: pl.DataFrame, definitions: list[str]) -> dict[tuple, dict[str, str]]:
    """(row, level) → column → the text that a person reads."""
    table = formatted(TABLES[name](results(analysis_set, definitions)).cells)
    return {(line["row"], line["level"]): line for line in table.iter_rows(named=True)}


def test_every_patient_stands_in_one_place_of_the_cross_table():
    found = count_agreement(FEW, ["wide", "narrow"])
    assert dict(found.schema) == AGREEMENT
    row = found.row(0, named=True)
    counts = [row[name] for name in ("n", "n_both", "n_only_1", "n_only_2", "n_neither", "n_unknown")]
    assert counts == [8, 2, 1, 1, 1, 3]
    assert row["percent_agreement"] == pytest.approx(60)


def test_kappa_and_ac1_are_of_those_judged_under_both():
    row = count_agreement(crossed(20, 5, 10, 15), ["wide", "narrow"]).row(0, named=True)
    # By hand: observed 0.70; by chance 0.5 · 0.6 + 0.5 · 0.4 = 0.50 (Cohen), 2 · 0.55 · 0.45 = 0.495 (Gwet)
    assert row["percent_agreement"] == pytest.approx(70)
    assert row["cohen_kappa"] == pytest.approx(0.4)
    assert row["gwet_ac1"] == pytest.approx(0.205 / 0.505)
    assert row["cohen_kappa_ci_low"] < 0.4 < row["cohen_kappa_ci_high"]
    # Fleiss, Cohen & Everitt 1969, by hand: variance (0.02743 + 0.02547 − 0.0025) / (50 · 0.5⁴) = 0.016128
    assert (row["cohen_kappa_ci_high"] - 0.4) / 1.959964 == pytest.approx(0.016128**0.5, abs=1e-7)
    with_unknown = pl.concat([crossed(20, 5, 10, 15), FEW.select("wide", "narrow").slice(6, 1)])
    assert count_agreement(with_unknown, ["wide", "narrow"])["cohen_kappa"].item() == pytest.approx(0.4)


def test_a_definition_set_against_another_turns_its_columns_but_not_its_agreement():
    there = count_agreement(FEW.head(3), ["wide", "narrow"]).row(0, named=True)
    back = count_agreement(FEW.head(3), ["narrow", "wide"]).row(0, named=True)
    assert (there["n_only_1"], there["n_only_2"]) == (back["n_only_2"], back["n_only_1"]) == (1, 0)
    assert there["cohen_kappa"] == back["cohen_kappa"]


def test_kappa_is_empty_where_both_definitions_give_everybody_the_same_verdict():
    row = count_agreement(crossed(0, 0, 0, 9), ["wide", "narrow"]).row(0, named=True)
    assert (row["percent_agreement"], row["cohen_kappa"], row["gwet_ac1"]) == (100, None, 1)


def test_where_nobody_can_be_judged_there_is_no_agreement_to_speak_of():
    row = count_agreement(FEW.slice(6, 1), ["wide", "narrow"]).row(0, named=True)
    assert (row["n"], row["n_unknown"]) == (1, 1)
    assert (row["percent_agreement"], row["cohen_kappa"], row["gwet_ac1"]) == (None, None, None)


def test_definitions_of_different_diseases_and_one_alone_make_no_pair():
    assert count_agreement(FEW, ["wide", "other_disease"]).is_empty()
    alone = count_agreement(FEW, ["wide"])
    assert alone.is_empty()
    assert dict(alone.schema) == AGREEMENT
    assert count_agreement(FEW.head(0), ["wide", "narrow"]).is_empty()


def test_each_definition_is_set_against_those_below_it():
    four = FEW.with_columns(third="narrow", fourth="wide")
    found = count_agreement(four, ["fourth", "wide", "third", "narrow"])
    assert found.select("definition_1", "definition_2").rows() == [
        ("fourth", "wide"), ("fourth", "third"), ("fourth", "narrow"), ("wide", "third"), ("wide", "narrow"),
        ("third", "narrow"),
    ]  # fmt: skip
    assert found["cohen_kappa"].to_list()[0] == found["cohen_kappa"].to_list()[5] == 1


def test_the_table_of_agreement_reads_as_a_cross_table_with_its_kappas():
    line = shown("agreement", crossed(20, 5, 10, 15), ["wide", "narrow"])["wide", "narrow"]
    assert [line[name] for name in ("Both", "Only the first", "Only the second", "Neither")] == [
        "20",
        "5",
        "10",
        "15",
    ]
    assert line["Not assessable under either or both"] == "0"
    assert line["Agreement"].startswith("35/50 (70.0 %;")
    assert line["Cohen's kappa"] == "0.40 (0.15–0.65)"
    assert line["Gwet's AC1"].startswith("0.41 (")


@pytest.mark.parametrize(("smallest", "hidden"), [(7, True), (8, False)])
def test_a_kappa_that_gives_a_small_count_of_its_cross_table_away_is_held_back(smallest, hidden):
    cells = TABLES["agreement"](results(crossed(20, smallest, 30, 40), ["wide", "narrow"])).cells
    released = disclose(cells, load_profile("opensafely"))
    derived = released.filter(pl.col("kind").is_in(["estimate", "proportion"]))
    assert derived["column"].to_list() == ["Agreement", "Cohen's kappa", "Gwet's AC1"]
    assert derived["note"].to_list() == ["suppressed" if hidden else None] * 3


def test_an_empty_place_of_the_cross_table_hides_nothing():
    cells = TABLES["agreement"](results(crossed(20, 0, 30, 40), ["wide", "narrow"])).cells
    assert "suppressed" not in disclose(cells, load_profile("opensafely"))["note"].to_list()


def test_the_overlap_counts_each_patient_once_under_exactly_what_the_patient_meets():
    lines = shown("definition_overlap", FEW, ["wide", "narrow", "other_disease"])
    assert {place: line["Patients"].split(" ")[0] for place, line in lines.items()} == {
        ("Met under any definition", None): "5/8",
        ("Met under each definition", "wide"): "4/8",
        ("Met under each definition", "narrow"): "3/8",
        ("Met under exactly these", "wide"): "2",
        ("Met under exactly these", "wide + narrow"): "2",
        ("Met under exactly these", "narrow"): "1",
    }


def test_combinations_beyond_the_largest_are_one_line_and_nobody_is_lost():
    names = ["a", "b", "c", "d", "e"]
    every = pl.DataFrame(
        [["met" if code >> bit & 1 else "not_met" for bit in range(5)] for code in range(32)],
        schema=dict.fromkeys(names, pl.String),
        orient="row",
    )
    often = pl.concat([every, every.tail(1)])  # all five met: twice
    cells = TABLES["definition_overlap"](results(often, names)).cells
    exactly = cells.filter(pl.col("row") == "Met under exactly these")
    assert exactly.height == MOST_COMBINATIONS
    assert exactly.row(0, named=True)["level"] == "a + b + c + d + e"
    assert exactly["n"].to_list() == [2] + [1] * 14
    others = cells.filter(pl.col("row") == "Met under another combination")["n"].item()
    assert others + exactly["n"].sum() == cells["n"][0] == 32


def test_one_definition_overlaps_with_nothing():
    assert TABLES["definition_overlap"](results(FEW, ["wide", "other_disease"])).cells.is_empty()
    assert TABLES["agreement"](results(FEW, ["wide"])).cells.is_empty()


@pytest.mark.parametrize("name", ["agreement", "definition_overlap"])
def test_the_tables_say_how_criterion_3_was_taken_and_that_data_are_synthetic(name):
    notes = TABLES[name](results(FEW, ["wide", "narrow"], synthetic=True)).footnotes
    assert "Criterion 3, where it is not recorded: unknown (unknown)." in notes
    assert "Synthetic data" in notes[-1]
