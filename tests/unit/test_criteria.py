"""How criteria combine, look back, and add up doses."""

import datetime as dt

import polars as pl
import pytest

from d2tra.definitions.criteria import Criterion
from d2tra.definitions.facts import latest
from d2tra.definitions.glucocorticoid import dose_spans
from d2tra.definitions.leaf import Threshold
from tables import frame

ALL = [True, False, None]


def combined(how, verdicts, optional=""):
    """The verdict of a combination of criteria a, b, c with these verdicts."""
    counting = {"count_intolerance": True, "count_presumed": True}
    children = [
        {"id": name, "title": name, "failed_mechanisms": {"at_least": number, **counting}}
        for number, name in enumerate("abc"[: len(verdicts)])
    ]
    node = Criterion.model_validate({how: children})
    return pl.select(
        node.met(lambda leaf: pl.lit(verdicts[leaf.at_least], dtype=pl.Boolean), frozenset(optional))
    ).item()


@pytest.mark.parametrize("one", ALL)
@pytest.mark.parametrize("other", ALL)
def test_unknown_is_never_no(one, other):
    both = [one, other]
    assert combined("all_of", both) is (False if False in both else None if None in both else True)
    assert combined("any_of", both) is (True if True in both else None if None in both else False)
    assert combined("none_of", both) is (False if True in both else None if None in both else True)


@pytest.mark.parametrize(
    ("verdicts", "optional", "expected"),
    [
        pytest.param([False, None], "b", False, id="an optional unknown is left out"),
        pytest.param([False, None], "a", None, id="a required unknown is not"),
        pytest.param([None, None], "b", None, id="the required one is unknown"),
        pytest.param([None, None], "ab", None, id="all left out: unknown"),
        pytest.param([None, False], "ab", False, id="all optional, one known"),
        pytest.param([None, True], "ab", True, id="all optional, one met"),
        pytest.param([False, True], "b", True, id="an optional one that is met counts"),
        pytest.param([False, None, None], "bc", False, id="several left out"),
    ],
)
def test_an_optional_criterion_that_is_unknown_is_left_out_of_the_or(verdicts, optional, expected):
    assert combined("any_of", verdicts, optional) is expected


DATES = frame("patient_id | evaluation_date\nA | 2021-01-01\nA | 2022-01-01\nB | 2022-01-01")


@pytest.mark.parametrize(
    ("day", "found"),
    [("2020-12-31", [1, None, None]), ("2021-01-01", [1, 1, None]), ("2022-01-01", [None, 1, None]), ("2022-01-02", [None] * 3)],
    ids=["366 days ago", "365 days ago", "the day itself", "a day later"],
)  # fmt: skip
def test_looking_back_includes_both_ends_of_the_window(day, found):
    records = frame(f"patient_id | day | value\nA | {day} | 1")
    assert latest(DATES, records, "day", 365)["value"].to_list() == found


def test_looking_back_takes_the_latest_record_of_the_patient():
    records = frame("patient_id | day | value\nA | 2021-07-01 | 2\nA | 2021-06-01 | 1\nB | 2021-12-31 | 3")
    assert latest(DATES, records, "day", 365)["value"].to_list() == [None, 2, 3]


def test_looking_back_without_limit_reaches_the_beginning():
    records = frame("patient_id | day | value\nA | 1990-01-01 | 1")
    assert latest(DATES, records, "day")["value"].to_list() == [1, 1, None]


def test_looking_back_keeps_every_date_where_nothing_is_recorded():
    nothing = frame("patient_id | day | value\nA | 2021-01-01 | 1").clear()
    assert latest(DATES, nothing, "day", 365)["value"].to_list() == [None, None, None]


def spans(rows, bridged_gap_days=14):
    """first day, last day, known mg and unknown doses of every span that is not 0 mg."""
    table = frame(
        f"patient_id | molecule | start_date | stop_date | dose_mg\n{rows}",
        stop_date=pl.Date,
        dose_mg=pl.Float64,
    )
    found = dose_spans(table, bridged_gap_days)
    assert (found["first"].item(0), found["last"].item(-1)) == (dt.date(1, 1, 1), dt.date(9999, 12, 31))
    days = found.filter((pl.col("known_mg") > 0) | (pl.col("n_unknown") > 0))
    return [(str(first), str(last), round(mg, 6), unknown) for _, first, last, mg, unknown in days.rows()]


