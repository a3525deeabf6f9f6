"""EULAR 2021 difficult-to-treat RA, criterion by criterion, on the edges. Patient P1 is judged on 2022-01-01 unless a
table says otherwise; 2021-01-01 is 365 days earlier. Source of every number: config/definitions/eular_2021.yaml."""

import pytest

from d2tra.definitions import label
from tables import frame
from vignettes import ACTIVE, drugs, judge, met, reason, status

# --- 1m: two mechanisms failed


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | 2019-01-01 | inefficacy"], True, id="two mechanisms failed"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "etanercept | 2018-01-01 | 2019-01-01 | inefficacy"], False, id="two drugs of one mechanism are one"),
        pytest.param(["tocilizumab | 2016-01-01 | 2017-01-01 | inefficacy", "sarilumab | 2018-01-01 | 2019-01-01 | inefficacy"], False, id="two IL-6 receptor inhibitors are one"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | 2019-01-01 | intolerance"], True, id="intolerance counts"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | 2019-01-01 | remission"], False, id="remission is no failure"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | 2019-01-01 |"], None, id="a last drug stopped without reason leaves it open"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | 2019-01-01 | unknown"], None, id="reason unknown is no reason"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 |", "abatacept | 2017-03-01 | 2019-01-01 | inefficacy"], True, id="a switch presumes the failure of the first"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 |", "abatacept | 2017-07-01 | 2019-01-01 | inefficacy"], None, id="a switch 181 days later presumes nothing"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 |", "abatacept | 2017-06-30 | 2019-01-01 | inefficacy"], True, id="a switch 180 days later does"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | 2018-03-25 | inefficacy"], None, id="83 days are too short to have failed"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | 2018-03-26 | inefficacy"], True, id="84 days are long enough"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | |"], False, id="an ongoing drug has not failed"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | | inefficacy"], None, id="a reason of failure without a stop leaves it open"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | 2022-01-01 | inefficacy"], True, id="stopped on the day itself"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | 2022-01-02 | inefficacy"], False, id="stopped the day after: still ongoing"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "methotrexate | 2018-01-01 | 2019-01-01 | inefficacy"], False, id="a csDMARD has no mechanism"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 |", "abatacept | 2018-01-01 | 2019-01-01 |"], None, id="two drugs stopped without reasons leave it open"),
        pytest.param(["adalimumab | 2016-01-01 | 2017-01-01 | remission", "abatacept | 2018-01-01 | 2019-01-01 |"], False, id="one possible failure cannot make two"),
    ],
)  # fmt: skip
def test_1m_counts_distinct_mechanisms_of_failed_drugs(rows, expected):
    assert met("1m", treatments=drugs(*rows)) is expected


def test_1m_names_the_drugs_their_stops_and_reasons():
    assert reason("1m") == (
        "2 mechanisms failed: tnf (adalimumab, stopped 2017-01-01, inefficacy), "
        "il6r (tocilizumab, stopped 2019-01-01, adverse_event)"
    )


def test_1m_names_what_would_settle_it():
    rows = ["adalimumab | 2016-01-01 | 2017-01-01 | inefficacy", "abatacept | 2018-01-01 | 2019-01-01 |"]
    assert reason("1m", treatments=drugs(*rows)) == (
        "1 mechanism failed: tnf (adalimumab, stopped 2017-01-01, inefficacy); possibly also ctla4_ig (abatacept, stopped "
        "2019-01-01, no reason recorded); its stop date and reason would settle it"
    )


def test_counts_at_the_index_date_are_those_of_the_failed_courses():
    rows = ["adalimumab | 2014-01-01 | 2015-01-01 | inefficacy", "etanercept | 2015-02-01 | 2016-01-01 |",
            "tocilizumab | 2016-02-01 | 2017-01-01 | inefficacy"]  # fmt: skip
    labels = judge(treatments=drugs(*rows)).labels
    assert labels.select("n_failed_mechanisms", "n_failed_drugs", "n_failures_presumed").row(0) == (2, 3, 1)


# --- 1p: csDMARD before


