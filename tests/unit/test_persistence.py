"""How long a label lasted, how often it was left, and the verdict at every visit."""

import datetime as dt

import polars as pl
import pytest
from random_patients import random_extract

from d2tra.definitions import label_patients, label_visits, persistence
from d2tra.scores import score_visits
from d2tra.treatment import trace_courses
from ra_vignettes import extract_of, patient, ra

FIRST = dt.date(2020, 1, 1)
LETTERS = {"m": True, "n": False, "u": None}


def of(verdicts):
    """A visit every 100 days: m met, n not met, u unknown."""
    rows = pl.DataFrame(
        {
            "patient_id": "A",
            "definition": "d",
            "evaluation_date": [FIRST + dt.timedelta(days=100 * n) for n in range(len(verdicts))],
            "met": pl.Series([LETTERS[letter] for letter in verdicts], dtype=pl.Boolean),
        }
    )
    return persistence(rows.reverse()).row(0, named=True)


@pytest.mark.parametrize(
    ("verdicts", "n_met", "days_met", "n_exits"),
    [
        ("m", 1, 0, 0),
        ("n", 0, None, 0),
        ("u", 0, None, 0),
        ("mmm", 3, 200, 0),
        ("nmm", 2, 100, 0),
        ("mmn", 2, None, 1),
        ("mnm", 2, 0, 1),
        ("mnmn", 2, None, 2),
        ("mum", 2, 0, 0),
        ("mun", 1, None, 1),
        ("mmu", 2, None, 0),
        ("unm", 1, 0, 0),
        ("nnn", 0, None, 0),
    ],
)
def test_persistence_counts_met_visits_the_days_in_a_row_and_the_exits(verdicts, n_met, days_met, n_exits):
    row = of(verdicts)
    assert (row["n_visits"], row["n_visits_unknown"]) == (len(verdicts), verdicts.count("u"))
    assert (row["n_visits_met"], row["days_met"], row["n_exits"]) == (n_met, days_met, n_exits)


@pytest.mark.parametrize(
    ("verdicts", "n_spells"),
    [("n", 0), ("u", 0), ("m", 1), ("nmm", 1), ("mum", 1), ("mnm", 2), ("munum", 2), ("mnmnm", 3)],
)
def test_a_spell_begins_wherever_it_is_met_after_not_being_so_whatever_is_unknown_between(verdicts, n_spells):
    assert of(verdicts)["n_spells"] == n_spells


def test_months_are_of_30_4375_days():
    assert of("mmm")["met_for_months"] == pytest.approx(200 / 30.4375)
    assert of("n")["met_for_months"] is None


def test_every_definition_has_its_own_row():
    dates = [FIRST, FIRST + dt.timedelta(days=10)]
    rows = pl.DataFrame({"patient_id": ["A", "A", "B", "B"], "definition": ["x", "y", "x", "x"],
                         "evaluation_date": [FIRST, FIRST, *dates], "met": [True, False, True, True]})  # fmt: skip
    assert persistence(rows).select("patient_id", "definition", "days_met").rows() == [
        ("A", "x", 0), ("A", "y", None), ("B", "x", 10),
    ]  # fmt: skip


DEFINITIONS = ["eular_2021", "first_2022", "kurama_2022", "d2t_psa_two_classes"]


def test_the_verdicts_at_the_visits_are_those_of_the_labels():
    rows = random_extract(5, 120)
    rows["labs"] = [lab | {"value": str(lab["value"])} for lab in rows["labs"]]
    extract = {table: pl.DataFrame(records, infer_schema_length=None) for table, records in rows.items()}
    known = (extract, trace_courses(extract["treatments"]), score_visits(extract["visits"], extract["labs"]))
    visits = label_visits(*known, DEFINITIONS)
    labels = label_patients(*known, DEFINITIONS).labels.filter(pl.col("index_date").is_not_null())
    status = (
        pl.when("met")
        .then(pl.lit("met"))
        .when(~pl.col("met"))
        .then(pl.lit("not_met"))
        .otherwise(pl.lit("not_assessable"))
    )
    found = visits.group_by("patient_id", "definition", maintain_order=True).agg(
        index_date=pl.col("evaluation_date").last(),
        status=status.last(),
        first_met_date=pl.col("evaluation_date").filter("met").min(),
    )
    assert found.equals(labels.select(found.columns))
    assert visits.height == 3 * extract["visits"].height
    assert visits.columns == ["patient_id", "definition", "evaluation_date", "met"]


def test_a_visit_is_judged_by_the_definitions_of_the_patients_disease():
    extract = extract_of({"a": ra(earlier={"2021-01-01": {}}), "p": patient()})
    visits = label_visits(extract, None, score_visits(extract["visits"]), DEFINITIONS)
    assert visits.select("patient_id", "definition").unique(maintain_order=True).rows() == [
        ("a", "eular_2021"), ("a", "first_2022"), ("a", "kurama_2022"), ("p", "d2t_psa_two_classes"),
    ]  # fmt: skip
    assert visits["met"].null_count() == visits.height == 7
