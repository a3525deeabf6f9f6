"""A site's own shape becomes the canonical tables, or one sentence says what does not fit."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.extract.mapping import Harmonised, harmonise
from d2tra.extract.site import SiteMapping
from d2tra.extract.validate import validate_extract
from d2tra.treatment import recognise_drugs
from extracts import CLEAN, counts, harmonised, reasons, site_of, write_extract

PATIENTS = {"file": "people.csv", "columns": {"Hosp": "patient_id", "Sex": "sex", "YOB": "birth_year"},
            "constants": {"disease": "RA"}, "values": {"sex": {"F": "female", "m": "male"}}}  # fmt: skip
PEOPLE = """
    Hosp | Sex | YOB
    P1   | f   | 1960
    P2   | M   | 1971
"""


def mapped(folder: Path, tables: dict[str, Any], **files: str) -> SiteMapping:
    """Returns a mapped site of the files written; a table that the test does not care for is declared in the barest way."""
    files = {"people": PEOPLE, "visits": CLEAN["visits"], **files}
    visits = {"file": "visits.csv"}
    return site_of(
        write_extract(folder, **files), format="mapped",
        tables={"patients": PATIENTS, "visits": visits, "treatments": "none", **tables},
    )  # fmt: skip


def text_of(found: Harmonised, table: str, *columns: str) -> list[tuple[object, ...]]:
    return found.tables[table].select(columns).rows()


def test_columns_words_and_constants_are_translated(tmp_path: Path) -> None:
    found = harmonise(mapped(tmp_path, {}))

    columns = ("patient_id", "sex", "birth_year", "disease", "source", "source_row")
    assert text_of(found, "patients", *columns) == [
        ("P1", "female", "1960", "RA", "people.csv", 2), ("P2", "male", "1971", "RA", "people.csv", 3),
    ]  # fmt: skip
    assert found.findings.is_empty()
    assert "treatments" not in found.tables


def test_numbers_are_converted_by_the_declared_unit_and_other_texts_are_left(tmp_path: Path) -> None:
    visits = {
        "file": "clinic.csv",
        "columns": {"id": "patient_id", "day": "visit_date", "vas": "patient_global_mm", "height": "height_cm", "crp": "crp_mg_l"},
        "units": {"vas": "cm", "height_cm": "m", "crp_mg_l": "mg/dl"},
    }  # fmt: skip
    clinic = """
        id | day        | vas    | height | crp
        P1 | 2020-01-01 | 6.5    | 1.7    | 2.5
        P1 | 2020-01-02 | 10 cm  | tall   | <0.5
        P1 | 2020-01-03 | 100 mm |        | 1 mg/dL
    """
    found = harmonise(mapped(tmp_path, {"visits": visits}, clinic=clinic))

    assert text_of(found, "visits", "patient_global_mm", "height_cm", "crp_mg_l") == [
        ("65.0", "170.0", "25.0"), ("100.0", "tall", "<0.5"), ("100 mm", None, "10.0"),
    ]  # fmt: skip
    assert found.findings.select("source_row", "column", "rule", "value").rows() == [
        (3, "patient_global_mm", "own_unit", "10 cm"), (4, "crp_mg_l", "own_unit", "1 mg/dL"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "cell", "expected"),
    [
        ("%d/%m/%Y", "03/04/2021", "2021-04-03"),
        ("%d/%m/%Y", "31/02/2021", "31/02/2021"),
        ("%d/%m/%Y", "soon", "soon"),
        ("%d-%b-%Y", "05-Mar-2021", "2021-03-05"),
        ("excel", "44317", "2021-05-01"),
        ("excel", "44317.0", "2021-05-01"),
        ("excel", "1e300", "1e300"),
        ("%Y-%m-%d", "2021-04-03", "2021-04-03"),
    ],
)
def test_dates_are_rewritten_where_they_have_the_declared_format(
    written: str, cell: str, expected: str, tmp_path: Path
) -> None:
    clinic = f"patient_id | visit_date\nP1 | {cell}"
    visits = {"file": "clinic.csv", "dates": {"format": written}}
    found = harmonise(mapped(tmp_path, {"visits": visits}, clinic=clinic))

    assert text_of(found, "visits", "visit_date") == [(expected,)]


def test_a_finding_shows_the_value_as_it_was_read(tmp_path: Path) -> None:
    clinic = """
        patient_id | visit_date | patient_global_mm | pain_mm | problematic_to_patient
        P1         | 31/12/2031 | 12                | 11 cm   | dunno
    """
    visits = {
        "file": "clinic.csv", "dates": {"format": "%d/%m/%Y"}, "units": {"patient_global_mm": "cm", "pain_mm": "cm"},
        "values": {"problematic_to_patient": {"ja": "true", "dunno": "true"}},
    }  # fmt: skip
    site = mapped(tmp_path, {"visits": visits}, clinic=clinic).model_copy(
        update={"data_cut_date": dt.date(2020, 1, 1)}
    )
    result = validate_extract(harmonise(site), site, recognise_drugs)

    assert [finding[2:] for finding in reasons(result)] == [
        ("pain_mm", "out_of_range", "cell", "11 cm"),
        ("pain_mm", "own_unit", "fix", "11 cm"),
        ("patient_global_mm", "out_of_range", "cell", "12"),
        ("visit_date", "row_after_cut", "row", "31/12/2031"),
    ]


def test_a_month_of_death_is_read_from_a_declared_date(tmp_path: Path) -> None:
    people = "Hosp | Sex | YOB | died\nP1 | f | 1960 | 05/03/2020"
    patients = {
        **PATIENTS,
        "columns": {**PATIENTS["columns"], "died": "death_month"},
        "dates": {"format": "%d/%m/%Y"},
    }
    found = harmonise(mapped(tmp_path, {"patients": patients}, people=people))

    assert text_of(found, "patients", "death_month") == [("2020-03",)]


def test_declared_sentinels_are_emptied_and_logged_once(tmp_path: Path) -> None:
    clinic = """
        patient_id | visit_date | tjc28 | sjc28
        P1         | 2020-01-01 | 99    | 9
        P1         | 2020-01-02 | 99.0  | NK
        P1         | 2020-01-02 | 99.0  | NK
    """
    visits = {"file": "clinic.csv", "missing": {"tjc28": ["99"], "sjc28": ["nk"]}}
    found = harmonise(mapped(tmp_path, {"visits": visits}, clinic=clinic))

    assert text_of(found, "visits", "tjc28", "sjc28", "is_duplicate") == [
        (None, "9", False), (None, None, False), (None, None, True),
    ]  # fmt: skip
    assert found.findings.select("source_row", "column", "rule", "severity", "value").rows() == [
        (2, "tjc28", "declared_missing", "fix", "99"),
        (3, "tjc28", "declared_missing", "fix", "99.0"),
        (3, "sjc28", "declared_missing", "fix", "NK"),
    ]


WIDE = {
    "file": "drugs.csv",
    "wide_to_long": [
        {"columns": {"bio_{n}": "drug", "bio_{n}_start": "start_date"}, "numbers": [1, 3]},
        {"columns": {"steroid_mg": "daily_dose_mg", "steroid_start": "start_date"}, "constants": {"drug": "prednisolone"}},
    ],
    "missing": {"drug": ["none"], "start_date": ["none"]},
}  # fmt: skip
DRUGS = """
    patient_id | bio_1  | bio_1_start | bio_2 | bio_2_start | bio_3 | bio_3_start | steroid_mg | steroid_start
    P1         | Humira | 2015-01-01  | MTX   | 2016-01-01  |       |             |            |
    P2         | Enbrel | 2014-01-01  | none  |             |       | 2018-01-01  | 7.5        | 2013-01-01
