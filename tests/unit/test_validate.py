"""Duplicates, keys, orphans, the extract's cut, and the count of every row."""

from __future__ import annotations

import datetime as dt
import string
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d2tra.codelists import diagnosis_concepts
from d2tra.errors import StudyError
from d2tra.extract import findings
from d2tra.extract.mapping import Harmonised, Part, harmonise_table
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import TableSource
from d2tra.extract.validate import SetAsideError, validate_extract
from d2tra.treatment import recognise_drugs
from extracts import CLEAN, counts, reasons, site_of, validated, with_row

P1_VISIT = "P1 | 2020-01-10 | 4 | 2 | 55.5 | 30 | 1.125 | yes"


@pytest.mark.parametrize("table", list(CLEAN))
def test_an_exact_duplicate_is_merged_and_counted_in_every_table(table: str, tmp_path: Path) -> None:
    last_row = CLEAN[table].strip().splitlines()[-1].strip()
    result = validated(tmp_path, with_row(table, last_row))
    clean = validated(tmp_path / "clean", CLEAN)

    assert counts(result, table)["n_duplicate"] == 1
    assert counts(result, table)["n_quarantined"] == 0
    assert result.tables[table].equals(clean.tables[table])
    assert reasons(result) == []


def test_a_fault_in_merged_rows_is_found_once(tmp_path: Path) -> None:
    row = "P1 | 2020-03-01 | 29 | | | 12 mm/hr | |"
    result = validated(tmp_path, with_row("visits", f"{row}\n{row}"))

    assert counts(result, "visits") == {
        "n_read": 5, "n_valid": 4, "n_quarantined": 0, "n_duplicate": 1, "n_orphaned": 0, "n_cells_set_aside": 1,
        "n_cells_fixed": 1,
    }  # fmt: skip


def test_duplicates_are_judged_on_the_text_as_read(tmp_path: Path) -> None:
    same_number_other_text = P1_VISIT.replace("| 4 |", "| 4.0 |")
    result = validated(tmp_path, with_row("visits", same_number_other_text))

    assert reasons(result) == [
        ("visits", 2, "visit_date", "repeated_key", "row", "2020-01-10"),
        ("visits", 5, "visit_date", "repeated_key", "row", "2020-01-10"),
    ]
    assert counts(result, "visits")["n_quarantined"] == 2


def test_two_patients_of_one_id_are_both_set_aside_and_their_rows_are_orphans(tmp_path: Path) -> None:
    result = validated(tmp_path, with_row("patients", "P1 | 7 | RA | male | 1960 | | |"))

    assert counts(result, "patients")["n_quarantined"] == 2
    assert counts(result, "patients")["n_orphaned"] == 0
    assert {table: counts(result, table)["n_orphaned"] for table in CLEAN if table != "patients"} == {
        "visits": 2, "labs": 2, "treatments": 2, "diagnoses": 1, "imaging": 1, "biomarkers": 1,
    }  # fmt: skip
    assert result.tables["visits"]["patient_id"].to_list() == ["P2"]
    assert ("visits", 2, "patient_id", "orphan", "row", "P1") in reasons(result)


def test_rows_of_a_patient_whose_id_is_broken_are_orphans_too(tmp_path: Path) -> None:
    extract = with_row("patients", "P 3 | 3 | RA | male | 1960 | | |")
    extract["visits"] += "\nP 3 | 2020-01-10 | 4 | | | | |"
    result = validated(tmp_path, extract)

    assert counts(result, "visits")["n_quarantined"] == counts(result, "visits")["n_orphaned"] == 1
    assert [rule for table, _, _, rule, *_ in reasons(result) if table == "visits"] == [
        "broken_key",
        "orphan",
    ]


def test_a_patient_who_is_nowhere_is_no_orphan(tmp_path: Path) -> None:
    result = validated(tmp_path, with_row("visits", "P9 | 2020-01-10 | 4 | | | | |"))

    assert counts(result, "visits")["n_quarantined"] == 1
    assert counts(result, "visits")["n_orphaned"] == 0


def test_a_sequence_that_occurs_twice_is_emptied_in_all_its_rows(tmp_path: Path) -> None:
    result = validated(tmp_path, with_row("patients", "P3 | 2 | RA | male | 1960 | | |"))

    assert [row for row in reasons(result) if row[3] == "sequence_twice"] == [
        ("patients", 3, "sequence", "sequence_twice", "cell", "2"),
        ("patients", 4, "sequence", "sequence_twice", "cell", "2"),
    ]
    assert result.tables["patients"]["sequence"].to_list() == [1, None, None]


