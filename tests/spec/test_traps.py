"""Traps of the clinical reference (section 6) that no other test springs; tests/data/traps.csv lists all 59 with their proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from d2tra import io
from d2tra.config import load_yaml
from d2tra.errors import StudyError
from d2tra.extract.contradictions import contradictions
from d2tra.extract.mapping import harmonise
from d2tra.extract.validate import Validated, validate_extract
from d2tra.risk_factors import POSITIVE
from d2tra.treatment import recognise_drugs
from extracts import CLEAN, reasons, site_of, validated, write_extract

VISIT = "patient_id | visit_date | {}\n"


def delivered(
    folder: Path, table: str, text: str, site: dict[str, Any] | None = None, **source: Any
) -> Validated:
    """Returns the clean patients and visits, and one table delivered as `theirs.csv` in the site's own shape."""
    files = {name: CLEAN[name] for name in ("patients", "visits") if name != table}
    tables: dict[str, Any] = {name: {"file": f"{name}.csv"} for name in files}
    tables |= {"treatments": "none", table: {"file": "theirs.csv", **source}}
    told = {"format": "mapped", "data_cut_date": "2020-12-31", "tables": tables, **(site or {})}
    declared = site_of(write_extract(folder, **files, theirs=text), **told)
    return validate_extract(harmonise(declared), declared, recognise_drugs)


def added(folder: Path, table: str, *rows: str, **source: Any) -> Validated:
    """Returns the clean patients and visits with rows added to one table, the first of them in row 100."""
    clean = CLEAN[table].strip().splitlines()
    width = clean[0].count("|")
    filling = [" | " * width] * (98 - len(clean) + 1)
    whole = [row + " | " * (width - row.count("|")) for row in rows]
    return delivered(folder, table, "\n".join([*clean, *filling, *whole]), **source)


def visits_of(column: str, *cells: str) -> str:
    return VISIT.format(column) + "\n".join(
        f"P1 | 2020-01-{day:02} | {cell}" for day, cell in enumerate(cells, 1)
    )


def found(result: Validated) -> list[tuple[object, ...]]:
    """Returns column, rule, severity, value of every finding, in the order of the source."""
    return [reason[2:] for reason in sorted(reasons(result), key=lambda reason: reason[1])]


# 2, 30, 32: laboratory texts
def test_censored_texts_count_half_and_what_is_none_is_a_cell(tmp_path: Path) -> None:
    rows = "\n".join(
        f"P1 | 2020-01-0{day} | crp | {text} | mg/L |" for day, text in enumerate(("< 4", ">250", "5-"), 1)
    )
    labs = added(tmp_path, "labs", *rows.splitlines()).tables["labs"].filter(pl.col("source_row") >= 100)
    assert labs.sort("source_row")["number"].to_list() == [2, 250, None]


WORDS = {
    "++": POSITIVE, "Neg": "negative", "1:80": POSITIVE, "1:160": POSITIVE, "1:40": "negative",
    "weakly positive": "weak positive", "borderline": None, "see letter": None,
}  # fmt: skip


def test_words_and_titres_of_serology_are_read_and_borderline_is_of_neither_kind(tmp_path: Path) -> None:
    result = added(tmp_path, "labs", *(f"P1 | 2020-01-09 | rf | {text}" for text in WORDS))
    assert result.tables["labs"].filter(pl.col("source_row") >= 100)["value"].to_list() == [
        value or text for text, value in WORDS.items()
    ]
    assert found(result) == [
        ("value", "result_word" if value else "no_result", "fix" if value else "cell", text)
        for text, value in WORDS.items()
    ]


# 5: decimal comma
def test_a_column_whose_decimals_all_have_a_comma_is_read_so_and_said(tmp_path: Path) -> None:
    result = delivered(tmp_path, "visits", visits_of("haq_di", "1,125", "0,5", "2"))
    assert result.tables["visits"]["haq_di"].to_list() == [1.125, 0.5, 2]
    assert found(result) == [
        ("haq_di", "decimal_comma", "fix", "1,125"),
        ("haq_di", "decimal_comma", "fix", "0,5"),
    ]


