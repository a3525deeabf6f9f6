"""d2t_objective: as eular_2021, with criterion 2 = 2b alone."""

from vignettes import judge, status

OBJECTIVE = {"definition": "d2t_objective"}
HEADER = (
    "visit_date | tjc28 | sjc28 | patient_global_mm | physician_global_mm | crp_mg_l | problematic_to_patient"
)


def test_high_scores_without_objective_signs_are_not_enough():
    visits = f"{HEADER}\n2022-01-01 | 20 | 0 | 90 | 90 | 3 | true"
    assert (status(visits=visits), status(visits=visits, **OBJECTIVE)) == ("met", "not_met")


def test_a_swollen_joint_with_raised_crp_is():
    assert status(visits=f"{HEADER}\n2022-01-01 | 1 | 1 | 20 | 20 | 11 | true", **OBJECTIVE) == "met"


def test_without_joints_blood_or_images_it_is_not_assessable():
    assert status(visits=f"{HEADER}\n2022-01-01 | 20 | | 90 | 90 | | true", **OBJECTIVE) == "not_assessable"


def test_evidence_has_2b_alone_below_2():
    assert judge(**OBJECTIVE).evidence["criterion"].to_list() == ["1", "1m", "1p", "2", "2b", "3"]