@pytest.mark.parametrize(
    ("rows", "contraindicated", "expected"),
    [
        pytest.param(["methotrexate | 2015-01-01 | |", "adalimumab | 2016-01-01 | |"], "", True, id="started before"),
        pytest.param(["methotrexate | 2016-01-01 | |", "adalimumab | 2016-01-01 | |"], "", True, id="started on the same day"),
        pytest.param(["methotrexate | 2016-01-02 | |", "adalimumab | 2016-01-01 | |"], "", None, id="started a day later: unknown, never false"),
        pytest.param(["methotrexate | 2015-01-01 | |"], "", True, id="no b/tsDMARD yet: any csDMARD"),
        pytest.param(["adalimumab | 2016-01-01 | |"], "", None, id="no csDMARD recorded: unknown"),
        pytest.param(["adalimumab | 2016-01-01 | |"], "true", True, id="contraindicated"),
        pytest.param(["adalimumab | 2016-01-01 | |"], "false", None, id="not contraindicated, none recorded: unknown"),
        pytest.param(["prednisolone | 2015-01-01 | |", "adalimumab | 2016-01-01 | |"], "", None, id="a glucocorticoid is no csDMARD"),
    ],
)  # fmt: skip
def test_1p_asks_for_a_csdmard_by_the_first_bts(rows, contraindicated, expected):
    patients = f"disease | csdmard_contraindicated\nRA | {contraindicated}"
    assert met("1p", treatments=drugs(*rows), patients=patients) is expected


def test_1p_sees_only_courses_started_by_the_date():
    rows = ["methotrexate | 2021-06-01 | |", "adalimumab | 2021-05-01 | |"]
    evaluated_before_any = judge(treatments=drugs(*rows), visits="visit_date\n2021-04-01").evidence
    assert evaluated_before_any.filter(criterion="1p")["met"].item() is None


# --- 2a: activity


def scored(*rows):
    return "\n".join(
        ["visit_date | tjc28 | sjc28 | patient_global_mm | physician_global_mm | crp_mg_l | esr_mm_h", *rows]
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(["2022-01-01 | 4 | 0 | 80 | | 0 |"], False, id="DAS28-CRP exactly 3.2 is low"),
        pytest.param(["2022-01-01 | 4 | 0 | 80.003 | | 0 |"], False, id="DAS28-CRP 3.20004 is compared as 3.2000"),
        pytest.param(["2022-01-01 | 4 | 0 | 80.01 | | 0 |"], True, id="DAS28-CRP 3.2001 is moderate"),
        pytest.param(["2022-01-01 | 9 | 0 | 100 | | | 1"], False, id="DAS28-ESR 3.08 is low"),
        pytest.param(["2022-01-01 | 9 | 0 | 100 | | | 2"], True, id="DAS28-ESR 3.57 is moderate"),
        pytest.param(["2022-01-01 | 3 | 2 | 30 | 20 | |"], False, id="CDAI exactly 10 is low"),
        pytest.param(["2022-01-01 | 3 | 2 | 30 | 21 | |"], True, id="CDAI 10.1 is moderate"),
        pytest.param(["2022-01-01 | 0 | 0 | 50 | 50 | 10 |"], False, id="SDAI exactly 11 is low"),
        pytest.param(["2022-01-01 | 0 | 0 | 50 | 50 | 10.1 |"], True, id="SDAI 11.01 is moderate, whatever the others say"),
        pytest.param(["2022-01-01 | 20 | 20 | 90 | 90 | 90 | 90"], True, id="high"),
        pytest.param(["2022-01-01 | 5 | 5 | | | 40 | 60"], None, id="three-variable DAS28 does not stand in"),
        pytest.param(["2022-01-01 | | | | | |"], None, id="no score"),
        pytest.param(["2021-01-01 | 8 | 6 | 60 | 60 | |", "2022-01-01 | | | | | |"], True, id="365 days ago counts"),
        pytest.param(["2020-12-31 | 8 | 6 | 60 | 60 | |", "2022-01-01 | | | | | |"], None, id="366 days ago does not"),
        pytest.param(["2021-12-01 | 8 | 6 | 60 | 60 | |", "2022-01-01 | 0 | 0 | 5 | 5 | |"], False, id="the latest visit with a score decides"),
        pytest.param(["2021-11-01 | 0 | 0 | 5 | 5 | |", "2021-12-01 | 8 | 6 | 60 | 60 | |", "2022-01-01 | | | | | 5 |"], True, id="a visit without a score is passed over"),
    ],
)  # fmt: skip
def test_2a_looks_at_the_latest_visit_with_a_score(rows, expected):
    assert met("2a", visits=scored(*rows)) is expected


