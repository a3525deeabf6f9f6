"""Each factor of the analysis set, at the baseline date and never after it."""

import polars as pl
import pytest

from d2tra.config import Study
from d2tra.errors import StudyError
from d2tra.extract.schemas import complete
from d2tra.risk_factor_plan import Factor, Plan, load_plan
from d2tra.risk_factors import assemble_analysis_set, at_index, derive_factors
from tables import frame

PLAN = load_plan()
PATIENTS = frame("""
    patient_id | disease | sex     | birth_year | ethnicity | smoking_status | imd_quintile | symptom_onset_date | diagnosis_date
    A          | RA      | female  | 1960       | white     | never          | 1            | 2009-06-01         | 2010-01-01
    B          | RA      | unknown |            | asian     |                | 5            |                    |
""")
VISITS = frame("""
    patient_id | visit_date | weight_kg | height_cm | bmi_kg_m2 | tjc28 | sjc28 | patient_global_mm | haq_di
    A          | 2019-01-01 | 80        | 160       |           | 5     | 2     | 40                | 1.0
    A          | 2020-01-01 |           |           |           |       |       |                   |
""")


def at(baseline="2020-01-01", first_bts="2012-01-01", patients="A"):
    rows = "\n".join(f"{p} | {baseline} | {first_bts}" for p in patients)
    return frame(
        f"patient_id | baseline_date | first_bts_date\n{rows}", baseline_date=pl.Date, first_bts_date=pl.Date
    )


def derive(*names, baseline="2020-01-01", undated_counts=True, patients="A", **tables):
    """The named factors (with those they are made of) of the patients, from the tables given."""
    given = {"patients": complete(PATIENTS, "patients"), "visits": complete(VISITS, "visits")}
    given["patients"] = tables.pop("patients_table", given["patients"])
    given |= {
        name: complete(rows, name) if name in ("labs", "visits", "diagnoses") else rows
        for name, rows in tables.items()
    }
    factors = [f for f in PLAN.factors.values() if f.name in names or f.name in NEEDED.get(names[0], ())]
    found = derive_factors(factors, at(baseline, patients=patients), given, undated_counts)
    return found[names[0]].to_list() if len(patients) > 1 else found[names[0]].item()


NEEDED = {
    "seropositive_both": ["rf_positive", "anti_ccp_positive"],
    "seropositive_any": ["rf_positive", "anti_ccp_positive"],
    "obese": ["bmi_kg_m2"],
    "bmi_class": ["bmi_kg_m2"],
    "obese_by_ethnicity": ["bmi_kg_m2", "ethnicity"],
    "fibromyalgia_and_osteoarthritis": ["fibromyalgia", "osteoarthritis"],
    "fibromyalgia_or_osteoarthritis": ["fibromyalgia", "osteoarthritis"],
}


def labs(*results, test="rf"):
    """Results of patient A: (value, upper limit, date)."""
    rows = [("A", day, test, value, "U/mL", limit) for value, limit, day in results]
    return pl.DataFrame(
        rows, schema=["patient_id", "sample_date", "test", "value", "unit", "upper_limit"], orient="row",
        schema_overrides={"upper_limit": pl.Float64},
    ).with_columns(pl.col("sample_date").str.to_date())  # fmt: skip


@pytest.mark.parametrize(("value", "limit", "positive", "high"), [
    ("positive", None, True, None),
    ("Weak positive", None, True, False),
    ("negative", None, False, False),
    ("20", 20, False, False),  # the upper limit itself is normal
    ("20.1", 20, True, False),
    ("60", 20, True, False),
    ("60.1", 20, True, True),
    (">20", 20, True, False),  # used as 20
    (">60", 20, True, True),
    (">19", 20, False, False),
    ("<5", 20, False, False),
    ("34", None, None, None),
    ("haemolysed", 20, None, None),
])  # fmt: skip
def test_a_serology_result_is_positive_above_the_upper_limit_and_high_above_three_times_it(
    value, limit, positive, high
):
    results = labs((value, limit, "2015-01-01"))
    assert derive("rf_positive", labs=results) is positive
    assert derive("rf_high_titre", labs=results) is high


def test_one_positive_result_is_enough_however_old():
    results = labs(("positive", None, "1999-01-01"), ("negative", None, "2019-01-01"))
    assert derive("rf_positive", labs=results) is True


def test_a_result_after_baseline_is_not_read_and_one_of_that_day_is():
    results = labs(("positive", None, "2020-01-02"))
    assert derive("rf_positive", labs=results) is None
    assert derive("rf_positive", labs=results, baseline="2020-01-02") is True


