"""Rounding before a comparison, and on which side of a cut-off its edge falls."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from d2tra.scores.bands import Edge, Limit, band, rounded

DAS28 = [
    Edge(band="remission", below=2.6),
    Edge(band="low", up_to=3.2),
    Edge(band="moderate", up_to=5.1),
    Edge(band="high"),
]


def of(values: list[float | None], expression: pl.Expr) -> list[object]:
    return pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)}).select(y=expression)["y"].to_list()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(4.4 - 3.2, 1.2), (5.7 - 5.1, 0.6), (3.0 - 3.6, -0.6), (0.1 + 0.2, 0.3), (5.1, 5.1), (0.0, 0.0)],
)
def test_noise_of_binary_arithmetic_is_rounded_to_the_number_as_written(raw: float, expected: float) -> None:
    assert of([raw], rounded(pl.col("x"))) == [expected]


def test_every_number_of_four_decimals_stays_the_number_as_written() -> None:
    written = [i / 10_000 for i in range(200_000)]
    assert of(list(written), rounded(pl.col("x"))) == written


def test_every_half_goes_away_from_zero_although_binary_stores_many_a_hair_below() -> None:
    halves = [float(f"{i}.{j:04d}5") for i in range(10) for j in range(10_000)]
    away = [(i + 1) / 10_000 for i in range(100_000)]
    assert of(list(halves), rounded(pl.col("x"))) == away
    assert of([-half for half in halves], rounded(pl.col("x"))) == [-number for number in away]


@given(st.floats(min_value=-1e5, max_value=1e5, allow_subnormal=False))
def test_rounding_agrees_with_decimal_arithmetic(number: float) -> None:
    step = Decimal(repr(number)) * 10_000
    distance_to_half = abs(abs(step) % 1 - Decimal("0.5"))
    if Decimal(0) < distance_to_half < Decimal("0.00001"):
        return  # so near below a half that the nudge decides
    expected = float(Decimal(repr(number)).quantize(Decimal("0.0001"), ROUND_HALF_UP))
    assert of([number], rounded(pl.col("x"))) == [expected]


def test_an_unknown_number_stays_unknown() -> None:
    assert of([None], rounded(pl.col("x"))) == [None]
    assert of([None], band(pl.col("x"), DAS28)) == [None]
    assert of([None], Limit().holds(pl.col("x"))) == [None]


def test_rounding_takes_other_decimals_and_whole_numbers() -> None:
    assert of([2.45, 2.449], rounded(pl.col("x"), decimals=1)) == [2.5, 2.4]
    assert pl.DataFrame({"x": [4]}).select(rounded(pl.col("x")))["x"].to_list() == [4.0]


@pytest.mark.parametrize(
    ("limit", "verdicts"),
    [
        (Limit(below=2), [True, False, False]),
        (Limit(up_to=2), [True, True, False]),
        (Limit(above=2), [False, False, True]),
        (Limit(at_least=2), [False, True, True]),
        (Limit(), [True, True, True]),
    ],
)
def test_the_word_of_a_limit_says_whether_the_edge_itself_is_in(limit: Limit, verdicts: list[bool]) -> None:
    assert of([1.9999, 2.0, 2.0001], limit.holds(pl.col("x"))) == verdicts


def test_a_limit_has_one_edge() -> None:
    with pytest.raises(ValidationError, match="one edge only"):
        Limit(below=1, above=0)


def test_a_number_lands_in_the_first_band_that_holds_it() -> None:
    numbers = [0.0, 2.5999, 2.59994, 2.59995, 2.6, 3.2, 3.20004, 3.20005, 5.1, 5.10004, 5.10005, 99.0]
    expected = ["remission"] * 3 + ["low"] * 4 + ["moderate"] * 3 + ["high"] * 2
    assert of(list(numbers), band(pl.col("x"), DAS28)) == expected