ON_TOCILIZUMAB = drugs("methotrexate | 2015-01-01 | |", "tocilizumab | 2018-01-01 | |")


@pytest.mark.parametrize(
    ("treatments", "rows", "expected"),
    [
        pytest.param(ON_TOCILIZUMAB, ["2022-01-01 | 1 | 0 | 10 | | 1 |"], None, id="low DAS28 on tocilizumab: unknown"),
        pytest.param(ON_TOCILIZUMAB, ["2022-01-01 | 1 | 0 | 10 | 10 | 1 |"], False, id="low CDAI beside it: controlled"),
        pytest.param(ON_TOCILIZUMAB, ["2022-01-01 | 8 | 6 | 60 | | 1 |"], True, id="moderate DAS28 in spite of tocilizumab"),
        pytest.param(drugs("tocilizumab | 2018-01-01 | 2022-01-01 | inefficacy"), ["2022-01-01 | 1 | 0 | 10 | | 1 |"], False, id="stopped on the day of the visit: no longer ongoing"),
        pytest.param(drugs("tocilizumab | 2018-01-01 | 2022-01-02 | inefficacy"), ["2022-01-01 | 1 | 0 | 10 | | 1 |"], None, id="stopped the day after"),
        pytest.param(drugs("tocilizumab | 2022-01-01 | |"), ["2022-01-01 | 1 | 0 | 10 | | 1 |"], None, id="started on the day of the visit"),
        pytest.param(drugs("tocilizumab | 2021-12-20 | |"), ["2021-12-01 | 1 | 0 | 10 | | 1 |", "2022-01-01 | | | | | |"], False, id="started after the visit that decides"),
        pytest.param(drugs("baricitinib | 2018-01-01 | |"), ["2022-01-01 | 1 | 0 | 10 | | 1 |"], None, id="a JAK inhibitor suppresses partly"),
        pytest.param(drugs("adalimumab | 2018-01-01 | |"), ["2022-01-01 | 1 | 0 | 10 | | 1 |"], False, id="a TNF inhibitor does not"),
        pytest.param(drugs("prednisolone | 2018-01-01 | |"), ["2022-01-01 | 1 | 0 | 10 | | 1 |"], False, id="a glucocorticoid is no b/tsDMARD"),
        pytest.param(drugs("tocilizumab | 2018-01-01 | 2021-11-01 |", "tocilizumab | 2021-12-20 | |"), ["2022-01-01 | | | | | |", "2021-12-01 | 1 | 0 | 10 | | 1 |"], None, id="in a gap that merges, the course is ongoing"),
    ],
)  # fmt: skip
def test_2a_is_unknown_while_a_drug_masks_the_acute_phase(treatments, rows, expected):
    assert met("2a", treatments=treatments, visits=scored(*rows)) is expected


def test_2a_names_the_scores_and_the_visit():
    assert reason("2a", visits=scored("2022-01-01 | 3 | 2 | 30 | 21 | |")) == (
        "cdai 10.1 (moderate) at the visit of 2022-01-01"
    )


