"""eular_2021_routine: as eular_2021, and an unknown 2c or 2e is left out too."""

from vignettes import VISIT, judge, met

ROUTINE = {"definition": "eular_2021_routine"}
CONTROLLED = """
    visit_date | tjc28 | sjc28 | patient_global_mm | physician_global_mm | crp_mg_l
    2022-01-01 | 0     | 0     | 5                 | 5                   | 2
    """


def test_2_leaves_an_unknown_2c_and_2e_out_where_eular_2021_does_not():
    assert met("2", visits=CONTROLLED, **ROUTINE) is False
    assert met("2", visits=CONTROLLED) is None


def test_2_still_needs_2a_and_2b():
    assert met("2", visits=VISIT, **ROUTINE) is None


def test_a_known_2c_still_counts():
    steroid = "drug | start_date | stop_date | daily_dose_mg\nprednisolone | 2021-01-01 | | 7.5"
    assert met("2", visits=CONTROLLED, treatments=steroid, **ROUTINE) is True


def test_evidence_still_shows_what_is_left_out_as_unknown():
    evidence = judge(visits=CONTROLLED, **ROUTINE).evidence
    assert evidence.filter(evidence["met"].is_null())["criterion"].to_list() == ["2c", "2d", "2e", "3"]
