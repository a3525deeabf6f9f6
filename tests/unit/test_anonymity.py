"""How well patients hide among each other: classes on the edge of k, unknown as a value, and no id anywhere."""

from __future__ import annotations

import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.extract import anonymity
from d2tra.extract.anonymity import (
    AnonymityPlan,
    anonymity_lines,
    check_anonymity,
    load_anonymity_plan,
    quasi_identifiers,
)
from tables import frame

PATIENTS = """
    patient_id | birth_year | sex    | ethnicity | imd_quintile | diagnosis_date
    P1         | 1963       | female | white     | 1            | 2010-01-01
    P2         | 1959       | female | white     | 1            | 2010-12-31
    P3         | 1958       | male   |           | 1            | 2011-01-01
    P4         | 1933       | male   | unknown   |              |
    P5         | 1920       |        | asian     | 5            | 2010-05-05
"""
TREATMENTS = """
    patient_id | molecule
    P1         | adalimumab
    P1         | adalimumab
    P2         | adalimumab
    P2         | anakinra
    P3         | adalimumab
    P3         | sarilumab
    P4         |
"""


def plan(*columns: str, k: int = 3) -> AnonymityPlan:
    return AnonymityPlan(k=k, age_band_years=5, oldest_age=90, columns=list(columns))


def valid(treatments: str | None = TREATMENTS) -> dict[str, pl.DataFrame]:
    tables = {"patients": frame(PATIENTS)}
    return tables | ({"treatments": frame(treatments)} if treatments else {})


def test_ages_are_banded_by_five_years_and_open_from_ninety() -> None:
    bands = quasi_identifiers(valid(), 2023, plan("age_band"))["age_band"]
    assert bands.to_list() == ["60-64", "60-64", "65-69", "90+", "90+"]


def test_without_a_cut_no_age_is_known() -> None:
    assert set(quasi_identifiers(valid(), None, plan("age_band"))["age_band"]) == {"unknown"}


def test_an_empty_cell_and_the_word_unknown_are_one_value() -> None:
    people = quasi_identifiers(valid(), 2023, plan("sex", "ethnicity", "imd_quintile", "diagnosis_year"))
    assert people["ethnicity"].to_list() == ["white", "white", "unknown", "unknown", "asian"]
    assert people.row(3) == ("male", "unknown", "unknown", "unknown")
    assert people["diagnosis_year"].to_list()[:3] == ["2010", "2010", "2011"]


def test_the_rarest_drug_below_k_counts_and_a_common_one_does_not() -> None:
    assert quasi_identifiers(valid(), 2023, plan("rare_drug"))["rare_drug"].to_list() == [
        "none", "anakinra", "sarilumab", "none", "none"
    ]  # fmt: skip
    assert quasi_identifiers(valid(), 2023, plan("rare_drug", k=4))["rare_drug"].to_list()[0] == "adalimumab"
    assert set(quasi_identifiers(valid(None), 2023, plan("rare_drug"))["rare_drug"]) == {"unknown"}


def test_patients_in_classes_of_fewer_than_k_are_counted() -> None:
    at_edge = check_anonymity(valid(), 2023, plan("imd_quintile", k=3)).row(0, named=True)
    above = check_anonymity(valid(), 2023, plan("imd_quintile", k=4)).row(0, named=True)

    assert (at_edge["n_classes"], at_edge["smallest_class"], at_edge["n_below_k"]) == (3, 1, 2)
    assert (at_edge["n_patients"], at_edge["percent_below_k"], at_edge["n_unknown"]) == (5, 40.0, 1)
    assert above["n_below_k"] == 5


def test_each_view_is_there_once_and_dropping_a_column_never_adds_patients_below_k() -> None:
    found = check_anonymity(valid(), 2023, plan("sex", "ethnicity", "diagnosis_year", k=2))

    assert found["view"].to_list() == [
        "all",
        *["without"] * 3,
        *["single"] * 3,
    ]  # a pair of three is all but one
    assert found["columns"].n_unique() == found.height
    assert (found["n_below_k"] <= found["n_below_k"][0]).all()
    fewer = found.filter(view="without")
    assert (fewer["fewer_without"] + fewer["n_below_k"] == found["n_below_k"][0]).all()
    assert found.filter(pl.col("view") != "without")["fewer_without"].is_null().all()


def test_sizes_only_no_patient_and_the_lines_name_the_column_that_adds_most() -> None:
    found = check_anonymity(valid(), 2023, plan("sex", "ethnicity", "diagnosis_year", k=2))
    lines = anonymity_lines(found)

    assert not any(name in f"{found.rows()} {lines}" for name in ("P1", "P2", "P3", "P4", "P5", "patient_id"))
    assert lines.splitlines()[0].startswith(
        "5 patients; alike in sex + ethnicity + diagnosis_year: smallest class 1, 3 "
    )
    assert "ethnicity adds most: without it: 3" in lines or "adds most" in lines
    assert "Unknown counts as a value of its own." in lines


def test_a_site_without_patients_has_no_class() -> None:
    none = {"patients": frame(PATIENTS).clear(), "treatments": frame(TREATMENTS).clear()}
    row = check_anonymity(none, 2023, plan("sex", "rare_drug")).row(0, named=True)
    assert (row["n_patients"], row["n_classes"], row["smallest_class"], row["n_below_k"]) == (0, 0, None, 0)


def test_the_shipped_plan_is_that_of_the_reference_and_a_wrong_column_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped = load_anonymity_plan()
    assert (shipped.k, shipped.age_band_years, shipped.oldest_age) == (10, 5, 90)
    assert shipped.columns == ["age_band", "sex", "ethnicity", "imd_quintile", "diagnosis_year", "rare_drug"]
    monkeypatch.setattr(anonymity, "setting", lambda _: shipped.model_dump() | {"columns": ["postcode"]})
    with pytest.raises(StudyError, match=r"anonymity\.yaml"):
        load_anonymity_plan()
