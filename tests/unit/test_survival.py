"""Survival curves. Reference numbers: R survival 3.5-3 (tests/data/reference/k_survival.json), which has no delayed entry:
there statsmodels and a plain derivative stand in."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from statsmodels.duration.survfunc import SurvfuncRight

from d2tra.errors import StudyError
from d2tra.survival import cumulative_incidence, kaplan_meier, time_until
from tables import frame

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
R = json.loads((REFERENCE / "k_survival.json").read_text())
PEOPLE = pl.read_csv(REFERENCE / "k_survival24.csv")
LUNG = pl.read_csv(REFERENCE / "k_lung.csv")
KM = [("k_survival24", ci, fit) for ci, fit in R["km"].items()]
KM += [("k_lung", ci, fit) for ci, fit in R["km_lung_loglog"]["fit"].items()]
LATE = frame("""
entry | time | event
0     | 4    | 1
0     | 6    | 0
2     | 5    | 2
4     | 7    | 1
4     | 9    | 0
5     | 7    | 2
""")


@pytest.mark.parametrize(("name", "ci", "fit"), KM)
def test_kaplan_meier_agrees_with_survfit(name: str, ci: str, fit: dict) -> None:
    people, censored = (PEOPLE, 0) if name == "k_survival24" else (LUNG, 1)
    curve = kaplan_meier(people["time"], people["status"] > censored, ci=ci)
    names = {
        "time": "time",
        "n_risk": "n_risk",
        "n_event": "n_event",
        "survival": "surv",
        "std_error": "se_surv_greenwood",
        "ci_low": "lower",
        "ci_high": "upper",
    }
    for ours, theirs in names.items():
        np.testing.assert_allclose(curve[ours], fit[theirs], rtol=1e-9, err_msg=ours)
    median = [
        float("inf") if limit == "NA" else limit for limit in (fit["median_lower"], fit["median_upper"])
    ]
    assert time_until(curve) == (fit["median"], *median)


@pytest.mark.parametrize(("event", "name"), [(1, "failure"), (2, "death")])
def test_aalen_johansen_agrees_with_survfit(event: int, name: str) -> None:
    theirs = R["aalen_johansen"]
    curve = cumulative_incidence(PEOPLE["time"], PEOPLE["status"]).filter(event=event)
    np.testing.assert_array_equal(curve["time"], theirs["time"])
    np.testing.assert_array_equal(curve["n_risk"], theirs["n_risk"])
    np.testing.assert_allclose(curve["incidence"], theirs[f"cif_{name}"], rtol=1e-9)
    np.testing.assert_allclose(curve["std_error"], theirs[f"se_{name}"], rtol=1e-9)


@pytest.mark.parametrize("ci", ["log", "log-log"])
def test_limits_of_the_incidence_agree_with_survfit(ci: str) -> None:
    curve = cumulative_incidence(PEOPLE["time"], PEOPLE["status"], ci=ci).filter(event=1)
    theirs = R["aalen_johansen"][f"ci_{ci.replace('-', '')}"]
    np.testing.assert_allclose(curve["ci_low"], theirs["lo"], rtol=1e-9)
    np.testing.assert_allclose(curve["ci_high"], theirs["hi"], rtol=1e-9)


def test_the_incidences_at_6_12_18_and_24_agree_with_cuminc() -> None:
    curve = cumulative_incidence(PEOPLE["time"], PEOPLE["status"])
    for event, theirs in zip((1, 2), R["cmprsk_timepoints"]["est"], strict=True):
        shown = curve.filter(pl.col("event") == event, pl.col("time").is_in([6.0, 12.0, 18.0, 24.0]))
        np.testing.assert_allclose(shown["incidence"], theirs, rtol=1e-9)


def test_who_enters_late_is_at_risk_after_entry_only() -> None:
    """Two at the first event: whoever enters on its day (4) comes after it. By hand: 1 − 1/3, then × (1 − 1/4)…"""
    curve = kaplan_meier(LATE["time"], LATE["event"] > 0, LATE["entry"], ci="plain")
    assert_frame_equal(
        curve.select("time", "n_risk", "n_event", "n_censored", "survival"),
        frame("""
        time | n_risk | n_event | n_censored | survival
        4.0  | 3      | 1       | 0          | 0.6666666666666667
        5.0  | 4      | 1       | 0          | 0.5
        6.0  | 4      | 0       | 1          | 0.5
        7.0  | 3      | 2       | 0          | 0.16666666666666667
        9.0  | 1      | 0       | 1          | 0.16666666666666667
        """),
    )


def random_people(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entry, time, kind of event, with many ties; nobody's entry leaves the risk set empty later on."""
    random = np.random.default_rng(seed)
    entry = np.append(np.zeros(n // 2), random.integers(0, 8, n - n // 2))
    return entry, entry + random.integers(1, 15, n), random.integers(0, 3, n)


@pytest.mark.parametrize("seed", range(5))
def test_kaplan_meier_with_delayed_entry_agrees_with_statsmodels(seed: int) -> None:
    entry, time, event = random_people(seed)
    curve = kaplan_meier(time, event > 0, entry).filter(pl.col("n_event") > 0, pl.col("survival") > 0)
    theirs = SurvfuncRight(time, (event > 0).astype(int), entry=entry)
    kept = theirs.surv_prob > 1e-12
    np.testing.assert_allclose(curve["survival"], theirs.surv_prob[kept], rtol=1e-9)
    np.testing.assert_allclose(curve["std_error"], theirs.surv_prob_se[kept], rtol=1e-9)


def weighted_incidence(
    entry: np.ndarray, time: np.ndarray, event: np.ndarray, kind: int, weight: np.ndarray
) -> np.ndarray:
    """The definition, time by time, each person counted `weight` times."""
    going_on, total, path = 1.0, 0.0, []
    for now in np.unique(time):
        at_risk = weight[(entry < now) & (now <= time)].sum()
        happened = weight[(time == now) & (event > 0)].sum()
        total += going_on * weight[(time == now) & (event == kind)].sum() / at_risk
        going_on *= 1 - happened / at_risk
        path.append(total)
    return np.array(path)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("late", [True, False])
def test_the_error_of_the_incidence_is_the_sum_of_squared_influences(seed: int, late: bool) -> None:
    """A person's influence is the derivative by their weight: here a difference quotient of the definition."""
    entry, time, event = random_people(seed)
    entry = entry if late else np.full(len(time), -1.0)
    curve = cumulative_incidence(time, event, entry).filter(event=1)
    ones, step = np.ones(len(time)), 1e-5
    influence = [
        weighted_incidence(entry, time, event, 1, ones + step * one)
        - weighted_incidence(entry, time, event, 1, ones - step * one)
        for one in np.eye(len(time))
    ]
    error = np.sqrt(((np.array(influence) / (2 * step)) ** 2).sum(axis=0))
    np.testing.assert_allclose(
        curve["incidence"], weighted_incidence(entry, time, event, 1, ones), rtol=1e-12
    )
    np.testing.assert_allclose(curve["std_error"], error, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_incidences_and_the_survival_sum_to_one(seed: int) -> None:
    entry, time, event = random_people(seed)
    curves = cumulative_incidence(time, event, entry)
    total = curves.group_by("time", maintain_order=True).agg(pl.col("incidence").sum())
    np.testing.assert_allclose(
        total["incidence"], 1 - kaplan_meier(time, event > 0, entry)["survival"], atol=1e-12
    )


def test_without_competing_events_the_error_is_greenwoods() -> None:
    is_event = PEOPLE["status"] > 0
    curve = cumulative_incidence(PEOPLE["time"], is_event)
    np.testing.assert_allclose(
        curve["std_error"], kaplan_meier(PEOPLE["time"], is_event)["std_error"], rtol=1e-9
    )


def test_treating_death_as_censoring_would_overstate_the_incidence() -> None:
    competing = cumulative_incidence(PEOPLE["time"], PEOPLE["status"]).filter(event=1)["incidence"][-1]
    assert competing < 1 - kaplan_meier(PEOPLE["time"], PEOPLE["status"] == 1)["survival"][-1] - 0.05


def test_a_delayed_entry_that_is_ignored_changes_the_curve() -> None:
    late = kaplan_meier(LATE["time"], LATE["event"] > 0, LATE["entry"])["survival"]
    assert (late < kaplan_meier(LATE["time"], LATE["event"] > 0)["survival"] - 0.05).all()


def test_the_kinds_may_be_words_and_come_in_order() -> None:
    words = pl.Series(["censored", "met", "death"])
    named = PEOPLE.select(event=words.gather(PEOPLE["status"]))["event"]
    by_word = cumulative_incidence(PEOPLE["time"], named, censored="censored")
    assert by_word["event"].unique(maintain_order=True).to_list() == ["death", "met"]
    by_number = cumulative_incidence(PEOPLE["time"], PEOPLE["status"]).filter(event=1)
    assert_frame_equal(by_word.filter(event="met").drop("event"), by_number.drop("event"))


def test_the_order_of_the_people_does_not_matter() -> None:
    mixed = LATE.sample(fraction=1, shuffle=True, seed=1)
    assert_frame_equal(
        cumulative_incidence(LATE["time"], LATE["event"], LATE["entry"]),
        cumulative_incidence(mixed["time"], mixed["event"], mixed["entry"]),
        rel_tol=1e-12,
    )


def test_once_nobody_goes_on_there_is_no_error_and_no_limit() -> None:
    last = kaplan_meier([1, 2], [True, True]).row(-1, named=True)
    assert last["survival"] == 0
    assert last["std_error"] is last["ci_low"] is last["ci_high"] is None


def test_nobody_has_an_empty_curve_and_only_censored_a_flat_one() -> None:
    assert kaplan_meier([], []).is_empty()
    assert cumulative_incidence([], []).is_empty()
    assert time_until(kaplan_meier([], [])) == (None, None, None)
    flat = kaplan_meier([3, 5], [0, 0])
    assert flat["survival"].to_list() == [1, 1]
    assert time_until(flat).estimate == float("inf")
    assert cumulative_incidence([3, 5], [0, 0]).is_empty()


def test_a_share_that_is_reached_exactly_counts_as_reached() -> None:
    curve = kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1])
    assert [time_until(curve, share).estimate for share in (0.25, 0.5, 0.75)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"time": [1, 2], "event": [1]}, "1 events for 2 times"),
        ({"time": [1, None], "event": [1, 0]}, "1 of 2 people without a time"),
        ({"time": [1, 2], "event": [1, None]}, "an event is 1 .happened. or 0 .censored."),
        ({"time": [1, 2], "event": [1, 2]}, "use cumulative_incidence"),
        ({"time": [1, 2], "event": [1, 0], "entry": [0]}, "1 times of entry for 2 times"),
        ({"time": [1, 2], "event": [1, 0], "entry": [0, 2]}, "1 of 2 people leave when or before they enter"),
        ({"time": [1, 2], "event": [1, 0], "entry": [0, None]}, "1 of 2 people without a time"),
        ({"time": [1, 2], "event": [1, 0], "ci": "loglog"}, "no interval 'loglog'.*did you mean 'log-log'"),
    ],
)
def test_people_without_a_curve_are_told_in_words(arguments: dict, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        kaplan_meier(**arguments)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ([1, None], "1 kinds of event for 2 people"),
        ([1, 0, 2], "3 kinds of event for 2 people"),
        (["met", "none"], "0, which stands for censored: name what does"),
    ],
)
def test_an_unknown_kind_of_event_is_no_censoring(event: list, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        cumulative_incidence([1, 2], event)
