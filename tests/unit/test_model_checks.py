"""What is looked for before a fit: each fault is planted here, and must be named."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.models import fit_logistic
from d2tra.models.checks import (
    count_levels,
    events_per_parameter,
    find_collinear,
    find_empty_cells,
    find_separated_columns,
    find_separation,
    find_terms_separated_alone,
)
from d2tra.models.design import design_matrix
from tables import frame

REFERENCE = Path(__file__).parents[1] / "data" / "reference"

COHORT = frame("""
    met   | class  | smoker | age
    false | none   | false  | 50
    false | none   | true   | 60
    true  | none   | false  | 55
    false | mild   | true   | 70
    true  | mild   | false  | 65
    false | mild   | false  | 61
    true  | severe | true   | 58
    true  | severe | false  | 52
""")


def cohort95(name: str) -> tuple[pl.DataFrame, np.ndarray]:
    data = pl.read_csv(REFERENCE / f"cohort95_{name}.csv")
    return data.drop("d2t"), data["d2t"].to_numpy() == 1


@pytest.mark.parametrize(
    ("name", "jointly", "alone"),
    [
        ("regular3", [], []),
        ("quasi6", [], []),
        ("zero_cell", ["(Intercept)", "seropositive"], ["seropositive"]),
        ("complete_sep", ["(Intercept)", "multi_failure"], ["multi_failure"]),
        ("singleton", ["rare"], ["rare"]),
    ],
)
def test_separated_terms_are_named(name: str, jointly: list[str], alone: list[str]) -> None:
    data, outcome = cohort95(name)
    design = design_matrix(data, data.columns)
    assert [column.label for column in find_separated_columns(design, outcome)] == jointly
    assert find_terms_separated_alone(design, outcome) == alone


def test_the_level_that_separates_is_named() -> None:
    design = design_matrix(COHORT, ["class"], {"class": "none"})
    assert [c.label for c in find_separated_columns(design, COHORT["met"].to_numpy())] == ["class: severe"]


def test_two_terms_that_separate_only_together_are_found() -> None:
    data = frame("a | b\n0 | 0\n0 | 0\n1 | 0\n0 | 1\n1 | 1\n1 | 1")
    outcome = np.array([False, False, False, False, True, True])
    design = design_matrix(data, ["a", "b"])
    assert [c.label for c in find_separated_columns(design, outcome)] == ["(Intercept)", "a", "b"]
    overlapping = np.array([False, True, True, True, True, False])
    assert find_separated_columns(design, overlapping) == ()


def test_a_number_that_separates_is_found_whatever_its_unit() -> None:
    days = np.array([100_000.0, 100_001, 100_002, 100_003, 100_004, 100_005])
    outcome = days >= 100_003
    for unit in (1e-6, 1.0, 1e6):
        assert find_separation(np.column_stack([np.ones(6), days * unit]), outcome)[1] == 1
        assert not find_separation(
            np.column_stack([np.ones(6), days * unit]), outcome != (days == 100_001)
        ).any()


def test_a_collinear_column_is_named_with_what_it_equals() -> None:
    data, _ = cohort95("collinear")
    assert find_collinear(design_matrix(data, data.columns)) == ["any_comorb_score = obesity + fibromyalgia"]
    outcome = pl.read_csv(REFERENCE / "cohort95_collinear.csv")
    with pytest.raises(StudyError, match=r"1 collinear.*any_comorb_score = obesity \+ fibromyalgia"):
        fit_logistic(outcome, "d2t", data.columns)


@pytest.mark.parametrize(
    ("copy", "sentence"),
    [
        (1 - pl.col("x"), "copy = 1 - x"),
        (2 * pl.col("x") - pl.col("age"), "copy = 2 × x - age"),
        (pl.col("age") / 365.25, "copy = 0.00273785 × age"),
    ],
)
def test_a_copy_is_recognised_whatever_its_unit(copy: pl.Expr, sentence: str) -> None:
    data = frame("x | age\n0 | 51\n1 | 62\n0 | 73\n1 | 80\n1 | 44").with_columns(copy=copy)
    assert find_collinear(design_matrix(data, ["x", "age", "copy"])) == [sentence]


def test_nearly_the_same_is_not_collinear() -> None:
    data = frame("x | y\n1 | 1\n2 | 2\n3 | 3\n4 | 4.001")
    assert find_collinear(design_matrix(data, ["x", "y"])) == []


def test_empty_cells_are_named_by_term_and_level() -> None:
    design = design_matrix(COHORT, ["class", "smoker", "age"], {"class": "none"})
    levels = count_levels(design, COHORT["met"].to_numpy())
    assert find_empty_cells(levels).rows() == [("class", "severe", 2, 2)]
    assert ("smoker", "true", 3, 1) in levels.rows()
    assert "age" not in levels["term"].to_list()


def test_an_empty_cell_of_a_0_1_number_is_named() -> None:
    data, outcome = cohort95("zero_cell")
    levels = count_levels(design_matrix(data, data.columns), outcome)
    assert find_empty_cells(levels).rows() == [("seropositive", "0", 25, 0)]


def test_events_per_parameter_do_not_count_the_intercept() -> None:
    assert events_per_parameter(12, 4) == 3
    assert events_per_parameter(12, 0) is None