def test_a_text_that_is_no_result_does_not_undo_a_negative_one():
    results = labs(("negative", None, "2015-01-01"), ("haemolysed", 20, "2016-01-01"))
    assert derive("rf_positive", labs=results) is False


def test_a_result_without_an_upper_limit_leaves_open_what_a_negative_one_would_settle():
    results = labs(("negative", None, "2015-01-01"), ("300", None, "2016-01-01"))
    assert derive("rf_positive", labs=results) is None


def test_serology_is_unknown_without_a_result_and_without_a_table():
    assert derive("anti_ccp_positive", labs=labs(("positive", None, "2015-01-01"))) is None
    assert derive("rf_positive") is None


@pytest.mark.parametrize(("rf", "ccp", "both", "either"), [
    ("positive", "positive", True, True),
    ("positive", "negative", False, True),
    ("negative", "negative", False, False),
    ("positive", None, None, True),
    ("negative", None, False, None),
])  # fmt: skip
def test_seropositive_both_and_any_are_three_valued(rf, ccp, both, either):
    results = [labs((rf, None, "2015-01-01"))]
    if ccp:
        results.append(labs((ccp, None, "2015-01-01"), test="anti_ccp"))
    assert derive("seropositive_both", labs=pl.concat(results)) is both
    assert derive("seropositive_any", labs=pl.concat(results)) is either


@pytest.mark.parametrize(("rows", "bmi"), [
    ("A | 2019-01-01 | 80 | 160 |", 31.25),  # 365 days before baseline: still in
    ("A | 2018-12-31 | 80 | 160 |", None),
    ("A | 2020-01-01 | 80 | 160 |", 31.25),
    ("A | 2020-01-02 | 80 | 160 |", None),
    ("A | 2019-05-01 | 80 | 160 | 29.5", 29.5),  # as recorded
    ("A | 2001-01-01 |    | 160 | \nA | 2019-05-01 | 80 | | ", 31.25),  # an old height will do
    ("A | 2019-05-01 | 80 |     | \nA | 2019-06-01 |    | 160 | ", 31.25),
    ("A | 2019-05-01 | 80 |     | \nA | 2020-06-01 |    | 160 | ", None),  # a height after baseline is not read
    ("A | 2019-05-01 | 80 | 160 | \nA | 2019-06-01 | 64 | | ", 25.0),  # the nearest to baseline
    ("A | 2019-05-01 | 80 | 160 | \nA | 2019-06-01 |    | | ", 31.25),
])  # fmt: skip
def test_bmi_is_the_last_in_the_365_days_up_to_baseline(rows, bmi):
    visits = frame(
        "patient_id | visit_date | weight_kg | height_cm | bmi_kg_m2\n" + rows,
        weight_kg=pl.Float64, height_cm=pl.Float64, bmi_kg_m2=pl.Float64,
    )  # fmt: skip
    assert (
        derive("bmi_kg_m2", visits=visits) == pytest.approx(bmi)
        if bmi
        else derive("bmi_kg_m2", visits=visits) is None
    )


def of_bmi(bmi):
    return frame(
        f"patient_id | visit_date | bmi_kg_m2\nA | 2019-12-01 | {bmi}\nB | 2019-12-01 | {bmi}",
        bmi_kg_m2=pl.Float64,
    )


@pytest.mark.parametrize(("bmi", "obese", "band"), [
    (29.99994, False, "25 to 29.9"),
    (29.99995, True, "30 to 34.9"),  # rounds to 30.0000
    (30, True, "30 to 34.9"),
    (24.9999, False, "below 25"),
    (25, False, "25 to 29.9"),
    (40, True, "40 and above"),
])  # fmt: skip
def test_obesity_begins_at_a_bmi_of_30_after_rounding_to_four_decimals(bmi, obese, band):
    assert derive("obese", visits=of_bmi(bmi)) is obese
    assert derive("bmi_class", visits=of_bmi(bmi)) == band


@pytest.mark.parametrize(("bmi", "by_ethnicity"), [
    (27.4, [False, False]), (27.5, [False, True]), (29.9, [False, True]), (30, [True, True]),
])  # fmt: skip
def test_the_lower_cut_off_holds_for_asian_ethnicity_and_not_for_white(bmi, by_ethnicity):
    assert derive("obese_by_ethnicity", visits=of_bmi(bmi), patients="AB") == by_ethnicity