# --- 2b: signs


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(["2022-01-01 | | 1 | | | 10.1 |"], True, id="one swollen joint and CRP 10.1"),
        pytest.param(["2022-01-01 | | 1 | | | 10 |"], False, id="CRP 10 is not above 10"),
        pytest.param(["2022-01-01 | | 1 | | | 10.00004 |"], False, id="CRP 10.00004 is compared as 10.0000"),
        pytest.param(["2022-01-01 | | 1 | | | | 29"], True, id="ESR 29"),
        pytest.param(["2022-01-01 | | 1 | | | | 28"], False, id="ESR 28 is not above 28"),
        pytest.param(["2022-01-01 | | 1 | | | 5 | 29"], True, id="either marker is enough"),
        pytest.param(["2022-01-01 | | 0 | | | 50 | 90"], False, id="no swollen joint"),
        pytest.param(["2022-01-01 | | 1 | | | |"], None, id="neither CRP nor ESR"),
        pytest.param(["2022-01-01 | 5 | | | | 50 |"], None, id="no swollen joint count"),
        pytest.param(["2021-01-01 | | 1 | | | 50 |", "2022-01-01 | | | | | |"], True, id="365 days ago"),
        pytest.param(["2020-12-31 | | 1 | | | 50 |", "2022-01-01 | | | | | |"], None, id="366 days ago"),
        pytest.param(["2021-12-01 | | 1 | | | 50 |", "2022-01-01 | | 0 | | | 2 |"], False, id="the latest such visit decides"),
    ],
)  # fmt: skip
def test_2b_joins_swollen_joints_and_blood(rows, expected):
    assert met("2b", visits=scored(*rows)) is expected


@pytest.mark.parametrize(
    ("sample_date", "expected"),
    [("2022-01-15", True), ("2022-01-16", None), ("2021-12-18", True), ("2021-12-17", None)],
    ids=["14 days after", "15 days after", "14 days before", "15 days before"],
)
def test_2b_borrows_crp_from_the_laboratory_within_14_days(sample_date, expected):
    labs = f"sample_date | test | value | unit\n{sample_date} | crp | 34.2 | mg/L"
    assert met("2b", visits=scored("2022-01-01 | | 1 | | | |"), labs=labs) is expected


def images(*rows):
    return "\n".join(["imaging_date | modality | measure | value", *rows])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(["2022-01-01 | ultrasound | power_doppler_grade | 1"], True, id="power Doppler grade 1"),
        pytest.param(["2022-01-01 | ultrasound | power_doppler_grade | 0"], False, id="power Doppler grade 0"),
        pytest.param(["2022-01-01 | ultrasound | grey_scale_grade | 3"], None, id="grey scale is not looked at"),
        pytest.param(["2022-01-01 | mri | osteitis | 1"], True, id="osteitis"),
        pytest.param(["2022-01-01 | mri | synovitis | 1", "2022-01-01 | mri | osteitis | 0"], True, id="any finding of the day"),
        pytest.param(["2021-06-01 | mri | synovitis | 1", "2021-07-01 | ultrasound | power_doppler_grade | 0"], False, id="the latest day decides, across modalities"),
        pytest.param(["2021-06-01 | mri | synovitis | 1", "2021-07-01 | xray | sharp_van_der_heijde | 40"], True, id="a radiograph is no such day"),
        pytest.param(["2021-01-01 | mri | synovitis | 1"], True, id="365 days ago"),
        pytest.param(["2020-12-31 | mri | synovitis | 1"], None, id="366 days ago"),
        pytest.param(["2022-01-02 | mri | synovitis | 1"], None, id="tomorrow"),
    ],
)  # fmt: skip
def test_2b_looks_at_ultrasound_and_mri(rows, expected):
    assert met("2b", imaging=images(*rows)) is expected


def test_2b_is_met_by_either_and_false_if_the_only_one_known_is_negative():
    negative, positive = scored("2022-01-01 | | 0 | | | 2 |"), images("2022-01-01 | mri | osteitis | 1")
    assert met("2b", visits=negative, imaging=positive) is True
    assert met("2b", visits=negative) is False


# --- 2c: glucocorticoids. [t − 90, t] is 2021-10-03 to 2022-01-01.


