"""Each implausible thing planted in a valid extract is one line of quality.csv; a plausible extract has none."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from d2tra.config import PROJECT, load_yaml
from d2tra.extract.quality import check_quality
from d2tra.extract.schemas import complete, no_rows
from d2tra.extract.validate import Validated
from d2tra.scores import score_visits
from d2tra.treatment import recognise_drugs, trace_courses
from d2tra.treatment.courses import overlapping_courses, stop_reasons_without_stop
from extracts import CLEAN, site_of, validated
from tables import frame

PATIENTS = """
    patient_id | disease | birth_year | diagnosis_date | death_month
    P1         | RA      | 1960       | 2010-03-05     | 2020-06
    P2         | RA      | 1971       |                |
"""
VISITS = """
    patient_id | visit_date | tjc28 | sjc28 | patient_global_mm | physician_global_mm | esr_mm_h | crp_mg_l | problematic_to_patient
    P1         | 2020-01-10 | 4     | 2     | 64                | 40                  | 44       | 12       | true
    P2         | 2020-02-03 | 2     | 1     | 20                | 10                  | 14       | 4        | false
"""
TREATMENTS = """
    patient_id | drug         | start_date | stop_date  | stop_reason
    P1         | methotrexate | 2010-04-01 | 2012-04-01 | inefficacy
    P1         | adalimumab   | 2012-05-01 |            |
