"""The canonical tables as data: what `complete` adds and reads, and what the schemas refuse."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from pandera.errors import SchemaErrors

from d2tra.errors import StudyError
from d2tra.extract.cells import read_lab_results, read_month
from d2tra.extract.schemas import COLUMNS, HAQ_CATEGORIES, ROW_DATES, complete, no_rows, schema
from d2tra.extract.site import TABLES
from tables import frame

# Specification 1, canonical tables: column, lowest and highest value that is valid.
RANGES = [
    ("visits", *line.split())
    for line in """
        tjc28 0 28 | sjc28 0 28 | tjc68 0 68 | sjc66 0 66 | patient_global_mm 0 100 | physician_global_mm 0 100
        pain_mm 0 100 | fatigue_mm 0 100 | haq_di 0 3 | esr_mm_h 0 200 | crp_mg_l 0 600 | weight_kg 20 350
        height_cm 100 230 | bmi_kg_m2 10 90 | recorded_das28 0 10 | recorded_cdai 0 76 | recorded_sdai 0 110
        mdhaq_sum 0 30 | haq_grip 0 3 | skin_bsa_percent 0 100 | pasi 0 72 | enthesitis_count 0 13 | lei_count 0 6
        tender_dactylitis 0 20 | sf36_pcs 0 100
    """.replace("|", "\n")
    .strip()
    .splitlines()
] + [("patients", "imd_quintile", "1", "5")]


@pytest.mark.parametrize(("table", "column", "low", "high"), RANGES)
def test_a_range_takes_its_edges_and_nothing_beyond(table: str, column: str, low: str, high: str) -> None:
    def typed(value: float) -> pl.DataFrame:
        return no_rows(table).with_columns().vstack(
            complete(_row(table).with_columns(pl.lit(value).alias(column)), table)
        )  # fmt: skip

    for value in (int(low), int(high)):
        schema(table).validate(typed(value))
    for value in (int(low) - 1, int(high) + 1):
        with pytest.raises(SchemaErrors, match=column):
            schema(table).validate(typed(value), lazy=True)


def _row(table: str) -> pl.DataFrame:
    """Returns one row of the table with its key columns filled."""
    filled = {"text": "P1", "date": dt.date(2020, 1, 1), "float": 1.0}
    return pl.DataFrame(
        {
            column.name: [column.allowed[0] if column.allowed else filled[column.kind]]
            for column in COLUMNS[table].values()
            if column.need == "R"
        }
    )


def test_the_tables_and_their_required_columns_are_those_of_the_specification() -> None:
    required = {table: [c.name for c in COLUMNS[table].values() if c.must_exist] for table in COLUMNS}

    assert tuple(COLUMNS) == TABLES
    assert required == {
        "patients": ["patient_id", "disease", "sex", "birth_year"],
        "visits": ["patient_id", "visit_date"],
        "labs": ["patient_id", "sample_date", "test", "value"],
        "treatments": ["patient_id", "drug", "start_date"],
        "diagnoses": ["patient_id", "recorded_date", "code_system", "code"],
        "imaging": ["patient_id", "imaging_date", "modality", "measure", "value"],
        "biomarkers": ["patient_id", "sample_date", "marker", "value"],
    }
    assert [name for t in COLUMNS for name, c in COLUMNS[t].items() if c.is_key and not c.must_exist] == [
        "stop_date"
    ]
    assert {name for t in COLUMNS for name, c in COLUMNS[t].items() if c.need == "R N"} == {
        "sex", "birth_year", "recorded_date",
    }  # fmt: skip
    assert len(HAQ_CATEGORIES) == 8


@pytest.mark.parametrize("table", list(COLUMNS))
def test_complete_adds_every_canonical_column_as_a_typed_null(table: str) -> None:
    whole = complete(_row(table), table)

    assert {name: whole.schema[name] for name in COLUMNS[table]} == {
        column.name: column.dtype for column in COLUMNS[table].values()
    }
    assert whole.columns[: len(COLUMNS[table])] == list(COLUMNS[table])
    assert whole["source_row"].to_list() == [2]
    assert complete(whole, table).equals(whole)
    assert no_rows(table).schema == whole.schema


def test_complete_keeps_other_columns_and_a_given_source_row() -> None:
    whole = complete(
        frame("patient_id | start_date | molecule | source_row\nP1 | 2020-01-01 | methotrexate | 17"),
        "treatments",
    )

    assert whole.select("molecule", "drug", "source_row").row(0) == ("methotrexate", None, 17)


def test_complete_reads_text_and_casts_what_is_of_another_kind() -> None:
    visits = pl.DataFrame(
        {
            "patient_id": pl.Series([1, 2]),
            "visit_date": ["2020-01-01", "2020-01-02"],
            "tjc28": [3.0, None],
            "esr_mm_h": [30, 31],
            "crp_mg_l": ["4.5", ""],
            "problematic_to_patient": [1, 0],
            "problematic_to_rheumatologist": ["Yes", "FALSE"],
            "pain_mm": [None, None],
        }
    )
    whole = complete(visits, "visits")

    assert whole.select(visits.columns).rows() == [
        ("1", dt.date(2020, 1, 1), 3, 30.0, 4.5, True, True, None),
        ("2", dt.date(2020, 1, 2), None, 31.0, None, False, False, None),
    ]
    timed = frame("patient_id | visit_date\nP1 | 2020-01-01").with_columns(
        pl.col("visit_date").cast(pl.Datetime)
    )
    assert complete(timed, "visits")["visit_date"].to_list() == [dt.date(2020, 1, 1)]


@pytest.mark.parametrize(
    ("column", "cells"),
    [("tjc28", ["3.5"]), ("tjc28", [3.5]), ("visit_date", ["01/02/2020"]), ("problematic_to_patient", [2]), ("pain_mm", ["a lot"])],
)  # fmt: skip
def test_complete_refuses_a_cell_that_does_not_fit_its_column(column: str, cells: list[object]) -> None:
    visits = frame("patient_id | visit_date\nP1 | 2020-01-01").with_columns(pl.Series(column, cells))

    with pytest.raises(StudyError, match=f"column '{column}': 1 cells are not"):
        complete(visits, "visits")


def test_complete_refuses_a_frame_without_patient_or_date_and_names_the_nearest() -> None:
    with pytest.raises(StudyError, match=r"'visit_date', did you mean 'visitdate'\?"):
        complete(frame("patient_id | visitdate\nP1 | 2020-01-01"), "visits")
    for table, date in ROW_DATES.items():
        if date != "recorded_date":
            with pytest.raises(StudyError, match=date):
                complete(pl.DataFrame({"patient_id": ["P1"]}), table)


# Clinical reference 1.4, cases H01 to H10: category scores (dressing … activities), aids, HAQ-DI.
@pytest.mark.parametrize(
    ("scores", "aids", "expected"),
    [
        ("0,0,0,0,0,0,0,0", "0,0,0,0,0,0,0,0", 0.0),
        ("1,1,1,1,1,1,1,1", "0,0,0,0,0,0,0,0", 1.0),
        ("3,3,3,3,3,3,3,3", "0,0,0,0,0,0,0,0", 3.0),
        ("1,1,0,2,1,0,1,1", "0,0,0,0,0,0,0,0", 0.875),
        ("1,1,0,2,1,0,1,1", "1,0,0,0,0,0,0,0", 1.0),
        ("0,1,0,3,1,0,1,1", "1,0,0,1,0,0,0,0", 1.125),
        ("1,1,,2,1,0,1,", "0,0,0,0,0,0,0,0", 1.0),
        ("1,1,,2,1,0,,", "0,0,0,0,0,0,0,0", None),
        ("0,1,0,1,0,1,0,1", "0,0,0,0,0,0,0,0", 0.5),
        ("0,1,0,1,0,1,1,1", "0,0,0,0,0,0,0,0", 0.625),
        ("1,1,,2,1,0,,", "0,0,1,0,0,0,0,0", None),  # an aid does not answer its category
        ("0,0,0,0,0,0,0,0", ",,,,,,,", 0.0),
    ],
)
def test_haq_di_of_the_worked_examples(scores: str, aids: str, expected: float | None) -> None:
    cells = {
        **{f"haq_{name}": score for name, score in zip(HAQ_CATEGORIES, scores.split(","), strict=True)},
        **{f"haq_{name}_aid": aid for name, aid in zip(HAQ_CATEGORIES, aids.split(","), strict=True)},
    }
    visits = pl.DataFrame({"patient_id": "P1", "visit_date": "2020-01-01", **cells})

    assert complete(visits, "visits")["haq_di_used"].to_list() == [expected]
    with_index = complete(visits.with_columns(haq_di=pl.lit(2.5)), "visits")
    assert with_index.select("haq_di", "haq_di_used").row(0) == (2.5, 2.5)


@pytest.mark.parametrize(
    ("test", "value", "unit", "number", "is_censored"),
    [
        ("crp", "34.2", "mg/L", 34.2, False),
        ("crp", "34.2", None, 34.2, False),  # a canonical frame: mg/L
        ("crp", "1.2", "MG / dL", 12.0, False),
        ("crp", "<5", "mg/L", 2.5, True),
        ("crp", "< 0.6", "mg/dl", 3.0, True),
        ("crp", ">200", "mg/L", 200.0, True),
        ("crp", "≤5", "mg/L", 2.5, True),
        ("crp", "3,2", "mg/L", None, False),
        ("crp", "5 mg/L", None, 5.0, False),
        ("crp", "5 mg/dL", "mg/L", None, False),  # the value's unit is not the unit stated
        ("esr", "12 mm/hr", None, 12.0, False),
        ("esr", "12 mm/hr", "mm/h", 12.0, False),
        ("esr", "haemolysed", None, None, False),
        ("esr", "12 haemolysed", None, None, False),
        ("esr", "1 2", None, None, False),
        ("rf", "positive", None, None, False),
        ("rf", "14", "kIU/L", 14.0, False),
        ("rf", "1:80", None, None, False),
        ("anti_ccp", ">340", "U/mL", 340.0, True),
        ("anti_ccp", "", None, None, False),
    ],
)
def test_a_laboratory_result_is_read_into_its_canonical_unit(
    test: str, value: str, unit: str | None, number: float | None, is_censored: bool
) -> None:
    labs = pl.DataFrame(
        {"patient_id": "P1", "sample_date": dt.date(2020, 1, 1), "test": test, "value": value, "unit": unit}
    )
    whole = complete(labs, "labs")

    assert whole.select("value", "number", "is_censored").row(0) == (
        value,
        pytest.approx(number),
        is_censored,
    )


def test_numbers_given_as_numbers_are_results_too() -> None:
    labs = frame(
        "patient_id | sample_date | test | value\nP1 | 2020-01-01 | crp | 4.5\nP1 | 2020-01-01 | esr | 12"
    )

    assert complete(labs, "labs")["number"].to_list() == [4.5, 12.0]


def test_a_crp_without_unit_or_declared_unit_has_none() -> None:
    labs = complete(frame("patient_id | sample_date | test | value\nP1 | 2020-01-01 | crp | 4.5"), "labs")

    assert read_lab_results(labs, None, "half").select("number", "problem").row(0) == (None, "no_unit")


def test_a_month_is_four_digits_and_one_of_twelve() -> None:
    months = pl.DataFrame({"text": ["2020-01", "2020-12", "2020-13", "2020-00", "2020-1", "2020-01-05"]})

    assert months.select(read_month(pl.col("text"))).to_series().to_list() == [
        "2020-01",
        "2020-12",
        None,
        None,
        None,
        None,
    ]