def test_a_declared_decimal_comma_is_read_without_a_finding(tmp_path: Path) -> None:
    result = delivered(tmp_path, "visits", visits_of("haq_di", "1,125", "2"), decimal=",")
    assert (result.tables["visits"]["haq_di"].to_list(), found(result)) == ([1.125, 2], [])


def test_decimal_commas_and_points_in_one_column_stop_and_a_single_slip_is_a_cell(tmp_path: Path) -> None:
    with pytest.raises(
        StudyError, match=r"2 × mixed decimal marks \(haq_di, first in theirs.csv row 2\).*export it anew"
    ):
        delivered(tmp_path / "mixed", "visits", visits_of("haq_di", "0,5", "0,25", "1.5", "1.25"))
    slip = delivered(tmp_path / "slip", "visits", visits_of("haq_di", "0,5", "1.5", "1.25"))
    assert found(slip) == [("haq_di", "not_a_number", "cell", "0,5")]


def test_what_may_be_thousands_is_no_decimal_comma(tmp_path: Path) -> None:
    result = delivered(tmp_path, "visits", visits_of("haq_di", "1,125", "2"))
    assert found(result) == [("haq_di", "not_a_number", "cell", "1,125")]


# 7: mixed scale
def test_single_marks_in_mm_within_a_column_in_cm_are_cells(tmp_path: Path) -> None:
    cells = ["6.5"] * 9 + ["62"]
    result = delivered(tmp_path, "visits", visits_of("pain_mm", *cells), units={"pain_mm": "cm"})
    assert found(result) == [("pain_mm", "out_of_range", "cell", "62")]
    assert result.tables["visits"]["pain_mm"].to_list() == [65.0] * 9 + [None]


# 10, 14, 26: cells and keys of visits
def test_a_joint_count_in_words_is_a_cell_and_the_visit_stays(tmp_path: Path) -> None:
    counts = ["10+", ">10", "multiple", "5-6"]
    result = delivered(tmp_path, "visits", visits_of("tjc28", *counts))
    assert found(result) == [("tjc28", "not_a_number", "cell", count) for count in counts]
    assert result.tables["visits"]["tjc28"].to_list() == [None] * 4


def test_a_recorded_das28_out_of_range_is_a_cell(tmp_path: Path) -> None:
    result = delivered(tmp_path, "visits", visits_of("recorded_das28", "12.3", "-1", "10"))
    assert found(result) == [("recorded_das28", "out_of_range", "cell", score) for score in ("12.3", "-1")]


def test_two_visits_of_one_day_that_differ_are_both_set_aside(tmp_path: Path) -> None:
    result = added(tmp_path, "visits", "P1 | 2020-01-10 | 9 | 2 | 55.5 | 30 | 1.125 | yes")
    assert [reason[1:5] for reason in reasons(result)] == [
        (2, "visit_date", "repeated_key", "row"), (100, "visit_date", "repeated_key", "row"),
    ]  # fmt: skip