def steroids(*rows):
    return "\n".join(["drug | start_date | stop_date | daily_dose_mg", *rows])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(["prednisolone | 2021-10-03 | | 7.5"], True, id="7.5 mg on every one of 91 days"),
        pytest.param(["prednisolone | 2021-10-04 | | 7.5"], False, id="a day short"),
        pytest.param(["prednisolone | 2021-01-01 | 2022-01-01 | 7.5"], True, id="stopped on the day itself"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-12-31 | 7.5"], False, id="stopped the day before"),
        pytest.param(["prednisolone | 2021-01-01 | | 7.49"], False, id="7.49 mg"),
        pytest.param(["prednisolone | 2021-01-01 | | 7.49995"], True, id="7.49995 is compared as 7.5000"),
        pytest.param(["deflazacort | 2021-01-01 | | 9"], True, id="deflazacort 9 mg is prednisolone 7.5 mg"),
        pytest.param(["methylprednisolone | 2021-01-01 | | 6"], True, id="methylprednisolone 6 mg is prednisolone 7.5 mg"),
        pytest.param(["dexamethasone | 2021-01-01 | | 1.125"], True, id="dexamethasone 1.125 mg is prednisolone 7.5 mg"),
        pytest.param(["hydrocortisone | 2021-01-01 | | 29.9"], False, id="hydrocortisone 29.9 mg is less"),
        pytest.param(["prednisolone | 2021-01-01 | | 5", "hydrocortisone | 2021-01-01 | | 10"], True, id="molecules add up"),
        pytest.param(["prednisolone | 2021-01-01 | | 5", "prednisolone | 2021-01-01 | | 2.5"], True, id="rows of one molecule add up"),
        pytest.param(["prednisolone | 2021-01-01 | |"], None, id="dose not recorded"),
        pytest.param(["prednisolone | 2021-01-01 | | 7.5", "hydrocortisone | 2021-01-01 | |"], True, id="the known dose is enough"),
        pytest.param(["prednisolone | 2021-01-01 | | 5", "hydrocortisone | 2021-01-01 | |"], None, id="the known dose is not enough"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-12-01 |", "prednisolone | 2021-12-02 | | 5"], False, id="one day not high is enough for no"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-11-01 | 10", "prednisolone | 2021-11-02 | | 10"], True, id="rows that touch"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-11-01 | 10", "prednisolone | 2021-11-16 | | 10"], True, id="a gap of 14 days is bridged"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-11-01 | 10", "prednisolone | 2021-11-17 | | 10"], False, id="a gap of 15 days is not"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-11-01 | 10", "prednisolone | 2021-11-16 | | 7.5"], True, id="bridged at the lower dose, 7.5"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-11-01 | 5", "prednisolone | 2021-11-02 | 2021-11-03 | 10", "prednisolone | 2021-11-10 | | 10"], False, id="days before at 5 mg"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-11-01 | 10", "prednisolone | 2021-11-10 | |"], None, id="bridge and rest unknown"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-11-01 | 10", "prednisolone | 2021-11-10 | 2021-11-10 |", "prednisolone | 2021-11-10 | | 10"], None, id="unknown if a dose of either day is unknown"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-11-01 | 10", "methylprednisolone | 2021-11-10 | | 20"], False, id="another molecule bridges nothing"),
        pytest.param(["prednisolone | 2021-01-01 | 2021-12-25 | 10", "prednisolone | 2022-01-05 | | 10"], False, id="a row after the cut bridges nothing"),
        pytest.param(["prednisolone | 2023-01-01 | | 10"], None, id="only a row after the cut: no glucocorticoid"),
    ],
)  # fmt: skip
def test_2c_asks_for_7_5_mg_on_every_day(rows, expected):
    study = {"data_cut_date": "2022-01-01"}
    assert met("2c", treatments=steroids("methotrexate | 2015-01-01 | |", *rows), study=study) is expected


def test_2c_a_row_that_starts_later_but_by_the_cut_bridges():
    rows = ["prednisolone | 2021-01-01 | 2021-12-25 | 10", "prednisolone | 2022-01-05 | | 10"]
    assert met("2c", treatments=steroids(*rows), study={"data_cut_date": "2022-01-05"}) is True


@pytest.mark.parametrize(
    ("records", "expected"),
    [(True, False), (False, None), (None, None)],
    ids=["says yes", "says no", "says nothing"],
)
def test_2c_without_rows_hangs_on_whether_the_site_records_them(records, expected):
    assert met("2c", records_glucocorticoids=records) is expected