def test_doses_of_overlapping_rows_add_up():
    assert spans("A | p | 2021-01-01 | 2021-01-10 | 5\nA | q | 2021-01-06 | 2021-01-20 | 2.5") == [
        ("2021-01-01", "2021-01-05", 5, 0),
        ("2021-01-06", "2021-01-10", 7.5, 0),
        ("2021-01-11", "2021-01-20", 2.5, 0),
    ]


def test_an_unrecorded_dose_is_counted_apart():
    assert spans("A | p | 2021-01-01 | 2021-01-10 | 5\nA | q | 2021-01-06 | |") == [
        ("2021-01-01", "2021-01-05", 5, 0),
        ("2021-01-06", "2021-01-10", 5, 1),
        ("2021-01-11", "9999-12-31", 0, 1),
    ]


def test_a_gap_is_bridged_at_the_lower_dose_of_the_days_around_it():
    assert spans("A | p | 2021-01-01 | 2021-01-10 | 10\nA | p | 2021-01-15 | 2021-01-20 | 5") == [
        ("2021-01-01", "2021-01-10", 10, 0),
        ("2021-01-11", "2021-01-14", 5, 0),
        ("2021-01-15", "2021-01-20", 5, 0),
    ]


def test_the_dose_beside_a_gap_is_that_of_all_rows_of_the_molecule_on_that_day():
    rows = "A | p | 2021-01-01 | 2021-01-10 | 2\nA | p | 2021-01-08 | 2021-01-10 | 4\nA | p | 2021-01-12 | 2021-01-12 | 9"
    assert ("2021-01-11", "2021-01-11", 6, 0) in spans(rows)


def test_a_row_inside_a_longer_row_leaves_no_gap():
    rows = "A | p | 2021-01-01 | 2021-02-01 | 5\nA | p | 2021-01-05 | 2021-01-06 | 5\nA | p | 2021-01-20 | 2021-02-01 | 5"
    assert spans(rows)[-1] == ("2021-01-20", "2021-02-01", 10, 0)
    assert len(spans(rows)) == 4


@pytest.mark.parametrize(("gap", "n_spans"), [(14, 3), (15, 2)], ids=["14 days", "15 days"])
def test_a_gap_of_up_to_14_days_is_bridged(gap, n_spans):
    later = dt.date(2021, 1, 11) + dt.timedelta(days=gap)
    assert len(spans(f"A | p | 2021-01-01 | 2021-01-10 | 10\nA | p | {later} | | 5")) == n_spans


@pytest.mark.parametrize("who", ["A | q", "B | p"], ids=["another molecule", "another patient"])
def test_a_gap_is_bridged_by_the_patients_own_rows_of_the_molecule_only(who):
    assert len(spans(f"A | p | 2021-01-01 | 2021-01-10 | 10\n{who} | 2021-01-12 | 2021-01-20 | 10")) == 2


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        ({"above": 10}, [False, False, True]),
        ({"at_least": 10}, [False, True, True]),
        ({"below": 10}, [True, False, False]),
        ({"up_to": 10}, [True, True, False]),
    ],
    ids=["above", "at least", "below", "up to"],
)
def test_a_threshold_says_on_which_side_its_edge_falls(edge, expected):
    values = pl.DataFrame({"value": [9.9999, 10.00004, 10.0001]})
    assert values.select(Threshold(**edge).holds(pl.col("value"))).to_series().to_list() == expected


def test_a_threshold_is_unknown_where_the_value_is():
    assert pl.select(Threshold(above=10).holds(pl.lit(None, dtype=pl.Float64))).item() is None


@pytest.mark.parametrize("edges", [{}, {"above": 1, "below": 2}], ids=["none", "two"])
def test_a_threshold_has_exactly_one_edge(edges):
    with pytest.raises(ValueError, match="one"):
        Threshold(**edges)