"""


def quality(
    visits: str | pl.DataFrame = VISITS,
    treatments: str | None = TREATMENTS,
    patients: str = PATIENTS,
    labs: str | None = None,
    cut: dt.date = dt.date(2020, 12, 31),
) -> pl.DataFrame:
    """Returns the findings but for missing cells, which every extract has."""
    tables = {"patients": patients, "visits": visits, "treatments": treatments, "labs": labs}
    valid = {
        table: complete(frame(text) if isinstance(text, str) else text, table)
        for table, text in tables.items()
        if text is not None
    }
    rows = valid.get("treatments", no_rows("treatments"))
    if "treatments" in valid:
        valid["treatments"] = rows = rows.with_columns(
            recognise_drugs(rows["drug"]).select("molecule", "kind", "mechanism")
        )
    found = check_quality(
        valid,
        score_visits(valid["visits"], valid.get("labs")),
        site_of(Path("extract")),
        overlapping_courses(trace_courses(rows, cut), cut),
        stop_reasons_without_stop(rows),
        score_visits,
    )
    return found.filter(pl.col("check") != "missing")


def checks(found: pl.DataFrame) -> list[tuple[object, ...]]:
    return found.select("table", "column", "check", "severity", "n").rows()


def row(cells: str) -> str:
    return f"{VISITS.rstrip()}\n{cells}"


def test_a_plausible_extract_has_no_finding() -> None:
    assert checks(quality()) == []


# D05 of the clinical reference 1.1: 4, 2, 64 mm, ESR 44, CRP 12 give DAS28-ESR 5.0609, -ESR(3) 4.6581, -CRP 4.2954,
# -CRP(3) 3.8333; C08 of 1.2: with a physician global of 40 mm CDAI 16.4 and SDAI 17.6.
@pytest.mark.parametrize(
    ("column", "form", "score", "limit"),
    [
        ("recorded_das28", "esr4", 5.0609, 0.1), ("recorded_das28", "esr3", 4.6581, 0.1),
        ("recorded_das28", "crp4", 4.2954, 0.1), ("recorded_das28", "crp3", 3.8333, 0.1),
        ("recorded_cdai", "", 16.4, 0.5), ("recorded_sdai", "", 17.6, 0.5),
    ],
)  # fmt: skip
def test_a_recorded_score_further_off_than_the_limit_is_found_and_nearer_is_not(
    column: str, form: str, score: float, limit: float
) -> None:
    def recorded(value: float) -> pl.DataFrame:
        visits = frame(VISITS).head(1).with_columns(pl.lit(value).alias(column))
        return quality(visits.with_columns(recorded_das28_form=pl.lit(form or None, dtype=pl.String)))

    for value in (score + limit - 0.001, score - limit + 0.001, score):
        assert checks(recorded(value)) == []
    for value in (score + limit + 0.001, score - limit - 0.001):
        assert checks(recorded(value)) == [("visits", column, f"{column}_differs", "warning", 1)]


def test_a_cdai_off_by_exactly_half_a_point_is_within_the_limit() -> None:
    visits = frame(VISITS).head(1).with_columns(recorded_cdai=pl.lit(16.9))

    assert checks(quality(visits)) == []


def test_a_recorded_das28_of_unknown_form_is_compared_with_none_and_that_is_said() -> None:
    found = quality(frame(VISITS).head(1).with_columns(recorded_das28=pl.lit(9.9)))

    assert checks(found) == [("visits", "recorded_das28_form", "recorded_das28_without_form", "note", 1)]
    assert "compared with none" in found["message"].item()


@pytest.mark.parametrize(
    ("form", "recorded", "n"),
    [
        # 0.56*2 + 0.28*3 + 0.70*ln(1) = 1.96 with a global of 0, 3.36 with one of 100 mm; 2 mm of tolerance are 0.028
        ("esr4", 1.932, 0), ("esr4", 1.9319, 1), ("esr4", 3.388, 0), ("esr4", 3.3881, 1), ("esr3", 9.0, 0),
        # by CRP 0 both ends are 0.96 higher
        ("crp4", 2.892, 0), ("crp4", 2.8919, 1), ("crp4", 4.348, 0), ("crp4", 4.3481, 1),
    ],
)  # fmt: skip
def test_a_recorded_das28_that_no_global_would_give_is_found(form: str, recorded: float, n: int) -> None:
    visits = frame(f"""
        patient_id | visit_date | tjc28 | sjc28 | esr_mm_h | crp_mg_l | recorded_das28 | recorded_das28_form | problematic_to_patient
        P1         | 2020-01-10 | 4     | 9     | 1        | 0        | {recorded}     | {form}              | true
    """)
    found = quality(visits).filter(check="recorded_das28_impossible_global")

    assert found["n"].sum() == n


def test_a_recorded_global_is_never_taken_for_impossible() -> None:
    visits = (
        frame(VISITS).head(1).with_columns(recorded_das28=pl.lit(9.9), recorded_das28_form=pl.lit("esr4"))
    )

    assert [line[2] for line in checks(quality(visits))] == ["recorded_das28_differs"]


def test_two_bts_courses_that_overlap_by_more_than_30_days_are_found() -> None:
    base = TREATMENTS.replace("2012-05-01 |            |", "2012-05-01 | 2014-01-31 | other")
    assert checks(quality(treatments=f"{base.rstrip()}\nP1 | etanercept | 2014-01-01 | |")) == []  # 30 days

    found = quality(treatments=f"{base.rstrip()}\nP1 | etanercept | 2013-12-31 | |")
    assert checks(found) == [("treatments", "start_date", "overlapping_courses", "warning", 1)]


def test_a_stop_reason_without_stop_date_is_found_but_not_for_rituximab_or_unknown() -> None:
    rows = "P2 | rituximab | 2015-01-01 | | inefficacy\nP2 | leflunomide | 2015-01-01 | | unknown"
    assert checks(quality(treatments=f"{TREATMENTS.rstrip()}\n{rows}")) == []

    found = quality(treatments=f"{TREATMENTS.rstrip()}\nP2 | leflunomide | 2015-01-01 | | inefficacy")
    assert checks(found) == [("treatments", "stop_date", "stop_reason_without_stop_date", "warning", 1)]


@pytest.mark.parametrize(
    ("start", "check"),
    [
        ("P1 | methotrexate | 2000-03-05", None),  # ten years before the diagnosis to the day
        ("P1 | methotrexate | 2000-03-04", "start_long_before_diagnosis"),
        ("P2 | baricitinib | 2017-01-01", None),
        ("P2 | baricitinib | 2016-12-31", "start_before_licence"),
        ("P2 | methotrexate | 1971-01-01", None),
        ("P2 | methotrexate | 1970-12-31", "start_before_birth"),
    ],
)
def test_a_start_that_is_implausibly_early_is_found(start: str, check: str | None) -> None:
    found = quality(treatments=f"{TREATMENTS.rstrip()}\n{start} | 2018-01-01 | other")

    assert checks(found) == ([("treatments", "start_date", check, "warning", 1)] if check else [])


def test_visits_after_the_month_of_death_are_found() -> None:
    assert checks(quality(row("P1 | 2020-06-30 | 1 | 1 | 30 | 20 | 10 | 5 | true"))) == []

    found = quality(row("P1 | 2020-07-01 | 1 | 1 | 30 | 20 | 10 | 5 | true"))
    assert checks(found) == [("visits", "visit_date", "visit_after_death", "warning", 1)]


def test_five_equal_components_at_three_visits_are_carried_forward() -> None:
    copies = [f"P2 | 2020-0{month}-03 | 2 | 1 | 20 | 10 | 14 |  | false" for month in (3, 4, 5)]
    two = VISITS.replace("| 14       | 4 ", "| 14       |   ") + "\n" + copies[0]
    assert checks(quality(two)) == []

    found = quality(f"{two}\n{copies[1]}")
    assert checks(found) == [("visits", "visit_date", "carried_forward", "warning", 3)]
    assert "3 visits of 1 patients" in found["message"].item()

    four_components = "\n".join(
        [VISITS, *(f"P2 | 2020-0{m}-03 | 2 | 1 | 20 | | 14 | | false" for m in (3, 4, 5))]
    )
    assert checks(quality(four_components)) == []


def many(n: int, **columns: pl.Expr) -> pl.DataFrame:
    """Returns n visits of P2, one a day, with flag; columns by their number i."""
    days = pl.select(i=pl.int_range(n)).with_columns(
        patient_id=pl.lit("P2"), visit_date=pl.date(2020, 1, 1) + pl.duration(days=pl.col("i")),
        problematic_to_patient=pl.lit(True),
    )  # fmt: skip
    return days.with_columns(**columns).drop("i")


def test_a_crp_column_that_looks_like_mg_dl_is_found() -> None:
    low = pl.when(pl.col("i") == 0).then(29.9).otherwise(1.4)
    assert checks(quality(many(30, crp_mg_l=low))) == [
        ("visits", "crp_mg_l", "crp_looks_like_mg_dl", "warning", 30)
    ]

    for plausible in (
        many(29, crp_mg_l=low),
        many(30, crp_mg_l=pl.when(pl.col("i") == 0).then(30.0).otherwise(1.4)),
        many(30, crp_mg_l=pl.lit(1.5)),
    ):
        assert checks(quality(plausible)) == []


def test_a_crp_of_the_laboratory_that_looks_like_mg_dl_is_found() -> None:
    rows = "\n".join(f"P2 | 2019-01-{day:02} | crp | 0.9 | mg/L" for day in range(1, 31))
    found = quality(labs=f"patient_id | sample_date | test | value | unit\n{rows}")

    assert checks(found) == [("labs", "value", "crp_looks_like_mg_dl", "warning", 30)]


@pytest.mark.parametrize("column", ["patient_global_mm", "physician_global_mm", "pain_mm", "fatigue_mm"])
def test_a_global_that_looks_like_cm_is_found(column: str) -> None:
    in_cm = many(30, **{column: (pl.col("i") % 11).cast(pl.Float64)})
    assert checks(quality(in_cm)) == [("visits", column, "global_looks_like_cm", "warning", 30)]
    assert checks(quality(many(30, **{column: (pl.col("i") % 12).cast(pl.Float64)}))) == []
    assert checks(quality(many(29, **{column: (pl.col("i") % 11).cast(pl.Float64)}))) == []


def test_a_pain_that_equals_the_global_at_more_than_80_percent_of_visits_is_found() -> None:
    def equal_at(share: int) -> pl.DataFrame:
        far = pl.col("i") + 40.0
        return many(10, patient_global_mm=far, pain_mm=pl.when(pl.col("i") < share).then(far).otherwise(5.0))

    assert checks(quality(equal_at(8))) == []
    assert checks(quality(equal_at(9))) == [("visits", "pain_mm", "global_equals_pain", "warning", 9)]


def test_visits_without_either_flag_of_criterion_3_are_counted() -> None:
    found = quality(row("P2 | 2020-05-01 | 1 | 1 | 30 | 20 | 10 | 5 |"))

    assert checks(found) == [("visits", "problematic_to_patient", "criterion_3_unrecorded", "note", 1)]
    assert "1 of 3 visits (33.3 %)" in found["message"].item()
    assert "0 of 2 patients" in found["message"].item()


def test_borrowed_laboratory_results_are_counted() -> None:
    visits = VISITS.replace("| 44 ", "|    ")
    found = quality(
        visits, labs="patient_id | sample_date | test | value | unit\nP1 | 2020-01-12 | esr | 44 |"
    )

    assert checks(found) == [("visits", "esr_mm_h", "borrowed_labs", "note", 1)]


def test_missing_cells_are_counted_in_every_column_that_may_be_empty(tmp_path: Path) -> None:
    result = validated(tmp_path, CLEAN)
    found = everything(result)

    missing = found.filter(check="missing", table="visits", column="esr_mm_h")
    assert missing.select("severity", "n", "message").row(0) == (
        "note",
        1,
        "1 of 3 cells are empty (33.3 %).",
    )
    assert found.filter(check="missing", column="visit_date").is_empty()
    assert found["table"].unique(maintain_order=True).to_list() == list(CLEAN)


def test_a_site_without_treatments_is_checked_too() -> None:
    assert checks(quality(treatments=None)) == []


def test_no_message_holds_a_patient_id() -> None:
    visits = row("P1 | 2020-07-01 | 1 | 1 | 30 | 20 | 10 | 5 |")
    treatments = f"{TREATMENTS.rstrip()}\nP1 | methotrexate | 1950-01-01 | | other"
    messages = " ".join(quality(visits, treatments)["message"])

    assert messages
    assert "P1" not in messages
    assert "P2" not in messages


def test_every_check_of_the_config_stands_in_a_test() -> None:
    tests = (
        Path(__file__),
        Path(__file__).with_name("test_sentinel.py"),
        Path(__file__).parents[1] / "spec" / "test_traps.py",
    )
    here = "".join(path.read_text(encoding="utf-8") for path in tests)
    stated = load_yaml(PROJECT / "config" / "quality.yaml")

    assert [check for check in stated["checks"] if f'{check}"' not in here and "differs" not in check] == []
    listed = pl.Series(list(stated["licensed_from"]))
    assert recognise_drugs(listed)["molecule"].equals(listed, check_names=False)


def everything(result: Validated) -> pl.DataFrame:
    treatments = result.tables["treatments"]
    return check_quality(
        result.tables,
        score_visits(result.tables["visits"], result.tables["labs"]),
        site_of(Path("extract")),
        overlapping_courses(trace_courses(treatments)),
        stop_reasons_without_stop(treatments),
        score_visits,
    )