def test_2c_without_rows_is_false_where_anyone_at_the_site_has_one():
    extract = {
        "patients": frame("patient_id | disease\nP1 | RA\nP2 | RA"),
        "visits": frame("patient_id | visit_date\nP1 | 2022-01-01\nP2 | 2022-01-01"),
        "treatments": frame(
            "patient_id | drug | start_date | daily_dose_mg\nP2 | prednisolone | 2021-12-01 | 5"
        ),
    }
    evidence = label(extract, "eular_2021").evidence.filter(criterion="2c")
    assert evidence["met"].to_list() == [False, False]
    assert (
        label(extract, "eular_2021", {"data_cut_date": "2021-11-30"}).evidence["met"].drop_nulls().is_empty()
    )


# --- 2d: radiographs


def sharp(*rows):
    return images(*(f"{date} | xray | sharp_van_der_heijde | {value}" for date, value in rows))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([("2021-01-01", 10), ("2022-01-01", 15)], True, id="5 points in 365 days"),
        pytest.param([("2021-01-01", 10), ("2022-01-01", 14.99)], False, id="4.99 points"),
        pytest.param([("2021-07-01", 10), ("2022-01-01", 15)], True, id="5 points in half a year are not doubled, and enough"),
        pytest.param([("2021-07-01", 10), ("2022-01-01", 13)], False, id="3 points in half a year are not doubled"),
        pytest.param([("2020-10-02", 10), ("2022-01-01", 16.24)], False, id="456 days apart: 6.24 points are 4.9947 a year"),
        pytest.param([("2020-10-02", 10), ("2022-01-01", 16.25)], True, id="456 days apart: 6.25 points are 5.0027 a year"),
        pytest.param([("2020-10-01", 10), ("2022-01-01", 40)], None, id="457 days apart are no pair"),
        pytest.param([("2022-01-01", 10), ("2022-01-01", 40)], None, id="the same day is no pair"),
        pytest.param([("2020-06-01", 10), ("2021-01-01", 16)], True, id="the later one 365 days ago"),
        pytest.param([("2020-06-01", 10), ("2020-12-31", 16)], None, id="the later one 366 days ago"),
        pytest.param([("2021-01-01", 20), ("2022-01-01", 10)], False, id="falling"),
        pytest.param([("2021-02-01", 10), ("2021-06-01", 16), ("2021-12-01", 16)], True, id="some pair is enough"),
        pytest.param([("2022-01-01", 40)], None, id="one reading"),
    ],
)  # fmt: skip
def test_2d_looks_for_a_pair_that_rises_by_5_a_year(rows, expected):
    assert met("2d", imaging=sharp(*rows)) is expected


# --- 2e: quality of life, where 2a is not met

CONTROLLED = (
    "visit_date | tjc28 | sjc28 | patient_global_mm | physician_global_mm | haq_di | pain_mm | fatigue_mm"
)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param("0 | 0 | 5 | 5 | 1.0 | 40 | 40", False, id="HAQ 1.0, pain 40, fatigue 40: none above"),
        pytest.param("0 | 0 | 5 | 5 | 1.125 | |", True, id="HAQ 1.125"),
        pytest.param("0 | 0 | 5 | 5 | | 40.1 |", True, id="pain 40.1"),
        pytest.param("0 | 0 | 5 | 5 | | | 41", True, id="fatigue 41"),
        pytest.param("0 | 0 | 5 | 5 | 0.5 | | 41", True, id="any is enough"),
        pytest.param("0 | 0 | 5 | 5 | | | ", None, id="controlled, none recorded"),
        pytest.param("8 | 6 | 60 | 60 | 2 | 80 | 80", False, id="active: not 2e, whatever the symptoms"),
        pytest.param(" | | | | 2 | |", None, id="activity unknown, symptoms: unknown"),
        pytest.param(" | | | | 0.5 | 10 | 10", False, id="activity unknown, no symptoms: false"),
    ],
)  # fmt: skip
def test_2e_is_not_2a_and_symptoms(row, expected):
    assert met("2e", visits=f"{CONTROLLED}\n2022-01-01 | {row}") is expected


