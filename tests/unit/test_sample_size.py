"""Riley's sample size and the parameter budget: edges. The numbers are compared with R in test_against_r."""

import pytest

from d2tra.errors import StudyError
from d2tra.models.sample_size import parameter_budget, required_sample_size


def test_the_audits_12_events_in_95_patients_bear_no_parameter() -> None:
    assert required_sample_size(12 / 95, 1).n_overall_risk == 170
    assert parameter_budget(95, 12) == 0


@pytest.mark.parametrize(("n", "n_events"), [(722, 90), (627, 78), (5000, 650)])
def test_the_budget_is_the_most_parameters_that_the_patients_suffice_for(n: int, n_events: int) -> None:
    budget = parameter_budget(n, n_events)
    assert budget > 0
    assert (
        required_sample_size(n_events / n, budget).n <= n < required_sample_size(n_events / n, budget + 1).n
    )


def test_no_events_or_only_events_leave_no_budget() -> None:
    assert parameter_budget(722, 0) == parameter_budget(722, 722) == parameter_budget(0, 0) == 0


def test_a_stronger_anticipated_fit_asks_for_fewer_patients() -> None:
    sizes = [required_sample_size(0.13, 6, c_statistic=c).n for c in (0.6, 0.7, 0.8, 0.9)]
    assert sizes == sorted(sizes, reverse=True)


def test_nothing_known_beforehand_means_a_nagelkerke_of_15_percent() -> None:
    assert required_sample_size(0.13, 6) == required_sample_size(0.13, 6, r2_nagelkerke=0.15)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"prevalence": 0.0, "n_parameters": 1}, "prevalence 0.0"),
        ({"prevalence": 0.1, "n_parameters": 0}, "0 parameters"),
        ({"prevalence": 0.1, "n_parameters": 1, "c_statistic": 0.5}, "c-statistic 0.5"),
        ({"prevalence": 0.1, "n_parameters": 1, "r2_nagelkerke": 1.0}, "R² 1.0"),
        ({"prevalence": 0.1, "n_parameters": 1, "c_statistic": 0.7, "r2_nagelkerke": 0.1}, "not both"),
    ],
)
def test_values_out_of_range_are_named(arguments: dict[str, float], named: str) -> None:
    with pytest.raises(StudyError, match=named):
        required_sample_size(**arguments)
