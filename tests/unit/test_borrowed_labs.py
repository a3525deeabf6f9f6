"""ESR and CRP of a visit: its own, else the laboratory's of the nearest day within the window."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2tra.scores import score_visits
from tables import frame

VISIT = frame("patient_id | visit_date\nA | 2023-03-15")


def crp_used(labs: str, visits: pl.DataFrame = VISIT, **settings: int) -> tuple[object, ...]:
    scored = score_visits(visits, frame(labs), scores=settings or None)
    return scored.select("crp_mg_l_used", "crp_source", "crp_days").row(0)


def crp(*rows: str) -> str:
    return "\n".join(
        ["patient_id | sample_date | test | value | unit", *(f"A | {row} | mg/L" for row in rows)]
    )


def test_the_value_of_the_visit_itself_comes_first() -> None:
    visits = VISIT.with_columns(crp_mg_l=pl.lit(3.0))
    assert crp_used(crp("2023-03-15 | crp | 40"), visits) == (3.0, "visit", 0)


def test_the_result_nearest_in_time_is_borrowed() -> None:
    assert crp_used(crp("2023-03-05 | crp | 7", "2023-03-18 | crp | 9")) == (9.0, "lab", 3)


@pytest.mark.parametrize(
    ("day", "borrowed"),
    [
        ("2023-02-28", (None, None, None)),  # 15 days before
        ("2023-03-01", (7.0, "lab", -14)),
        ("2023-03-15", (7.0, "lab", 0)),
        ("2023-03-29", (7.0, "lab", 14)),
        ("2023-03-30", (None, None, None)),  # 15 days after
    ],
)
def test_the_window_of_14_days_holds_both_its_ends(day: str, borrowed: tuple[object, ...]) -> None:
    assert crp_used(crp(f"{day} | crp | 7")) == borrowed


def test_of_two_results_equally_near_the_earlier_day_counts() -> None:
    assert crp_used(crp("2023-03-20 | crp | 9", "2023-03-10 | crp | 7")) == (7.0, "lab", -5)


def test_several_results_of_the_nearest_day_give_their_mean() -> None:
    assert crp_used(crp("2023-03-14 | crp | 4", "2023-03-14 | crp | 10")) == (7.0, "lab", -1)


def test_exact_duplicates_are_merged_before_the_mean() -> None:
    rows = ("2023-03-14 | crp | 4", "2023-03-14 | crp | 4", "2023-03-14 | crp | 10")
    assert crp_used(crp(*rows)) == (7.0, "lab", -1)


def test_a_result_that_is_no_number_is_passed_over_for_the_next_nearest() -> None:
    assert crp_used(crp("2023-03-15 | crp | haemolysed", "2023-03-12 | crp | 6")) == (6.0, "lab", -3)


def test_a_censored_result_counts_half_and_mg_per_dl_is_converted() -> None:
    assert crp_used(crp("2023-03-15 | crp | <5")) == (2.5, "lab", 0)
    assert crp_used(crp("2023-03-15 | crp | 1.2").replace("mg/L", "mg/dL")) == (12.0, "lab", 0)


def test_nothing_is_borrowed_from_another_test_or_another_patient() -> None:
    assert crp_used(crp("2023-03-15 | esr | 30").replace("mg/L", "")) == (None, None, None)
    assert crp_used(crp("2023-03-15 | crp | 8").replace("A |", "B |")) == (None, None, None)


def test_each_visit_borrows_for_itself_and_one_result_may_serve_two_visits() -> None:
    visits = frame("""
        patient_id | visit_date | esr_mm_h
        B          | 2023-05-01 |
        A          | 2023-03-20 | 12
        A          | 2023-03-10 |
        A          | 2023-03-30 |
    """)
    labs = frame("""
        patient_id | sample_date | test | value | unit
        A          | 2023-03-20  | esr  | 40    | mm/h
        B          | 2023-04-30  | esr  | 8     | mm/h
    """)
    scored = score_visits(visits, labs)
    assert scored.select("patient_id", "esr_mm_h_used", "esr_source", "esr_days").rows() == [
        ("A", 40.0, "lab", 10),
        ("A", 12.0, "visit", 0),
        ("A", 40.0, "lab", -10),
        ("B", 8.0, "lab", -1),
    ]


def test_the_window_is_a_setting() -> None:
    assert crp_used(crp("2023-03-10 | crp | 7"), lab_window_days=4) == (None, None, None)
    assert crp_used(crp("2023-03-15 | crp | 7"), lab_window_days=0) == (7.0, "lab", 0)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(0, 50)), max_size=8))
def test_borrowing_agrees_with_a_search_through_all_results(results: list[tuple[int, int]]) -> None:
    labs = pl.DataFrame(
        [("A", day, "crp", str(value), "mg/L") for day, value in results],
        schema=["patient_id", "day", "test", "value", "unit"],
        schema_overrides={"patient_id": pl.String, "day": pl.Int64, "value": pl.String},
        orient="row",
    ).select(
        pl.col("patient_id", "value").cast(pl.String),
        pl.col("test", "unit").cast(pl.String),
        sample_date=pl.date(2023, 3, 15) + pl.duration(days="day"),
    )
    near = [day for day, _ in results if abs(day) <= 14]
    nearest = min(near, key=lambda day: (abs(day), day), default=None)
    values = {value for day, value in results if day == nearest}
    expected = sum(values) / len(values) if values else None
    computed = score_visits(VISIT, labs)["crp_mg_l_used"][0]
    assert computed == (None if expected is None else pytest.approx(expected))