"""


def test_wide_columns_become_one_row_per_filled_group(tmp_path: Path) -> None:
    found = harmonise(mapped(tmp_path, {"treatments": WIDE}, drugs=DRUGS))

    assert text_of(
        found, "treatments", "patient_id", "drug", "start_date", "daily_dose_mg", "source_row"
    ) == [
        ("P1", "Humira", "2015-01-01", None, 2),
        ("P1", "MTX", "2016-01-01", None, 2),
        ("P2", "Enbrel", "2014-01-01", None, 3),
        ("P2", None, "2018-01-01", None, 3),
        ("P2", "prednisolone", "2013-01-01", "7.5", 3),
    ]
    assert found.findings.select("source_row", "column", "value").rows() == [(3, "drug", "none")]


def test_every_row_of_a_reshaped_table_is_accounted_for(tmp_path: Path) -> None:
    site = mapped(tmp_path, {"treatments": WIDE}, drugs=DRUGS)
    result = validate_extract(harmonise(site), site, recognise_drugs)

    assert counts(result, "treatments") == {
        "n_read": 5, "n_valid": 4, "n_quarantined": 1, "n_duplicate": 0, "n_orphaned": 0, "n_cells_set_aside": 0,
        "n_cells_fixed": 1,
    }  # fmt: skip
    assert ("treatments", 3, "drug", "missing_key", "row", None) in reasons(result)


PACKED = {
    "file": "packed.csv",
    "split": {"names": "test", "values": "result", "units": "unit"},
    "wide_to_long": [
        {"columns": {"CRP": "value", "CRP unit": "unit"}, "constants": {"test": "crp"}},
        {"columns": {"ESR": "value"}, "constants": {"test": "esr"}},
    ],
    "missing": {"value": ["NA"]},
    "ignore": ["ESR unit"],
}
PACKED_CELLS = """
    patient_id | sample_date | test    | result | unit
    P1         | 2020-01-01  | CRP;ESR | 3; 5   | mg/L;mm/h
    P1         | 2020-01-02  | ESR     | 7      | mm/h
    P1         | 2020-01-03  | CRP;ESR | 1;2;3  | mg/L;mm/h
    P1         | 2020-01-04  | CRP;ESR | NA;9   | mg/L;mm/h
    P1         | 2020-01-05  |         |        |
    P1         | 2020-01-06  |         | 4;4    | mg/L;mm/h