def test_2e_computes_the_haq_from_its_categories_where_it_is_empty():
    names = ["dressing", "arising", "eating", "walking", "hygiene", "reach"]
    header = " | ".join(
        [
            "visit_date",
            "tjc28",
            "sjc28",
            "patient_global_mm",
            "physician_global_mm",
            *(f"haq_{n}" for n in names),
        ]
    )
    assert met("2e", visits=f"{header}\n2022-01-01 | 0 | 0 | 5 | 5 | 2 | 1 | 1 | 1 | 1 | 1") is True
    assert met("2e", visits=f"{header}\n2022-01-01 | 0 | 0 | 5 | 5 | 1 | 1 | 1 | 1 | 1 | 1") is False


# --- 2: any of a to e, 2d left out where unknown

ALL_NEGATIVE = f"{CONTROLLED} | crp_mg_l\n2022-01-01 | 0 | 0 | 5 | 5 | 0.5 | 10 | 10 | 2"


def test_2_leaves_an_unknown_2d_out():
    assert met("2", visits=ALL_NEGATIVE, records_glucocorticoids=True) is False
    assert met("2d", visits=ALL_NEGATIVE, records_glucocorticoids=True) is None


def test_2_is_unknown_if_any_other_part_is_and_none_is_met():
    assert met("2", visits=ALL_NEGATIVE) is None  # 2c: nobody says whether the site records glucocorticoids


def test_2_is_met_by_any_part_whatever_is_unknown():
    assert met("2", imaging=sharp(("2021-01-01", 10), ("2022-01-01", 15))) is True


# --- 3: perceived as problematic

FLAGS = "visit_date | problematic_to_patient | problematic_to_rheumatologist | patient_global_mm | physician_global_mm"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(["2022-01-01 | true | | |"], True, id="to the patient"),
        pytest.param(["2022-01-01 | | true | |"], True, id="to the rheumatologist"),
        pytest.param(["2022-01-01 | false | true | |"], True, id="to either"),
        pytest.param(["2022-01-01 | false | false | |"], False, id="to neither"),
        pytest.param(["2022-01-01 | false | | |"], False, id="an unrecorded second flag does not make it unknown"),
        pytest.param(["2022-01-01 | | | |"], None, id="not recorded"),
        pytest.param(["2021-01-01 | true | | |", "2022-01-01 | | | |"], True, id="365 days ago"),
        pytest.param(["2020-12-31 | true | | |", "2022-01-01 | | | |"], None, id="366 days ago"),
        pytest.param(["2021-12-01 | true | | |", "2022-01-01 | | false | |"], False, id="the latest visit with a flag decides"),
    ],
)  # fmt: skip
def test_3_takes_the_latest_visit_with_a_flag(rows, expected):
    assert met("3", visits="\n".join([FLAGS, *rows])) is expected


@pytest.mark.parametrize(
    ("policy", "rows", "expected"),
    [
        pytest.param("assume_met", ["2022-01-01 | | | |"], True, id="assumed"),
        pytest.param("assume_met", ["2022-01-01 | false | | |"], False, id="what is recorded is not assumed away"),
        pytest.param("global_above_50", ["2022-01-01 | | | 50 | 50"], False, id="global 50 is not above 50"),
        pytest.param("global_above_50", ["2022-01-01 | | | 50.1 | 10"], True, id="either global above 50"),
        pytest.param("global_above_50", ["2022-01-01 | | | | 51"], True, id="the physician's alone"),
        pytest.param("global_above_50", ["2021-06-01 | | | 90 |", "2022-01-01 | | | 20 |"], False, id="the latest global"),
        pytest.param("global_above_50", ["2022-01-01 | | | |"], None, id="no global either"),
        pytest.param("global_above_50", ["2020-12-31 | | | 90 |", "2022-01-01 | | | |"], None, id="a global 366 days ago"),
        pytest.param("global_above_50", ["2022-01-01 | false | | 90 | 90"], False, id="a recorded flag comes first"),
    ],
)  # fmt: skip
def test_3_where_unrecorded_is_what_the_study_chose(policy, rows, expected):
    assert met("3", visits="\n".join([FLAGS, *rows]), study={"if_criterion_3_unrecorded": policy}) is expected


def test_3_ignored_where_unrecorded_leaves_the_verdict_to_the_others():
    labelled = judge(visits=ACTIVE, study={"if_criterion_3_unrecorded": "ignore"})
    assert labelled.labels["status"].item() == "met"
    assert "3" not in labelled.evidence["criterion"]


