"""Nobody works out a small count from what is released; and the attack does find what is badly protected."""

import pytest

from d2tra.disclosure import load_profile
from release_attack import attack, attack_simulated, build, release, simulate

PROFILES = ("opensafely", "acro", "midpoint6")


@pytest.mark.parametrize("seed", range(12))
def test_no_small_count_is_recovered_from_a_release_of_three_cohorts(seed: int) -> None:
    assert attack_simulated(seed, PROFILES[seed % 3]) == []


# 547: two levels of one size in the extension; once taken for one count, which bound what it did not
@pytest.mark.parametrize("seed", [*range(24, 30), 547])
def test_no_small_count_is_recovered_from_two_releases_of_the_same_patients(seed: int) -> None:
    assert attack_simulated(seed, PROFILES[seed % 3], twice=True) == []


@pytest.mark.parametrize("seed", [3, 4, 6])
def test_without_secondary_suppression_exact_counts_are_subtracted(seed: int) -> None:
    assert len(attack_simulated(seed, "acro", secondary=False)) > 5


def test_without_secondary_suppression_even_rounded_counts_give_some_away() -> None:
    assert any(attack_simulated(seed, "opensafely", secondary=False) for seed in range(12))


def test_a_second_release_that_forgets_the_first_gives_counts_away() -> None:
    """The same patients, other cells held back: only the ledger keeps the two from being laid side by side."""
    profile = load_profile("acro")

    def given_away(seed: int) -> list[str]:
        counts = simulate(seed)
        first = release(counts, profile, ["full"], with_models=False)
        second = release(counts, profile, ["audit", "extension", "full"])
        return attack([first, second], counts, profile)

    assert any(map(given_away, range(6)))


def test_what_is_released_is_not_simply_nothing() -> None:
    counts, profile = simulate(1), load_profile("opensafely")
    shown = release(counts, profile, ["audit"])["audit"]
    exact = build(counts, "audit")
    kept = sum(table.cells["n"].count() for table in shown)
    assert kept > 0.3 * sum(table.cells["n"].count() for table in exact)
