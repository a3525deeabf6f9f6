"""Proportions, differences, agreement: the edges. The numbers themselves are compared with R in test_against_r."""

import math

import pytest

from d2tra.errors import StudyError
from d2tra.estimates import difference, fisher_exact, kappa, mann_whitney, proportion, wilson_high, wilson_low
from tables import frame


def test_no_patients_give_no_estimate_rather_than_a_zero() -> None:
    assert proportion(0, 0) == (None, None, None)
    assert difference(1, 2, 0, 0) == (None, None, None)
    counts = frame("k | n\n0 | 0\n | 3\n1 |").with_columns(
        low=wilson_low("k", "n"), high=wilson_high("k", "n")
    )
    assert counts["low"].to_list() == counts["high"].to_list() == [None, None, None]


@pytest.mark.parametrize("method", ["wilson", "clopper_pearson", "exact", "agresti_coull", "jeffreys"])
def test_none_of_n_starts_at_exactly_0_and_all_of_n_ends_at_exactly_1(method: str) -> None:
    none, everyone = proportion(0, 12, method), proportion(12, 12, method)
    assert (none.estimate, none.ci_low) == (0.0, 0.0)
    assert (everyone.estimate, everyone.ci_high) == (1.0, 1.0)
    assert none.ci_high == pytest.approx(1 - everyone.ci_low)


def test_wilson_columns_are_the_same_as_wilson_numbers() -> None:
    counts = frame("k | n\n0 | 12\n9 | 12\n12 | 12\n1 | 1\n90 | 722")
    found = counts.select(low=wilson_low("k", "n"), high=wilson_high("k", "n"))
    assert found.rows() == [pytest.approx(proportion(k, n)[1:], rel=1e-14) for k, n in counts.rows()]


def test_an_unknown_method_names_the_nearest_known_one() -> None:
    with pytest.raises(StudyError, match="did you mean 'wilson'"):
        proportion(1, 2, "wilsen")


def test_more_patients_with_than_in_all_is_refused() -> None:
    with pytest.raises(ValueError, match="3 in 2"):
        proportion(3, 2)


def test_the_difference_turns_its_sign_with_its_groups() -> None:
    there, back = difference(9, 12, 47, 83), difference(47, 83, 9, 12)
    assert back == pytest.approx((-there.estimate, -there.ci_high, -there.ci_low))


def test_fisher_of_a_wide_table_is_that_of_the_table_on_its_side() -> None:
    assert fisher_exact([[3, 4, 5], [30, 28, 25]]) == pytest.approx(0.634592152653587)  # R's fisher.test


def test_fisher_has_nothing_to_compare_where_a_margin_is_empty() -> None:
    assert fisher_exact([[0, 0], [3, 4]]) is None
    assert fisher_exact([[0, 5], [0, 4]]) is None


def test_fisher_gives_up_by_name_where_the_tables_are_too_many_to_list() -> None:
    assert fisher_exact([[90, 632]] * 8) is None


def test_mann_whitney_of_equal_values_has_no_p() -> None:
    assert mann_whitney([1, 1], [1]) is None
    assert mann_whitney([], [1, 2]) is None


def test_cohens_kappa_agrees_with_statsmodels() -> None:
    from statsmodels.stats.inter_rater import cohens_kappa

    reference = cohens_kappa([[40, 5], [10, 40]])
    found = kappa(both=40, only_first=10, only_second=5, neither=40)
    assert found.estimate == pytest.approx(reference.kappa)
    assert (found.ci_low, found.ci_high) == pytest.approx((reference.kappa_low, reference.kappa_upp))


def test_gwets_ac1_holds_where_kappa_breaks_down() -> None:
    """Gwet 2002, table of 125 subjects: kappa −0.0234, AC1 0.9408."""
    counts = {"both": 118, "only_first": 5, "only_second": 2, "neither": 0}
    assert kappa(**counts).estimate == pytest.approx(-0.0234, abs=5e-5)
    assert kappa(**counts, kind="gwet").estimate == pytest.approx(0.9408, abs=5e-5)


@pytest.mark.parametrize("kind", ["cohen", "gwet"])
def test_the_interval_of_kappa_is_that_of_the_jackknife(kind: str) -> None:
    counts = {"both": 400, "only_first": 100, "only_second": 60, "neither": 440}
    found = kappa(**counts, kind=kind)
    left_out = [
        kappa(**{**counts, cell: k - 1}, kind=kind).estimate for cell, k in counts.items() for _ in range(k)
    ]
    mean, n = sum(left_out) / len(left_out), len(left_out)
    error = math.sqrt((n - 1) / n * sum((value - mean) ** 2 for value in left_out))
    assert found.ci_high - found.estimate == pytest.approx(1.959964 * error, rel=0.01)


def test_two_constant_judges_have_no_kappa() -> None:
    assert kappa(both=10, only_first=0, only_second=0, neither=0) == (None, None, None)