@pytest.mark.parametrize(("bmi", "judged"), [(27.4, False), (28.0, None), (30, True)])
def test_an_unknown_ethnicity_leaves_open_only_what_the_cut_offs_judge_differently(bmi, judged):
    unknown = complete(PATIENTS.with_columns(ethnicity=pl.lit("unknown")), "patients")
    factors = [PLAN.factors[name] for name in ("ethnicity", "bmi_kg_m2", "obese_by_ethnicity")]
    tables = {"patients": unknown, "visits": complete(of_bmi(bmi), "visits")}
    assert derive_factors(factors, at(), tables, True)["obese_by_ethnicity"].item() is judged


def diagnosed(*coded):
    """Diagnoses of patient A: (ICD-10 code, date)."""
    rows = [("A", day, "icd10", code) for code, day in coded]
    schema = ["patient_id", "recorded_date", "code_system", "code"]
    return pl.DataFrame(rows, schema=dict.fromkeys(schema, pl.String), orient="row").with_columns(
        pl.col("recorded_date").str.to_date()
    )


@pytest.mark.parametrize(
    ("day", "is_coded"), [("2020-01-01", True), ("2020-01-02", False), ("1990-01-01", True)]
)
def test_a_diagnosis_counts_from_the_day_it_was_recorded(day, is_coded):
    assert derive("fibromyalgia", diagnoses=diagnosed(("M79.7", day))) is is_coded


def test_a_diagnosis_never_coded_is_no_only_where_the_site_has_diagnoses():
    assert derive("osteoarthritis", diagnoses=diagnosed(("M79.7", "2015-01-01"))) is False
    assert derive("osteoarthritis", diagnoses=diagnosed()) is False
    assert derive("osteoarthritis") is None


def test_an_undated_diagnosis_counts_at_the_index_date_and_is_unknown_at_an_earlier_baseline():
    undated = diagnosed(("M79.7", None))
    assert derive("fibromyalgia", diagnoses=undated, undated_counts=True) is True
    assert derive("fibromyalgia", diagnoses=undated, undated_counts=False) is None
    dated_too = diagnosed(("M79.7", None), ("M79.7", "2015-01-01"))
    assert derive("fibromyalgia", diagnoses=dated_too, undated_counts=False) is True


@pytest.mark.parametrize(
    "concept", ["depression", "ild", "diabetes", "cardiovascular_disease", "osteoporosis", "obesity_coded"]
)
def test_every_comorbidity_stands_for_a_concept_of_the_code_lists(concept):
    code = {"depression": "F32.1", "ild": "J84.1", "diabetes": "E11.9", "cardiovascular_disease": "I21.0",
            "osteoporosis": "M81.0", "obesity_coded": "E66.9"}[concept]  # fmt: skip
    assert derive(concept, diagnoses=diagnosed((code, "2015-01-01"))) is True


@pytest.mark.parametrize(("factor", "value"), [
    ("sex", "female"),
    ("smoking_status", "never"),
    ("imd_quintile", "1"),
    ("age_at_baseline", 60),
    ("age_at_onset", 50),
    ("disease_duration_years", 3652 / 365.25),
    ("first_bts_year", 2012),
    ("first_bts_from_july_2021", False),
    ("tjc_minus_sjc", None),  # 365 days old, the window is 90
])  # fmt: skip
def test_what_the_register_says_of_a_patient(factor, value):
    assert derive(factor) == value


def test_what_the_register_does_not_say_is_unknown():
    for factor in ("sex", "smoking_status", "age_at_baseline", "age_at_onset", "disease_duration_years"):
        assert derive(factor, patients="AB")[1] is None


def test_a_date_after_baseline_is_not_read():
    assert derive("disease_duration_years", baseline="2009-12-31") is None
    assert derive("first_bts_year", baseline="2011-12-31") is None


@pytest.mark.parametrize(("baseline", "value"), [
    ("2019-01-01", 3.0), ("2019-04-01", 3.0), ("2019-04-02", None), ("2018-12-31", None),
])  # fmt: skip
def test_a_measurement_counts_for_90_days(baseline, value):
    assert derive("tjc_minus_sjc", baseline=baseline) == value


COURSES = frame("""
    patient_id | molecule     | kind           | mechanism | start_date | stop_date
    A          | methotrexate | csdmard        |           | 2010-07-01 |
    A          | adalimumab   | bdmard         | tnf       | 2012-01-01 | 2013-01-01
    A          | etanercept   | bdmard         | tnf       | 2013-02-01 | 2014-01-01
    A          | tofacitinib  | tsdmard        | jak       | 2020-01-01 |
    A          | prednisolone | glucocorticoid |           | 2019-01-01 | 2020-01-01
""")