def test_an_onset_after_the_cut_is_emptied_before_the_order_of_dates_is_judged(tmp_path: Path) -> None:
    result = validated(
        tmp_path, with_row("patients", "P3 | 3 | RA | male | 1960 | 2024-01-01 | 2011-01-01 |")
    )

    assert [row[3:5] for row in reasons(result)] == [("after_cut", "cell")]
    assert counts(result, "patients")["n_valid"] == 3


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("visits", "visit_date"), ("labs", "sample_date"), ("treatments", "start_date"),
        ("diagnoses", "recorded_date"), ("imaging", "imaging_date"), ("biomarkers", "sample_date"),
    ],
)  # fmt: skip
def test_rows_after_a_declared_cut_are_set_aside_and_on_it_are_not(
    table: str, column: str, tmp_path: Path
) -> None:
    first = CLEAN[table].strip().splitlines()[2 if table == "treatments" else 1]
    old = next(cell for cell in first.split("|") if cell.strip()[:2] == "20").strip()
    rows = "\n".join(first.replace(old, day, 1) for day in ("2020-07-01", "2020-07-02"))
    result = validated(tmp_path, with_row(table, rows), data_cut_date=dt.date(2020, 7, 1))

    n_clean = len(CLEAN[table].strip().splitlines()) - 1
    assert reasons(result) == [(table, n_clean + 3, column, "row_after_cut", "row", "2020-07-02")]
    assert result.data_cut_date == dt.date(2020, 7, 1)


def test_the_cut_is_the_latest_row_date_where_none_is_declared(tmp_path: Path) -> None:
    later_stop = "P1 | SSZ | | 2019-01-01 | 2031-01-01 | |"
    result = validated(tmp_path, with_row("treatments", later_stop))

    assert result.data_cut_date == dt.date(2020, 6, 10)
    assert result.tables["treatments"]["stop_date"].max() == dt.date(2031, 1, 1)


def test_a_latest_date_of_181_days_after_the_next_stops_the_run_and_of_180_does_not(tmp_path: Path) -> None:
    at_edge = validated(tmp_path / "edge", with_row("visits", "P2 | 2020-12-07 | | | | | |"))
    assert at_edge.data_cut_date == dt.date(2020, 12, 7)

    with pytest.raises(
        StudyError, match=r"181 days after.*visits.visit_date in visits.csv row 5.*data_cut_date"
    ):
        validated(tmp_path / "beyond", with_row("visits", "P2 | 2020-12-08 | | | | | |"))
    declared = with_row("visits", "P2 | 2020-12-08 | | | | | |")
    assert validated(
        tmp_path / "declared", declared, data_cut_date=dt.date(2020, 12, 31)
    ).quarantine.is_empty()


def _visits(n_good: int, n_bad: int) -> str:
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=i) for i in range(n_good)]
    rows = [f"P1 | {day} | 1" for day in days] + [f"P1 | soon {i} | 1" for i in range(n_bad)]
    return "\n".join(["patient_id | visit_date | tjc28", *rows])


def test_five_percent_of_a_required_table_may_be_set_aside_and_no_more(tmp_path: Path) -> None:
    extract = {"patients": CLEAN["patients"], "treatments": CLEAN["treatments"]}
    at_edge = validated(tmp_path / "edge", {**extract, "visits": _visits(95, 5)}, max_set_aside_percent=5.0)
    assert counts(at_edge, "visits")["n_quarantined"] == 5

    with pytest.raises(
        SetAsideError,
        match=r"6 of 100 .*at most 5 %\): 6 × broken key \(visit_date, first in visits.csv row 96\)",
    ) as stop:
        validated(tmp_path / "beyond", {**extract, "visits": _visits(94, 6)}, max_set_aside_percent=5.0)
    assert "soon" not in str(stop.value)
    assert stop.value.quarantine.filter(severity="row").height == 6


def test_orphans_do_not_count_towards_the_five_percent(tmp_path: Path) -> None:
    patients = [
        "patient_id | disease | sex | birth_year",
        *(f"P{i} | RA | male | 1960" for i in range(1, 40)),
    ]
    visits = _visits(95, 0) + "".join(f"\nP40 | 2020-02-{day:02} | 2" for day in range(1, 29))
    extract = {
        "patients": "\n".join([*patients, "P40 | OA | male | 1960"]), "treatments": CLEAN["treatments"],
        "visits": visits,
    }  # fmt: skip
    result = validated(tmp_path, extract, max_set_aside_percent=5.0)

    assert counts(result, "visits")["n_orphaned"] == counts(result, "visits")["n_quarantined"] == 28