# 13, 46: another score or questionnaire under the name of ours
@pytest.mark.parametrize(
    ("header", "ours", "named"),
    [("DAS44", "recorded_das28", "44 joints"), ("DAS 44-joint", "recorded_das28", "44 joints"), ("MHAQ", "haq_di", "MHAQ"),
     ("MD-HAQ score", "haq_di", "MDHAQ"), ("HAQ-II", "haq_di", "HAQ-II")],
)  # fmt: skip
def test_a_header_that_names_another_score_stops(header: str, ours: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(
        StudyError, match=rf"column '{header}' is mapped to {ours}, but its header names .*{named}"
    ):
        delivered(tmp_path, "visits", visits_of(header, "2"), columns={header: ours})


@pytest.mark.parametrize("header", ["RheumHAQ", "HAQ-DI", "haq_di"])
def test_a_haq_under_its_own_name_or_confirmed_passes(header: str, tmp_path: Path) -> None:
    assert (
        found(delivered(tmp_path / "own", "visits", visits_of(header, "2"), columns={header: "haq_di"})) == []
    )
    confirmed = {"units_confirmed": ["haq_di"]}
    assert (
        found(
            delivered(
                tmp_path / "said", "visits", visits_of("MHAQ", "2"), confirmed, columns={"MHAQ": "haq_di"}
            )
        )
        == []
    )


def checked(tables: dict[str, pl.DataFrame]) -> dict[str, int]:
    """Returns the count of every contradiction that was found."""
    return {check: n for _, _, check, n, _ in contradictions(tables, CHECKS) if n}


def coded(patient: str, *codes: str) -> pl.DataFrame:
    return pl.DataFrame({"patient_id": patient, "code_system": "icd10", "code": list(codes)}).with_columns(
        recorded_date=pl.lit("2012-01-01").str.to_date()
    )


ROOT = Path(__file__).parents[2]
CHECKS = load_yaml(ROOT / "config" / "quality.yaml")["checks"]


NO_VISITS = pl.DataFrame(
    schema={"esr_mm_h": pl.Float64, "recorded_das28": pl.Float64, "recorded_das28_form": pl.String}
)


@pytest.mark.parametrize(("score", "form", "n"), [(2.39, None, 30), (2.4, None, 0), (2.39, "esr4", 0)])
def test_low_recorded_das28_of_unknown_form_may_be_those_of_44_joints(
    score: float, form: str | None, n: int
) -> None:
    visits = pl.DataFrame({"esr_mm_h": [5.0] * 30, "recorded_das28": score, "recorded_das28_form": form})
    assert checked({"visits": visits}).get("recorded_das28_low", 0) == n
    assert checked({"visits": visits.head(29)}) == {}


# 3, 43, 44: counted, never set aside
def test_esr_below_1_is_counted() -> None:
    labs = pl.DataFrame({"test": ["esr", "esr", "crp"], "number": [0.5, 1.0, 0.5]})
    visits = pl.DataFrame(
        {"esr_mm_h": [0.0, 1.0, None], "recorded_das28": 3.0, "recorded_das28_form": "esr4"}
    )
    assert [
        n
        for *_, check, n, _ in contradictions({"visits": visits, "labs": labs}, CHECKS)
        if check == "esr_below_1"
    ] == [1, 1]


@pytest.mark.parametrize(("codes", "n"), [
    (["L40.5"], 1), (["M08.0"], 1), (["M06.1"], 1), (["M06.4"], 1), (["M05.9"], 0), (["M79.7"], 0), (["L40.5", "M05.9"], 0),
])  # fmt: skip
def test_patients_of_disease_ra_with_another_arthritis_only_are_counted(codes: list[str], n: int) -> None:
    diagnoses = coded("P1", *codes)
    patients = pl.DataFrame({"patient_id": ["P1"], "disease": ["RA"]})
    tables = {"visits": NO_VISITS, "patients": patients, "diagnoses": diagnoses}
    assert checked(tables).get("another_arthritis_coded", 0) == n
    psoriatic = {**tables, "patients": patients.with_columns(disease=pl.lit("PsA"))}
    assert checked(psoriatic) == {}


@pytest.mark.parametrize(("value", "n"), [("positive", 1), ("21", 1), ("20", 0), ("negative", 0)])
def test_of_a_seronegative_code_and_a_positive_result_the_laboratory_counts(value: str, n: int) -> None:
    labs = pl.DataFrame(
        {"patient_id": ["P1"], "test": "rf", "value": value, "upper_limit": 20.0}
    ).with_columns(number=pl.col("value").cast(pl.Float64, strict=False))
    patients = pl.DataFrame({"patient_id": ["P1"], "disease": ["RA"]})
    tables = {"visits": NO_VISITS, "patients": patients, "labs": labs, "diagnoses": coded("P1", "M06.0")}
    assert checked(tables).get("seronegative_code", 0) == n


# 15-19: dates
@pytest.mark.parametrize(
    ("cells", "declared", "said"),
    [
        (("03/04/2021", "05/04/2021", "25/04/2021"), "%m/%d/%Y", r"declared %m/%d/%Y reads 2 of 3 filled cells, %d/%m/%Y reads all"),
        (("2021-04-03", "2021-05-03", "2021-06-03"), "%d/%m/%Y", r"reads 0 of 3 filled cells, %Y-%m-%d reads all"),
        (("03/04/2021", "05/04/2021", "06/04/2021"), "%Y-%m-%d", r"%d/%m/%Y or %m/%d/%Y reads all. More than one format does"),
        (("44317", "44320", "44321"), "%Y-%m-%d", r"excel reads all"),
    ],
)  # fmt: skip
def test_a_date_format_that_reads_only_some_cells_stops_where_another_reads_all(
    cells: tuple[str, ...], declared: str, said: str, tmp_path: Path
) -> None:
    text = "patient_id | visit_date\n" + "\n".join(f"P1 | {cell}" for cell in cells)
    with pytest.raises(StudyError, match=said):
        delivered(tmp_path, "visits", text, dates={"format": declared})


def test_one_date_that_no_format_reads_sets_its_row_aside_only(tmp_path: Path) -> None:
    text = "patient_id | visit_date\nP1 | 03/04/2020\nP1 | 31/02/2020\nP1 | 25/04/2020"
    result = delivered(tmp_path, "visits", text, dates={"format": "%d/%m/%Y"})
    assert found(result) == [("visit_date", "broken_key", "row", "31/02/2020")]


@pytest.mark.parametrize(("written", "year"), [("12/05/45", 1945), ("12/05/39", None), ("12/05/15", 2015)])
def test_two_digit_years_fall_into_the_hundred_years_from_1940(
    written: str, year: int | None, tmp_path: Path
) -> None:
    text = f"patient_id | disease | sex | birth_year | symptom_onset_date\nP1 | RA | male | 1930 | {written}\nP2 | RA | male | 1930 |"
    result = delivered(tmp_path, "patients", text, dates={"format": "%d/%m/%y"})
    assert result.tables["patients"]["symptom_onset_date"].dt.year().to_list() == [
        year,
        None,
    ]  # 2039 lies after the cut


def test_a_year_of_two_digits_is_not_read_as_a_year_of_four(tmp_path: Path) -> None:
    text = "patient_id | visit_date\nP1 | 12/05/20\nP1 | 12/06/2020"
    result = delivered(tmp_path, "visits", text, dates={"format": "%d/%m/%Y"})
    assert found(result) == [("visit_date", "broken_key", "row", "12/05/20")]


def test_placeholder_dates_are_emptied_and_a_stop_in_9999_is_an_ongoing_drug(tmp_path: Path) -> None:
    rows = "P2 | Enbrel | | 2013-01-01 | 9999-12-31", "P2 | Enbrel | | 1900-01-01"
    result = added(tmp_path, "treatments", *rows)
    assert found(result) == [
        ("stop_date", "placeholder_date", "fix", "9999-12-31"), ("start_date", "missing_key", "row", None),
        ("start_date", "placeholder_date", "fix", "1900-01-01"),
    ]  # fmt: skip
    assert result.tables["treatments"].filter(source_row=100)["stop_date"].to_list() == [None]


PARTIAL = "patient_id | disease | sex | birth_year | symptom_onset_date | diagnosis_date\nP1 | RA | male | 1960 | {} | {}\nP2 | RA | male | 1960 | |"


@pytest.mark.parametrize(
    ("onset", "diagnosis", "days"),
    [
        ("2009", "03/2011", ("2009-07-02", "2011-03-16")),
        ("2010", "05/03/2010", ("2010-03-05", "2010-03-05")),  # the middle would lie after the diagnosis
        ("05/08/2010", "2010", ("2010-08-05", "2010-08-05")),
    ],
)
def test_a_date_known_to_month_or_year_is_its_middle_where_the_mapping_says_so(
    onset: str, diagnosis: str, days: tuple[str, str], tmp_path: Path
) -> None:
    dates = {"format": "%d/%m/%Y", "partial": "middle"}
    result = delivered(tmp_path, "patients", PARTIAL.format(onset, diagnosis), dates=dates)
    first = result.tables["patients"].filter(patient_id="P1")
    assert tuple(str(day) for day in first.select("symptom_onset_date", "diagnosis_date").row(0)) == days
    assert {rule for _, rule, _, _ in found(result)} == {"partial_date"}


def test_a_date_known_to_the_year_is_a_cell_unless_declared_and_in_a_key_sets_its_row_aside(
    tmp_path: Path,
) -> None:
    undeclared = delivered(
        tmp_path / "a", "patients", PARTIAL.format("2009", "05/03/2010"), dates={"format": "%d/%m/%Y"}
    )
    assert found(undeclared) == [("symptom_onset_date", "not_a_date", "cell", "2009")]
    key = delivered(
        tmp_path / "b",
        "treatments",
        "patient_id | drug | start_date\nP1 | Humira | 2019",
        dates={"partial": "middle"},
    )
    assert found(key) == [("start_date", "broken_key", "row", "2019")]


# 24: age
def test_an_age_beside_the_year_of_birth_is_not_taken_in(tmp_path: Path) -> None:
    text = (
        "patient_id | disease | sex | birth_year | age\nP1 | RA | male | 1960 | 31\nP2 | RA | male | 1960 |"
    )
    with pytest.raises(StudyError, match="column 'age' of table patients is unknown"):
        delivered(tmp_path / "a", "patients", text)
    assert delivered(tmp_path / "b", "patients", text, ignore=["age"]).tables["patients"][
        "birth_year"
    ].to_list() == [1960, 1960]


# 28: pseudonyms that a spreadsheet has damaged
@pytest.mark.parametrize(
    ("known", "used", "said"),
    [("0012", "12", "fits a patient but for leading zeros"), ("12", "0012", "fits a patient but for leading zeros"),
     ("P1", "1.2E+10", "number in scientific notation"), ("P1", "1E+10", "number in scientific notation")],
)  # fmt: skip
def test_a_pseudonym_that_a_spreadsheet_has_damaged_stops(
    known: str, used: str, said: str, tmp_path: Path
) -> None:
    extract = {
        "patients": f"patient_id | disease | sex | birth_year\n{known} | RA | male | 1960",
        "visits": f"patient_id | visit_date\n{used} | 2020-01-01",
        "treatments": "patient_id | drug | start_date",
    }
    with pytest.raises(StudyError, match=said):
        validated(tmp_path, extract)


def test_pseudonyms_that_differ_by_zeros_and_are_both_patients_pass(tmp_path: Path) -> None:
    extract = {
        "patients": "patient_id | disease | sex | birth_year\n0012 | RA | male | 1960\n12 | RA | male | 1960\n12E10 | RA | male | 1960",
        "visits": "patient_id | visit_date\n12 | 2020-01-01\n0012 | 2020-01-01",
        "treatments": "patient_id | drug | start_date",
    }
    assert found(validated(tmp_path, extract)) == []


# 37, 38, 40, 48, 58: drugs
def test_a_weekly_dose_of_methotrexate_as_a_daily_one_is_emptied(tmp_path: Path) -> None:
    doses = {"methotrexate": ["15", "4.3"], "prednisolone": ["15"]}
    rows = [f"P1 | {drug} | | 2013-01-01 | | | {dose}" for drug, each in doses.items() for dose in each]
    result = added(tmp_path, "treatments", *rows)
    assert result.tables["treatments"].filter(pl.col("source_row") >= 100)["daily_dose_mg"].to_list() == [
        None,
        4.3,
        15,
    ]
    assert found(result) == [("daily_dose_mg", "weekly_drug_daily", "cell", "15.0")]


def test_a_drug_without_a_name_is_set_aside_and_never_a_mechanism(tmp_path: Path) -> None:
    drugs = ["biologic", "trial drug", "study medication", "0"]
    result = added(tmp_path, "treatments", *(f"P1 | {drug} | | 2013-01-01" for drug in drugs))
    assert found(result) == [("drug", "unknown_drug", "row", drug) for drug in drugs]


def test_a_declared_code_of_no_drug_leaves_no_row(tmp_path: Path) -> None:
    text = "patient_id | bio_1 | bio_2 | start_1 | start_2\nP1 | 3 | 0 | 2013-01-01 |"
    result = delivered(
        tmp_path, "treatments", text, missing={"drug": ["0"]}, values={"drug": {"3": "adalimumab"}},
        wide_to_long=[{"columns": {"bio_{n}": "drug", "start_{n}": "start_date"}, "numbers": [1, 2]}],
    )  # fmt: skip
    assert result.tables["treatments"]["molecule"].to_list() == ["adalimumab"]
    assert {severity for _, _, severity, _ in found(result)} <= {"fix"}


def test_words_of_a_stop_reason_are_translated_and_the_unknown_ones_listed(tmp_path: Path) -> None:
    rows = "\n".join(
        f"P1 | Humira | 201{n}-01-01 | {word}"
        for n, word in enumerate(("2ry failure", "LFTs up", "GP advised"), 2)
    )
    words = {"stop_reason": {"2ry failure": "secondary_inefficacy", "lfts up": "adverse_event"}}
    result = delivered(
        tmp_path, "treatments", "patient_id | drug | start_date | stop_reason\n" + rows, values=words
    )
    assert result.tables["treatments"]["stop_reason"].to_list() == [
        "secondary_inefficacy",
        "adverse_event",
        None,
    ]
    assert found(result) == [("stop_reason", "not_in_list", "cell", "GP advised")]


def test_a_glucocorticoid_dose_in_words_is_read_only_where_it_says_one_dose_a_day(tmp_path: Path) -> None:
    doses = {"5mg od": 5, "5 mg daily": 5, "5 mg bd": None, "15 reducing": None, "pred 5mg od": None}
    result = added(
        tmp_path, "treatments", *(f"P1 | prednisolone | | 2013-01-01 | | | {dose}" for dose in doses)
    )
    read = result.tables["treatments"].filter(pl.col("source_row") >= 100)["daily_dose_mg"]
    assert read.to_list() == list(doses.values())
    assert found(result) == [
        ("daily_dose_mg", *(("own_unit", "fix") if mg else ("not_a_number", "cell")), dose)
        for dose, mg in doses.items()
    ]


# 41, 42: bodies and sex
def test_an_impossible_bmi_is_emptied_and_weight_and_height_stay_to_compute_it(tmp_path: Path) -> None:
    text = (
        VISIT.format("weight_kg | height_cm | bmi_kg_m2")
        + "P1 | 2020-01-01 | 80 | 165 | 310\nP1 | 2020-01-02 | 80 | 1.65 | 9.9"
    )
    result = delivered(tmp_path, "visits", text)
    assert result.tables["visits"].select("weight_kg", "height_cm", "bmi_kg_m2").rows() == [
        (80, 165, None),
        (80, None, None),
    ]


def test_a_column_of_sex_in_undeclared_codes_stops_and_a_single_one_is_a_cell(tmp_path: Path) -> None:
    header, people = (
        "patient_id | disease | sex | birth_year\n",
        [f"P{n} | RA | {1 + n % 2} | 1960" for n in range(1, 11)],
    )
    with pytest.raises(
        StudyError, match=r"sex: no cell of the column is understood.*Translate the words under values"
    ):
        delivered(tmp_path / "a", "patients", header + "\n".join(people))
    nine = delivered(tmp_path / "b", "patients", header + "\n".join(people[:9]))
    assert {finding[1:3] for finding in found(nine) if finding[0] == "sex"} == {("not_in_list", "cell")}
    declared = delivered(
        tmp_path / "c", "patients", header + "\n".join(people), values={"sex": {"1": "male", "2": "female"}}
    )
    assert found(declared) == []


# 51: formulas
def test_an_offending_value_is_no_formula_in_the_quarantine(tmp_path: Path) -> None:
    cells = ["=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(A1)"]
    quarantine = delivered(tmp_path, "visits", visits_of("haq_di", *cells)).quarantine
    assert io.neutralised(quarantine)["value"].to_list() == [f"'{cell}" for cell in cells]
    door = (ROOT / "workflow" / "scripts" / "validate_extract.py").read_text()
    assert "io.write(io.neutralised(validated.quarantine)" in door


# 54: codes damaged by a spreadsheet
def test_a_snomed_code_without_its_check_digit_is_set_aside(tmp_path: Path) -> None:
    whole, damaged = ["69896004", "15691321000119101"], ["15691321000119100", "1.57E+16", "69896005", "69896"]
    result = added(
        tmp_path, "diagnoses", *(f"P1 | 2020-01-09 | snomed | {code}" for code in (*whole, *damaged))
    )
    assert found(result) == [("code", "damaged_code", "row", code) for code in damaged]