@pytest.mark.parametrize(("factor", "baseline", "value"), [
    ("first_mechanism", "2020-01-01", "tnf"),
    ("first_mechanism", "2011-12-31", None),
    ("n_mechanisms_tried", "2019-12-31", 1),
    ("n_mechanisms_tried", "2020-01-01", 2),
    ("n_dmards_tried", "2020-01-01", 4),
    ("n_dmards_tried", "2000-01-01", 0),
    ("glucocorticoid", "2019-01-01", True),
    ("glucocorticoid", "2019-12-31", True),
    ("glucocorticoid", "2020-01-01", False),  # a course stopped that day is over
    ("treatment_delay_months", "2020-01-01", 395 * 12 / 365.25),
    ("diagnosis_to_csdmard_months", "2020-01-01", 181 * 12 / 365.25),
])  # fmt: skip
def test_what_the_drug_history_says(factor, baseline, value):
    assert derive(factor, courses=COURSES, baseline=baseline) == value


@pytest.mark.parametrize(("says", "taken"), [(True, False), (False, None), (None, None)])
def test_nobody_takes_glucocorticoids_only_where_a_site_without_any_says_that_it_records_them(says, taken):
    patients = complete(PATIENTS, "patients").with_columns(
        records_glucocorticoids=pl.lit(says, dtype=pl.Boolean)
    )
    without = COURSES.filter(pl.col("kind") != "glucocorticoid")
    assert derive("glucocorticoid", courses=without, patients_table=patients) is taken


def test_glucocorticoid_use_is_unknown_where_the_site_records_none():
    assert derive("glucocorticoid", courses=COURSES.filter(pl.col("kind") != "glucocorticoid")) is None


@pytest.mark.parametrize(
    "factor", ["rf_positive", "fibromyalgia", "first_mechanism", "n_dmards_tried", "glucocorticoid"]
)
def test_a_factor_of_a_table_that_is_absent_is_unknown_in_every_patient(factor):
    assert derive(factor, patients="AB") == [None, None]


def test_without_treatments_nothing_is_known_of_drugs():
    for factor in (
        "first_mechanism",
        "n_mechanisms_tried",
        "n_products_tried",
        "glucocorticoid",
        "adherence",
    ):
        assert derive(factor) is None


def test_a_patient_without_a_baseline_date_has_no_dated_factor():
    given = {
        "diagnoses": diagnosed(("M79.7", "2015-01-01")),
        "courses": COURSES,
        "labs": labs(("positive", None, "2015-01-01")),
    }
    for factor in (
        "fibromyalgia",
        "osteoarthritis",
        "n_dmards_tried",
        "glucocorticoid",
        "rf_positive",
        "bmi_kg_m2",
    ):
        assert derive(factor, baseline="", **given) is None


def study(baseline="index"):
    return Study(name="s", title="t", sites=["north"], cohorts=[{"name": "audit"}], definitions=["eular_2021", "audit_95"],
                 seed=1, baseline=baseline)  # fmt: skip


MEMBERS = frame("""
    site  | patient_id | disease | sequence | birth_year | diagnosis_date | first_bts_date | index_date
    north | A          | RA      | 1        | 1960       | 2010-01-01     | 2012-01-01     | 2020-01-01
""")
LABELS = frame("""
    patient_id | definition | status  | hangs_on_presumed
    A          | eular_2021 | met     | true
    A          | audit_95   | not_met | false
    Z          | eular_2021 | met     | false
""")
COUNTS = frame("""
    patient_id | severity | n_bts_tried | n_csdmards_before_bts | methotrexate_before_bts
    A          | high     | 3           | 2                     | true
""")


def known_of_the_site(leave_out=()):
    tables = {
        "patients": complete(PATIENTS, "patients"), "visits": complete(VISITS, "visits"),
        "diagnoses": diagnosed(("M79.7", "2015-01-01")), "courses": COURSES, "labels": LABELS, "audit_counts": COUNTS,
    }  # fmt: skip
    tables["scores"] = frame("""
        patient_id | visit_date | das28_esr | das28_crp | cdai | das28_esr_band | das28_crp_band | cdai_band | esr_mm_h_used | crp_mg_l_used
        A          | 2019-12-01 | 5.2       |           | 20.0 | high           |                | moderate  | 30.0          |
    """)
    tables["treatments"] = frame("""
        patient_id | start_date | kind    | drug   | adherence
        A          | 2012-01-01 | bdmard  | Humira | adherent
        A          | 2013-01-01 | bdmard  | humira |
        A          | 2013-02-01 | bdmard  | Enbrel | unknown
    """)
    return {name: rows for name, rows in tables.items() if name not in leave_out}