def test_an_optional_table_may_lose_more_than_five_percent(tmp_path: Path) -> None:
    result = validated(tmp_path, with_row("labs", "P1 | 2020-01-09 | ldh | 5 | |"), max_set_aside_percent=5.0)

    assert counts(result, "labs")["n_quarantined"] == 1


def test_a_rule_made_stricter_in_config_sets_the_row_aside_or_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = findings.rules()
    faulty = with_row("visits", "P1 | 2020-03-01 | 29 | | | | |")
    for severity in ("row", "stop"):
        stricter = {**stated, "out_of_range": findings.Rule(severity=severity, mend="Mend it.")}
        monkeypatch.setattr(findings, "rules", lambda stricter=stricter: stricter)
        if severity == "stop":
            with pytest.raises(StudyError, match=r"1 × out of range \(tjc28"):
                validated(tmp_path, faulty)
        else:
            assert counts(validated(tmp_path, faulty), "visits")["n_quarantined"] == 1


def test_declared_separators_split_combinations_but_no_known_name(tmp_path: Path) -> None:
    rows = "\n".join(
        f"P1 | {drug} | L04AX03 | 2013-01-01 | | |"
        for drug in ("MTX/SSZ", "methotrexate s/c", "Enbrel + MTX")
    )
    result = validated(tmp_path, with_row("treatments", rows), drug_separators=["+", "/"])
    found = result.tables["treatments"].filter(pl.col("source_row") >= 5)

    assert found.sort("source_row").select("source_row", "drug", "molecule", "atc_code").rows() == [
        (5, "MTX", "methotrexate", None),
        (5, "SSZ", "sulfasalazine", None),
        (6, "methotrexate s/c", "methotrexate", "L04AX03"),
        (7, "Enbrel", "etanercept", None),
        (7, "MTX", "methotrexate", None),
    ]
    assert counts(result, "treatments")["n_read"] == 8


def test_the_nearest_spelling_stands_in_the_quarantine(tmp_path: Path) -> None:
    result = validated(tmp_path, with_row("treatments", "P1 | adalimumumab | | 2013-01-01 | | |"))

    assert result.quarantine["message"].item().endswith("Nearest known spelling: adalimumab.")


@pytest.mark.parametrize(("censored", "number"), [("half", 2.5), ("limit", 5.0), ("zero", 0.0)])
def test_a_censored_result_is_used_as_the_site_declares(censored: str, number: float, tmp_path: Path) -> None:
    result = validated(tmp_path, CLEAN, censored=censored)
    crp = result.tables["labs"].filter(test="crp")

    assert crp.select("value", "number", "is_censored").row(0) == ("<5", number, True)


def test_a_result_without_unit_takes_the_declared_one(tmp_path: Path) -> None:
    extract = with_row("labs", "P1 | 2020-03-01 | crp | 1.2 | |")
    result = validated(tmp_path, extract, crp_unit="mg/dL")
    crp = result.tables["labs"].filter(pl.col("source_row") == 6)

    assert crp.select("value", "unit", "number", "is_censored").row(0) == ("1.2", None, 12.0, False)


def test_declared_upper_limits_fill_empty_ones_only(tmp_path: Path) -> None:
    result = validated(tmp_path, CLEAN, upper_limits={"rf": 14, "anti_ccp": 7})

    limits = result.tables["labs"].sort("test").select("test", "upper_limit").rows()
    assert limits == [("anti_ccp", 10.0), ("crp", 5.0), ("esr", None), ("rf", 14.0)]


def test_haq_categories_stand_in_for_a_missing_index(tmp_path: Path) -> None:
    visits = """
        patient_id | visit_date | haq_di | haq_dressing | haq_arising | haq_eating | haq_walking | haq_hygiene | haq_reach | haq_dressing_aid
        P1         | 2020-01-10 |        | 1            | 1           | 0          | 2           | 1           | 0         | true
        P1         | 2020-01-11 | 0.5    | 3            | 3           | 3          | 3           | 3           | 3         |
    """
    found = validated(tmp_path, {**CLEAN, "visits": visits}).tables["visits"]

    assert found["haq_di"].to_list() == [None, 0.5]
    assert found["haq_di_used"].to_list() == [pytest.approx(6 / 6), 0.5]


