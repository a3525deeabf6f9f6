"""eular_2021_strict: as eular_2021, but only a recorded inefficacy is a failure."""

import pytest

from vignettes import drugs, judge, met

FIRST = "adalimumab | 2016-01-01 | 2017-01-01 | inefficacy"


@pytest.mark.parametrize(
    ("second", "strict", "usual"),
    [
        pytest.param("abatacept | 2018-01-01 | 2019-01-01 | inefficacy", True, True, id="inefficacy"),
        pytest.param("abatacept | 2018-01-01 | 2019-01-01 | adverse_event", False, True, id="adverse event: no failure"),
        pytest.param("abatacept | 2018-01-01 | 2019-01-01 | intolerance", False, True, id="intolerance: no failure"),
        pytest.param("abatacept | 2018-01-01 | | intolerance", False, None, id="intolerance without a stop: no failure either"),
        pytest.param("abatacept | 2018-01-01 | | inefficacy", None, None, id="inefficacy without a stop: open"),
        pytest.param("abatacept | 2018-01-01 | 2019-01-01 |", None, None, id="no reason: open"),
    ],
)  # fmt: skip
def test_1m_counts_recorded_inefficacy_alone(second, strict, usual):
    assert met("1m", treatments=drugs(FIRST, second), definition="eular_2021_strict") is strict
    assert met("1m", treatments=drugs(FIRST, second)) is usual


def test_1m_is_open_where_eular_2021_presumes_a_failure():
    switched = drugs(
        "adalimumab | 2016-01-01 | 2017-01-01 |", "abatacept | 2017-02-01 | 2019-01-01 | inefficacy"
    )
    assert met("1m", treatments=switched, definition="eular_2021_strict") is None
    assert met("1m", treatments=switched) is True


def test_counts_are_those_of_the_definition():
    switched = drugs(
        "adalimumab | 2016-01-01 | 2017-01-01 |", "abatacept | 2017-02-01 | 2019-01-01 | inefficacy"
    )
    row = judge(treatments=switched, definition="eular_2021_strict").labels.row(0, named=True)
    assert (row["n_failed_mechanisms"], row["n_failed_drugs"], row["n_failures_presumed"]) == (1, 1, 0)