def assembled(baseline, leave_out=()):
    return assemble_analysis_set(MEMBERS, [("north", known_of_the_site(leave_out))], study(baseline))


def test_a_site_in_spans_of_patients_gives_what_it_gives_whole():
    both = pl.concat([MEMBERS, MEMBERS.with_columns(patient_id=pl.lit("B"), sequence=pl.lit(2, pl.Int64))])
    tables = known_of_the_site()
    spans = (
        (
            "north",
            {name: rows.filter(patient_id=patient) for name, rows in tables.items()} | {"courses": COURSES},
        )
        for patient in ("A", "B")
    )
    whole = assemble_analysis_set(both, [("north", tables)], study("index"))
    assert whole.height == 2
    assert assemble_analysis_set(both, spans, study("index")).equals(whole)


def test_the_analysis_set_has_a_row_per_member_with_outcomes_counts_and_factors():
    found = assembled("index").row(0, named=True)
    wanted = {"site": "north", "patient_id": "A", "sequence": 1, "severity": "high", "n_bts_tried": 3, "eular_2021": "met",
              "audit_95": "not_met", "eular_2021_hangs_on_presumed": True, "fibromyalgia": True, "das28_esr": 5.2,
              "cdai_band": "moderate", "adherence": "adherent", "n_products_tried": 2, "two_csdmards_with_methotrexate": True}  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted
    assert found["baseline_date"] == found["index_date"]
    assert not [name for name in found if name.endswith("_at_index")]


def test_with_an_earlier_baseline_the_factors_at_the_index_date_stand_beside_those_at_baseline():
    found = assembled("first_bts")
    assert found["fibromyalgia"].item() is False  # coded in 2015, after the first b/tsDMARD
    described = at_index(found)
    assert described["fibromyalgia"].item() is True
    assert set(described.columns) == set(assembled("index").columns)


def test_a_site_without_treatments_leaves_its_drugs_unknown_whatever_its_courses_say():
    found = assembled("index", leave_out=["treatments"])
    assert found["n_dmards_tried"].item() is None
    assert found["first_mechanism"].item() is None


def test_every_factor_is_a_typed_column_even_where_nothing_is_known():
    types = {"yes_no": pl.Boolean, "number": pl.Float64}
    found = assembled("index")
    for name, factor in PLAN.factors.items():
        assert found.schema[name] == types.get(factor.coding, pl.Enum(factor.levels)), name


def test_every_row_of_the_descriptive_tables_is_a_known_characteristic():
    for table in PLAN.tables:
        assert {row.name for row in PLAN.rows_of(table)} <= set(assembled("index").columns)


def test_a_table_row_that_is_no_characteristic_is_named_with_the_nearest_one():
    plan = PLAN.model_copy(update={"tables": {"table_1": ["fibromialgia"]}})
    with pytest.raises(StudyError, match="did you mean 'fibromyalgia'"):
        plan.rows_of("table_1")


def test_a_factor_made_of_one_written_below_it_is_refused_by_name():
    factors = [PLAN.factors["obese"], PLAN.factors["bmi_kg_m2"]]
    with pytest.raises(StudyError, match=r"'obese'.*bmi_kg_m2"):
        derive_factors(factors, at(), {"patients": complete(PATIENTS, "patients")}, True)


@pytest.mark.parametrize(("change", "word"), [
    ({"from": {"concept": "ild", "column": "sex"}}, "exactly one"),
    ({"levels": ["a"]}, "levels"),
    ({"coding": "number"}, "unit"),
])  # fmt: skip
def test_a_factor_says_one_source_and_levels_or_unit_as_its_coding_asks(change, word):
    section = {
        "name": "x",
        "title": "X",
        "role": "candidate",
        "coding": "yes_no",
        "from": {"concept": "ild"},
        "source": "s",
    }
    assert Factor.model_validate(section).name == "x"
    with pytest.raises(ValueError, match=word):
        Factor.model_validate({**section, **change})


def test_an_empty_plan_is_a_plan():
    assert Plan.model_validate({"factors": {}, "counted": {}, "tables": {}}).characteristics == {}


def test_a_site_s_own_code_counts_as_the_concept_it_stands_for():
    own = diagnosed(("FM1", "2015-01-01")).with_columns(code_system=pl.lit("local"))
    assert derive("fibromyalgia", diagnoses=own) is False
    assert derive("fibromyalgia", diagnoses=own.with_columns(local_concept=pl.lit("fibromyalgia"))) is True