def test_valid_tables_hold_the_canonical_columns_in_order_and_sorted_rows(tmp_path: Path) -> None:
    result = validated(tmp_path, CLEAN)

    assert list(result.tables) == list(CLEAN)
    for table, frame in result.tables.items():
        canonical = {name: column.dtype for name, column in COLUMNS[table].items()}
        assert dict(list(frame.schema.items())[: len(canonical)]) == canonical
        assert frame["patient_id"].is_sorted()
        assert frame.columns[-1] == "source_row"
    drugs = result.tables["treatments"].select("molecule", "kind", "mechanism").rows()
    assert drugs == [
        ("methotrexate", "csdmard", None), ("adalimumab", "bdmard", "tnf"), ("prednisolone", "glucocorticoid", None),
    ]  # fmt: skip


def test_tables_without_rows_are_read_and_stop_nothing(tmp_path: Path) -> None:
    headers = {table: text.strip().splitlines()[0] for table, text in CLEAN.items()}
    result = validated(tmp_path, headers)

    assert result.accounting["n_read"].sum() == 0
    assert result.data_cut_date is None


def test_a_site_that_declares_no_treatments_is_validated_without_them(tmp_path: Path) -> None:
    extract = {"patients": CLEAN["patients"], "visits": CLEAN["visits"]}
    result = validated(tmp_path, extract, tables={"treatments": "none"})

    assert list(result.tables) == ["patients", "visits"]


CELLS = st.text(alphabet=string.ascii_letters[:4] + "P123-/.<> %é", max_size=6) | st.sampled_from(
    ["P1", "P2", "RA", "2020-01-01", "2020-02-01", "5", "12 mm/hr", "humira", "mtx", "crp", "mg/L"]
).map(lambda cell: cell.strip() or None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rows_read_are_valid_set_aside_or_duplicates_whatever_the_cells_hold(
    data: st.DataObject, tmp_path: Path
) -> None:
    site = site_of(tmp_path, data_cut_date=dt.date(2020, 1, 15))
    tables, found = {}, []
    for table in ("patients", "visits", "labs", "treatments"):
        names = list(COLUMNS[table])[:6]
        rows = data.draw(st.lists(st.tuples(*[st.none() | CELLS] * len(names)), max_size=6))
        cells = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
        cells = cells.with_row_index("source_row", offset=2).with_columns(pl.col("source_row").cast(pl.Int64))
        part = Part(TableSource(file="x.csv"), [cells.head(3), cells.slice(3)], "x.csv")
        rows, fixes = zip(*harmonise_table([part], table, site), strict=True)
        tables[table] = pl.concat(rows)
        found.extend(fixes)
    result = validate_extract(Harmonised(tables, findings.collect(found)), site, recognise_drugs)

    for table, read in tables.items():
        row = counts(result, table)
        assert row["n_read"] == read.height
        assert row["n_read"] == row["n_valid"] + row["n_quarantined"] + row["n_duplicate"]
        assert row["n_valid"] == result.tables[table].height
        aside = result.quarantine.filter(table=table, severity="row")["source_row"].n_unique()
        assert row["n_quarantined"] == aside


def test_the_same_extract_gives_the_same_findings_in_the_same_order(tmp_path: Path) -> None:
    extract = with_row("visits", "P1 | 2020-03-01 | 29 | x | | | 4 | maybe")
    first, second = (validated(tmp_path, extract).quarantine for _ in range(2))

    assert first.equals(second)
    assert first["column"].to_list() == ["haq_di", "problematic_to_patient", "sjc28", "tjc28"]


def test_what_the_mapping_says_of_a_site_stands_with_its_rows(tmp_path: Path) -> None:
    silent = validated(tmp_path / "silent", CLEAN).tables
    told = validated(
        tmp_path / "told", CLEAN, records_glucocorticoids=True, local_codes={"oa": "osteoarthritis"}
    ).tables

    assert silent["patients"]["records_glucocorticoids"].to_list() == [None, None]
    assert told["patients"]["records_glucocorticoids"].to_list() == [True, True]
    assert "local_concept" not in silent["diagnoses"].columns
    assert told["diagnoses"]["local_concept"].to_list() == [None, "osteoarthritis"]
    assert told["diagnoses"].columns[-1] == "source_row"
    concepts = diagnosis_concepts(told["diagnoses"]).select("patient_id", "concept").rows()
    assert concepts == [("P1", "fibromyalgia"), ("P2", "osteoarthritis")]


def test_a_local_code_of_no_concept_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"(?s)local_codes.*did you mean 'osteoarthritis'"):
        validated(tmp_path, CLEAN, local_codes={"oa": "osteoarthritus"})