"""


def test_packed_cells_become_columns_and_misfits_are_findings(tmp_path: Path) -> None:
    found = harmonise(mapped(tmp_path, {"labs": PACKED}, packed=PACKED_CELLS))

    assert text_of(found, "labs", "sample_date", "test", "value", "unit") == [
        ("2020-01-01", "crp", "3", "mg/L"),
        ("2020-01-01", "esr", "5", None),
        ("2020-01-02", "esr", "7", None),
        ("2020-01-04", "crp", None, "mg/L"),  # its unit is there: a row without a result, to be set aside
        ("2020-01-04", "esr", "9", None),
    ]
    assert found.findings.select("source_row", "column", "rule", "severity", "value").rows() == [
        (4, "result", "packed_cells_disagree", "cell", "1;2;3"),
        (7, "result", "packed_cells_disagree", "cell", "4;4"),
        (5, "value", "declared_missing", "fix", "NA"),
    ]


def test_a_name_twice_in_one_packed_cell_is_a_finding_whatever_the_spaces(tmp_path: Path) -> None:
    rows = """
        patient_id | sample_date | test     | result | unit
        P1         | 2020-01-01  | CRP; CRP | 3;4    | mg/L;mg/L
        P1         | 2020-01-02  | CRP ;ESR | 5;6    | mg/L;mm/h
    """
    found = harmonise(mapped(tmp_path, {"labs": PACKED}, packed=rows))

    assert text_of(found, "labs", "test", "value") == [("crp", "5"), ("esr", "6")]
    assert found.findings.select("source_row", "rule").rows() == [(2, "packed_cells_disagree")]


def test_an_empty_part_of_a_packed_cell_is_no_result(tmp_path: Path) -> None:
    rows = """
        patient_id | sample_date | test    | result | unit
        P1         | 2020-01-01  | CRP;ESR | 3;     | mg/L;
    """
    found = harmonise(mapped(tmp_path, {"labs": PACKED}, packed=rows))

    assert text_of(found, "labs", "test", "value", "unit") == [("crp", "3", "mg/L")]


def test_two_files_feed_one_table_and_their_overlap_is_merged(tmp_path: Path) -> None:
    spring, summer = (
        f"id | visit_date | vas\nP1 | 2020-04-01 | {vas}\nP1 | 2020-{month}-02 | 7"
        for vas, month in ((5, "05"), (5, "08"))
    )
    source = {"columns": {"id": "patient_id", "vas": "patient_global_mm"}, "units": {"vas": "cm"}}
    visits = [{"file": "spring.csv", **source}, {"file": "summer.csv", **source}]
    found = harmonise(mapped(tmp_path, {"visits": visits}, spring=spring, summer=summer))

    assert text_of(found, "visits", "source", "source_row", "patient_global_mm", "is_duplicate") == [
        ("spring.csv", 2, "50.0", False), ("spring.csv", 3, "70.0", False),
        ("summer.csv", 2, "50.0", True), ("summer.csv", 3, "70.0", False),
    ]  # fmt: skip


def test_the_same_text_in_another_unit_is_no_duplicate(tmp_path: Path) -> None:
    rows = "patient_id | visit_date | patient_global_mm\nP1 | 2020-04-01 | 5"
    visits = [{"file": "a.csv"}, {"file": "b.csv", "units": {"patient_global_mm": "cm"}}]
    found = harmonise(mapped(tmp_path, {"visits": visits}, a=rows, b=rows))

    assert text_of(found, "visits", "patient_global_mm", "is_duplicate") == [("5", False), ("50.0", False)]


def test_one_file_may_feed_several_tables_without_ignore_lists(tmp_path: Path) -> None:
    register = "patient_id | disease | sex | birth_year | visit_date | joints\nP1 | RA | female | 1960 | 2020-01-01 | 3"
    tables = {
        "patients": {"file": "register.csv"},
        "visits": {"file": "register.csv", "columns": {"joints": "tjc28"}},
    }
    found = harmonise(mapped(tmp_path, tables, register=register))

    assert text_of(found, "patients", "patient_id", "disease") == [("P1", "RA")]
    assert text_of(found, "visits", "visit_date", "tjc28") == [("2020-01-01", "3")]


def _visits(**keys: Any) -> dict[str, Any]:
    return {"visits": {"file": "visits.csv", **keys}}


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        (_visits(columns={"tjc_28": "tjc28"}), r"site.yaml: tables.visits.columns names 'tjc_28', which visits.csv does not have, did you mean 'tjc28'\?"),
        (_visits(columns={"tjc28": "tjc_28"}), r"site.yaml: tables.visits.columns: 'tjc_28' is no column of table visits, did you mean 'tjc28'\?"),
        (_visits(columns={"tjc28": "sjc66", "sjc28": "sjc66"}), r"fills 'sjc66' from two columns"),
        (_visits(units={"patient_global_mm": "inch"}), r"tables.visits.units.patient_global_mm: 'inch' is not understood.*mm, cm"),
        (_visits(units={"haq_di": "mm"}), r"tables.visits.units.haq_di: 'mm' is not understood.*takes no unit"),
        (_visits(units={"patient_globl_mm": "cm"}), r"tables.visits.units: visits.csv has no column 'patient_globl_mm', did you mean 'patient_global_mm'\?"),
        (_visits(missing={"crp_mg_l": ["99"]}), r"tables.visits.missing: visits.csv has no column 'crp_mg_l'"),
        (_visits(values={"problematic_to_patient": {"ja": "ture"}}), r"tables.visits.values.problematic_to_patient: 'ture' is not one of true, false, did you mean 'true'\?"),
        (_visits(constants={"recorded_das28_from": "esr4"}), r"constants: 'recorded_das28_from' is no column.*did you mean 'recorded_das28_form'\?"),
        (_visits(split={"names": "test", "values": "haq_di"}), r"tables.visits.split names 'test', which is not there"),
        (_visits(columns={"haq_di": "pain_mm"}, wide_to_long=[{"columns": {"tjc28": "pain_mm"}}]), r"wide_to_long fills 'pain_mm' a second time"),
        (_visits(columns={"haq_di": "tjc28"}), r"column 'tjc28' of table visits is also filled by the mapping"),
        ({"patients": {**PATIENTS, "constants": {}}}, r"people.csv.*required column of table patients is missing: 'disease'"),
        ({"patients": {"file": "people.csv", "columns": {"Hosp": "patient_id"}}}, r"people.csv: column 'Sex' of table patients is unknown, did you mean 'sex'\?.*ignore in site.yaml"),
        ({"visits": "none"}, r"no table visits, which is required"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_names_file_key_and_nearest_choice(
    tables: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match=sentence):
        harmonise(mapped(tmp_path, tables))


def test_an_unknown_column_of_a_canonical_table_stops_and_is_passed_over_if_ignored(tmp_path: Path) -> None:
    extract = {**CLEAN, "visits": "patient_id | visit_date | tjc_28\nP1 | 2020-01-01 | 3"}
    with pytest.raises(
        StudyError, match=r"visits.csv: column 'tjc_28' of table visits is unknown, did you mean 'tjc28'\?"
    ):
        harmonised(tmp_path, extract)

    found = harmonised(tmp_path, extract, ignore={"visits": ["tjc_28"]})
    assert "tjc_28" not in found.tables["visits"].columns


@pytest.mark.parametrize("table", ["patients", "visits", "treatments"])
def test_a_required_table_that_is_missing_stops(table: str, tmp_path: Path) -> None:
    extract = {name: text for name, text in CLEAN.items() if name != table}
    with pytest.raises(StudyError, match=f"no table {table}, which is required"):
        harmonised(tmp_path, extract)


def test_an_optional_table_that_is_missing_is_absent(tmp_path: Path) -> None:
    extract = {name: CLEAN[name] for name in ("patients", "visits", "treatments")}

    assert list(harmonised(tmp_path, extract).tables) == ["patients", "visits", "treatments"]


@pytest.mark.parametrize(
    ("table", "column"), [("patients", "sex"), ("visits", "visit_date"), ("labs", "value"), ("diagnoses", "recorded_date")]
)  # fmt: skip
def test_a_required_column_that_is_missing_stops(table: str, column: str, tmp_path: Path) -> None:
    extract = {**CLEAN, table: CLEAN[table].replace(column, "joint" if table == "imaging" else f"{column}_x")}
    with pytest.raises(StudyError, match=f"{column}"):
        harmonised(tmp_path, extract, ignore={table: [f"{column}_x"]})


def test_canonical_text_is_handed_on_as_it_is(tmp_path: Path) -> None:
    found = harmonised(tmp_path, CLEAN)

    assert found.findings.is_empty()
    visits = found.tables["visits"]
    assert visits.drop("source_row", "is_duplicate").schema.dtypes() == [pl.String] * (visits.width - 2)
    assert visits["patient_global_mm"].to_list() == ["55.5", None, "100"]
