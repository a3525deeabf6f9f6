"""Tables of the OMOP CDM become canonical tables, and every row of them is accounted for."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import omop_database as omop
import psa_vignettes
from d2tra.definitions import label, load_definition
from d2tra.errors import StudyError
from d2tra.extract.fetch import fetch_extract
from d2tra.extract.mapping import harmonise
from d2tra.extract.omop import Shaped, shape_tables
from d2tra.extract.omop_records import ALONE
from d2tra.extract.schemas import COLUMNS, complete
from d2tra.extract.site import SiteMapping
from d2tra.extract.validate import Validated, validate_extract
from d2tra.treatment import recognise_drugs
from omop_patients import STATUSES, write_known_patients

SYNTHEA = Path(__file__).parents[3] / "shared" / "data" / "omop" / "Synthea27Nj_5.4.zip"
NO_PLACE = {"treatments": ["adherence"]}  # in the CDM


def site(source: object = "ward", **declared: object) -> SiteMapping:
    section = {"name": "ward", "path": "ward.yaml", "source": str(source), "format": "omop", **declared}
    return SiteMapping.model_validate(section)


def shaped(cdm: dict[str, omop.Rows], **declared: object) -> Shaped:
    frames = {table: omop.frame(table, rows).lazy() for table, rows in cdm.items()}
    return shape_tables(frames, site(**declared), recognise_drugs)


def with_rows(table: str, *rows: dict[str, Any]) -> dict[str, omop.Rows]:
    """The CDM of two patients, 1 with RA and 2 with PsA, and these rows of one table."""
    patients = pl.DataFrame(
        {"patient_id": ["1", "2"], "disease": ["RA", "PsA"], "diagnosis_date": dt.date(2010, 1, 1)}
    )
    cdm = omop.cdm_of({"patients": patients})
    numbered = [{f"{table}_id": number} | row for number, row in enumerate(rows, start=100)]
    cdm[table] = cdm[table] + [omop.filled(table, row) for row in numbered]
    return cdm


def measured(
    value: float | None = None, person: int = 1, day: str = "2020-01-02", **told: Any
) -> dict[str, Any]:
    return {"person_id": person, "measurement_date": day, "value_as_number": value, **told}


def fates(result: Shaped, table: str) -> dict[str, int]:
    return dict(result.accounting.filter(cdm_table=table).select("became", "n_rows").rows())


def rows_of(result: Shaped, table: str, *columns: str) -> list[tuple[Any, ...]]:
    return result.tables[table].select(columns).rows()


# --- there and back -------------------------------------------------------------------------------------------------

days = st.dates(dt.date(2011, 1, 1), dt.date(2023, 12, 31))
some = lambda values: st.none() | values  # noqa: E731
lab_values = st.sampled_from([("crp", "<5", "mg/L"), ("crp", "12.5", "mg/dL"), ("esr", "34", "mm/h"), ("rf", "positive", None),
                              ("anti_ccp", ">340", "U/mL"), ("rf", "weak positive", None), ("esr", "haemolysed", None)])  # fmt: skip
codes = st.sampled_from([("icd10", "M79.7", "Fibromyalgia"), ("icd10", "I50", None), ("snomed", "203082005", "Fibromyalgia"),
                         ("omop", "80180", "Osteoarthritis"), ("local", "FM1", None), ("read2", "N239.", None)])  # fmt: skip
drugs = st.sampled_from(
    [("Humira 40 mg", None), ("methotrexate", "L04AX03"), ("prednisolone", None), ("MabThera", None)]
)
patients = st.fixed_dictionaries(
    {
        "disease": st.sampled_from(["RA", "PsA"]), "sex": some(st.sampled_from(["female", "male", "other", "unknown"])),
        "birth_year": st.integers(1930, 2000), "ethnicity": some(st.sampled_from(COLUMNS["patients"]["ethnicity"].allowed)),
        "smoking_status": some(st.sampled_from(["never", "former", "current"])), "imd_quintile": some(st.integers(1, 5)),
        "symptom_onset_date": some(st.dates(dt.date(1990, 1, 1), dt.date(2000, 1, 1))),
        "diagnosis_date": st.dates(dt.date(2000, 1, 2), dt.date(2010, 12, 31)), "csdmard_contraindicated": some(st.booleans()),
        "last_contact_date": some(days), "death_month": some(st.sampled_from(["2023-01", "2024-12"])),
    }
)  # fmt: skip
visits = st.dictionaries(
    days,
    st.fixed_dictionaries(
        {"tjc28": st.integers(0, 28)},
        optional={
            "sjc28": st.integers(0, 28), "patient_global_mm": st.integers(0, 1000).map(lambda n: n / 10),
            "haq_di": st.integers(0, 24).map(lambda n: n / 8), "weight_kg": st.integers(40, 120).map(float),
            "problematic_to_patient": st.booleans(), "recorded_das28_form": st.sampled_from(["esr4", "crp3"]),
            "haq_walking": st.integers(0, 3), "haq_walking_aid": st.booleans(), "esr_mm_h": st.integers(1, 120).map(float),
            "crp_mg_l": st.integers(0, 900).map(lambda n: n / 10),
        },
    ),
    max_size=3,
)  # fmt: skip
records = st.tuples(
    patients, visits, st.lists(st.tuples(days, lab_values, some(st.sampled_from([5.0, 14.5]))), max_size=3),
    st.lists(st.tuples(days, drugs, some(days), some(st.sampled_from(COLUMNS["treatments"]["stop_reason"].allowed)),
                       some(st.sampled_from([2.5, 7.5]))), max_size=3),
    st.lists(st.tuples(days, codes), max_size=3),
)  # fmt: skip


def tables_of(people: list[tuple[Any, ...]]) -> dict[str, pl.DataFrame]:
    """Canonical tables; the disease of each patient is a diagnosis too, for in the CDM it stands nowhere else."""
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("patients", "visits", "labs", "treatments", "diagnoses")
    }
    for number, (person, seen, tested, taken, coded) in enumerate(people, start=1):
        who = {"patient_id": str(number)}
        tables["patients"].append(who | person)
        tables["visits"] += [who | {"visit_date": day} | values for day, values in seen.items()]
        tables["labs"] += [
            who | {"sample_date": day, "test": test, "value": value, "unit": unit, "upper_limit": limit}
            for day, (test, value, unit), limit in tested
        ]
        tables["treatments"] += [
            who
            | {
                "drug": drug,
                "atc_code": atc,
                "start_date": start,
                "stop_date": stop,
                "stop_reason": why,
                "daily_dose_mg": dose,
            }
            for start, (drug, atc), stop, why, dose in taken
        ]
        tables["diagnoses"] += [
            who | {"recorded_date": day, "code_system": system, "code": code, "term": term}
            for day, (system, code, term) in coded
        ]
    return {
        name: complete(pl.DataFrame(rows, schema={c.name: c.dtype for c in COLUMNS[name].values()}), name)
        for name, rows in tables.items()
    }


def of_disease(extract: dict[str, pl.DataFrame]) -> pl.DataFrame:
    concepts = {disease: str(concept) for disease, concept in omop.DISEASE_CONCEPTS.items()}
    return extract["patients"].select(
        "patient_id", recorded_date="diagnosis_date", code_system=pl.lit("omop"),
        code=pl.col("disease").replace_strict(concepts), term=pl.lit(None, dtype=pl.String),
    )  # fmt: skip


@settings(
    max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)
@given(st.lists(records, min_size=1, max_size=6))
def test_canonical_tables_come_back_from_the_cdm_as_they_went_in(people: list[tuple[Any, ...]]) -> None:
    extract = tables_of(people)
    cdm = omop.cdm_of(extract)
    result = shaped(cdm)
    extract["diagnoses"] = pl.concat(
        [of_disease(extract), extract["diagnoses"].select(*COLUMNS["diagnoses"])]
    )
    for table, rows in extract.items():
        columns = [name for name in COLUMNS[table] if name not in NO_PLACE.get(table, [])]
        wanted, found = (
            complete(each, table).select(columns).sort(columns) for each in (rows, result.tables[table])
        )
        assert found.to_dicts() == wanted.to_dicts(), table
    read = {table: len(rows) for table, rows in cdm.items() if "person_id" in FIELDS_OF[table] and rows}
    assert dict(result.accounting.group_by("cdm_table").agg(pl.col("n_rows").sum()).rows()) == read


FIELDS_OF = {
    table: omop.FIELDS.filter(table=table)["field"].to_list() for table in omop.FIELDS["table"].unique()
}


# --- known labels ---------------------------------------------------------------------------------------------------


def validated(mapping: SiteMapping, folder: Path) -> Validated:
    fetch_extract(mapping, folder, recognise_drugs)
    return validate_extract(harmonise(mapping.fetched_in(folder)), mapping, recognise_drugs)


def test_patients_in_an_omop_database_get_the_labels_that_are_known_of_them(tmp_path: Path) -> None:
    database = write_known_patients(tmp_path / "ward.duckdb")
    mapping = site(database, schema="cdm", data_cut_date=psa_vignettes.JUDGED_ON)
    found = validated(mapping, tmp_path / "fetched")
    assert found.quarantine.is_empty()
    labels = label(found.tables, load_definition("eular_2021")).labels
    assert dict(labels.select("patient_id", "status").rows()) == STATUSES


# --- what becomes of a row ------------------------------------------------------------------------------------------


def test_a_standard_concept_a_source_concept_and_a_source_value_all_tell_what_was_measured() -> None:
    cdm = with_rows(
        "measurement",
        measured(61, measurement_concept_id=3025315, measurement_source_value="wt"),
        measured(12, measurement_concept_id=99, measurement_source_concept_id=3020460, unit_concept_id=8751),
        measured(13, measurement_source_value="1988-5", unit_source_value="mg/L"),
        measured(14, measurement_concept_id=777, unit_source_value="mg/L"),
        measured(3, measurement_source_value="TJC28"),
    )
    cdm["concept"].append(
        {"concept_id": 777, "vocabulary_id": "LOINC", "concept_code": "30522-7", "concept_name": "hs-CRP"}
        | dict.fromkeys(
            [
                "domain_id",
                "concept_class_id",
                "standard_concept",
                "valid_start_date",
                "valid_end_date",
                "invalid_reason",
            ]
        )
    )
    result = shaped(cdm)
    assert rows_of(result, "labs", "test", "value", "unit") == [
        ("crp", value, "mg/L") for value in ("12", "13", "14")
    ]
    assert rows_of(result, "visits", "tjc28", "weight_kg") == [("3", "61")]


def test_values_are_converted_by_their_own_unit_and_an_unknown_unit_is_left_out_and_listed() -> None:
    day = iter(f"2020-01-{n:02d}" for n in range(1, 9))
    told = [{"unit_source_value": "cm"}, {"unit_concept_id": 8588}, {}, {"unit_source_value": "furlong"}]
    rows = [
        measured(5.5, day=next(day), measurement_source_value="patient_global_mm", **each) for each in told
    ]
    result = shaped(with_rows("measurement", *rows))
    assert [value for _, value in rows_of(result, "visits", "visit_date", "patient_global_mm")] == [
        "55",
        "5.5",
        "5.5",
    ]
    assert fates(result, "measurement") == {"visits": 3, "unit is not understood": 1}
    assert result.unknown.select("column", "source_value", "n_rows", "n_persons").rows() == [
        ("unit", "furlong", 1, 1)
    ]


def test_two_values_of_one_day_are_both_left_out_and_one_said_twice_counts_once() -> None:
    rows = [measured(value, measurement_source_value=name) for name, value in (("tjc28", 4), ("tjc28", 5), ("sjc28", 2), ("sjc28", 2))]  # fmt: skip
    result = shaped(with_rows("measurement", *rows))
    assert result.tables["visits"].rows() == [("1", "2020-01-02", "2")]
    assert fates(result, "measurement") == {
        "another value of the same day contradicts it": 2, "the same value of the same day once more": 1, "visits": 1,
    }  # fmt: skip


def test_weight_alone_is_no_clinic_assessment() -> None:
    rows = [
        measured(60, measurement_concept_id=3025315),
        measured(61, day="2020-02-02", measurement_concept_id=3025315),
    ]
    result = shaped(with_rows("measurement", *rows, measured(1, measurement_source_value="sjc28")))
    assert rows_of(result, "visits", "visit_date", "weight_kg") == [("2020-01-02", "60")]
    assert fates(result, "measurement")[ALONE] == 1


def test_what_is_not_listed_is_counted_and_named_with_its_rows_and_persons() -> None:
    rows = [measured(1, person, measurement_concept_id=3004249) for person in (1, 2, 2)]
    result = shaped(with_rows("measurement", *rows, measured(1, 77, measurement_concept_id=3004249)))
    assert fates(result, "measurement") == {
        "concept and source value are not in omop.csv": 3,
        "of nobody in table person": 1,
    }
    assert result.unknown.select("concept_id", "n_rows", "n_persons").rows() == [("3004249", 3, 2)]


def test_a_rheumatoid_factor_with_a_word_and_no_limit_keeps_the_word() -> None:
    told = {"measurement_source_value": "rf", "value_as_concept_id": 9191}
    cdm = with_rows("measurement", measured(34, **told), measured(35, **told, range_high=14))
    assert sorted(rows_of(shaped(cdm), "labs", "value", "upper_limit")) == [("35", "14"), ("positive", None)]
    assert sorted(rows_of(shaped(cdm, upper_limits={"rf": 14}), "labs", "value")) == [("34",), ("35",)]


def exposed(
    source: str | None, concept: int = 0, start: str = "2020-01-01", end: str = "2020-01-01", **told: Any
) -> dict[str, Any]:
    return {"person_id": 1, "drug_exposure_start_date": start, "drug_exposure_end_date": end, "drug_concept_id": concept,
            "drug_source_value": source, **told}  # fmt: skip


def test_a_drug_is_known_by_its_text_its_ingredient_or_a_concept_below_it_and_two_drugs_are_none() -> None:
    cdm = with_rows("drug_exposure", exposed("Enbrel"), exposed("x1", 1119119), exposed(None, 555), exposed("Enbrel", 1119119), exposed("paracetamol"))  # fmt: skip
    cdm["concept_ancestor"] = [{"ancestor_concept_id": 937368, "descendant_concept_id": 555, "min_levels_of_separation": 1, "max_levels_of_separation": 2}]  # fmt: skip
    result = shaped(cdm)
    assert rows_of(result, "treatments", "drug") == [("Enbrel",), ("adalimumab",), ("infliximab",)]
    assert fates(result, "drug_exposure") == {
        "concept and source value name two drugs": 1, "no drug of dmards.csv": 1, "treatments": 3,
    }  # fmt: skip


def test_an_end_on_the_day_of_the_start_is_no_end_unless_the_source_said_so() -> None:
    rows = [
        exposed("Enbrel"),
        exposed("Humira", end="2021-01-01"),
        exposed("MabThera", verbatim_end_date="2020-01-01"),
    ]
    result = shaped(with_rows("drug_exposure", *rows))
    assert rows_of(result, "treatments", "drug", "stop_date") == [
        ("Enbrel", None), ("Humira", "2021-01-01"), ("MabThera", "2020-01-01"),
    ]  # fmt: skip


def test_eras_serve_where_there_are_no_exposures() -> None:
    cdm = with_rows("drug_era", {"person_id": 1, "drug_concept_id": 1119119, "drug_era_start_date": "2020-01-01",
                                 "drug_era_end_date": "2020-06-01", "drug_exposure_count": 3, "gap_days": 0})  # fmt: skip
    assert rows_of(shaped(cdm), "treatments", "drug", "stop_date") == [("adalimumab", "2020-06-01")]
    cdm["drug_exposure"] = with_rows("drug_exposure", exposed("Enbrel"))["drug_exposure"]
    both = shaped(cdm)
    assert rows_of(both, "treatments", "drug") == [("Enbrel",)]
    assert fates(both, "drug_era") == {"made of drug_exposure, which is read": 1}


def test_the_disease_recorded_on_more_days_is_the_patients_since_its_first_day() -> None:
    twice = [
        {"person_id": 1, "condition_concept_id": 81931, "condition_start_date": day}
        for day in ("2012-01-01", "2013-01-01")
    ]
    result = shaped(with_rows("condition_occurrence", *twice))
    assert rows_of(result, "patients", "disease", "diagnosis_date") == [
        ("PsA", "2012-01-01"),
        ("PsA", "2010-01-01"),
    ]


@pytest.mark.skipif(not SYNTHEA.is_file(), reason="the Synthea data set is not part of the project")
def test_a_cdm_without_a_patient_of_ours_says_that_the_cohort_is_empty(tmp_path: Path) -> None:
    import zipfile

    zipfile.ZipFile(SYNTHEA).extractall(tmp_path / "cdm")
    with pytest.raises(StudyError, match="cohort is empty: none of the 28 persons"):
        fetch_extract(site(tmp_path / "cdm"), tmp_path / "fetched", recognise_drugs)
    assert not (tmp_path / "fetched").exists()


def test_identifiers_among_the_cells_that_are_read_stop_it_and_dates_of_birth_are_not_read(
    tmp_path: Path,
) -> None:
    clean = with_rows("measurement", measured(3, measurement_source_value="tjc28"))
    fetched = fetch_extract(
        site(omop.write_files(clean, tmp_path / "clean")), tmp_path / "fetched", recognise_drugs
    )
    assert fetched["files"]["patients.parquet"]["rows"] == 2
    assert "1960-02-03" not in str(
        [pl.read_parquet(path).rows() for path in (tmp_path / "fetched").glob("*.parquet")]
    )
    odd = with_rows(
        "measurement", measured(3, measurement_source_value="tjc28", measurement_concept_id="943 476 5919")
    )
    with pytest.raises(StudyError, match="OMOP measurement, column 'measurement_concept_id': NHS number"):
        fetch_extract(site(omop.write_files(odd, tmp_path / "odd")), tmp_path / "never", recognise_drugs)
    told = with_rows("observation", {"person_id": 1, "observation_date": "2020-01-01", "observation_source_value": "note", "value_as_string": "ask 943 476 5919"})  # fmt: skip
    with pytest.raises(StudyError, match="OMOP observation, column 'value_as_string': NHS number"):
        fetch_extract(
            site(omop.write_files(told, tmp_path / "told", str.lower)), tmp_path / "never", recognise_drugs
        )
    assert not (tmp_path / "never").exists()