# --- verdict and dates

PROBLEMATIC = f"{ACTIVE.splitlines()[0]} | problematic_to_patient\n{ACTIVE.splitlines()[1]} | true"
NOT_PROBLEMATIC = PROBLEMATIC.replace("| true", "| false")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"visits": PROBLEMATIC}, "met", id="all three met"),
        pytest.param({"visits": NOT_PROBLEMATIC}, "not_met", id="one not met"),
        pytest.param({"visits": ACTIVE}, "not_assessable", id="one unknown"),
        pytest.param({"visits": NOT_PROBLEMATIC, "treatments": drugs("adalimumab | 2016-01-01 | 2017-01-01 |")}, "not_met", id="false and unknown is false"),
        pytest.param({"visits": PROBLEMATIC, "treatments": drugs("adalimumab | 2016-01-01 | | |".rstrip(" |") + " | |")}, "not_met", id="no failure"),
        pytest.param({"visits": NOT_PROBLEMATIC, "treatments": None}, "not_assessable", id="an extract without treatments: never assessable"),
    ],
)  # fmt: skip
def test_the_verdict_is_1_and_2_and_3(given, expected):
    assert status(**given) == expected


def test_without_a_visit_nothing_is_assessable_and_nothing_is_counted():
    labelled = judge(visits="visit_date | tjc28\n2022-02-01 | 1", study={"data_cut_date": "2022-01-01"})
    row = labelled.labels.row(0, named=True)
    assert row["status"] == "not_assessable"
    assert [row[name] for name in ("index_date", "first_met_date", "n_failed_mechanisms", "n_failed_drugs", "n_failures_presumed")] == [None] * 5  # fmt: skip
    assert labelled.evidence["criterion"].to_list() == [
        "1",
        "1m",
        "1p",
        "2",
        "2a",
        "2b",
        "2c",
        "2d",
        "2e",
        "3",
    ]
    assert labelled.evidence["met"].null_count() == 10


def test_status_is_the_last_verdict_and_first_met_date_the_earliest_met():
    header = PROBLEMATIC.splitlines()[0]
    visits = [header, "2018-06-01 | 8 | 6 | 60 | 60 | true", "2019-06-01 | 8 | 6 | 60 | 60 | true",
              "2020-01-01 | 8 | 6 | 60 | 60 | true", "2021-06-01 | 8 | 6 | 60 | 60 | false"]  # fmt: skip
    row = judge(visits="\n".join(visits)).labels.row(0, named=True)
    assert (str(row["index_date"]), row["status"], str(row["first_met_date"])) == (
        "2021-06-01",
        "not_met",
        "2019-06-01",
    )


def test_rows_after_the_studys_cut_are_not_used():
    visits = PROBLEMATIC + "\n2022-06-01 | 0 | 0 | 0 | 0 | false"
    assert status(visits=visits) == "not_met"
    assert status(visits=visits, study={"data_cut_date": "2022-05-31"}) == "met"
    assert status(visits=visits, study={"data_cut_date": "2022-06-01"}) == "not_met"


def test_a_patient_of_another_disease_has_no_label():
    assert judge(patients="disease\nPsA").labels.is_empty()


def test_evidence_lists_the_criteria_in_the_order_of_the_definition():
    assert judge().evidence["criterion"].to_list() == [
        "1",
        "1m",
        "1p",
        "2",
        "2a",
        "2b",
        "2c",
        "2d",
        "2e",
        "3",
    ]


# --- presumed failures


def test_a_label_hangs_on_presumed_failures_if_fewer_than_two_are_left_without_them():
    switched = drugs("methotrexate | 2015-01-01 | |", "adalimumab | 2016-01-01 | 2017-01-01 |", "abatacept | 2017-02-01 | 2019-01-01 | inefficacy")  # fmt: skip
    assert judge(visits=PROBLEMATIC, treatments=switched).labels["hangs_on_presumed"].item() is True
    assert judge(visits=PROBLEMATIC).labels["hangs_on_presumed"].item() is False
