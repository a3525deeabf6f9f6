"""Every rule of the extract (specification 1, 'Nothing is lost'): each fault planted in an otherwise clean extract."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from d2tra.config import PROJECT, load_yaml
from d2tra.extract.site import REQUIRED_TABLES
from extracts import CLEAN, counts, reasons, validated, with_row

# table | row added | column | rule | severity | offending value; the row is the last one of its table
PLANTED = [
    line.split("  # ")[0]
    for line in """
patients ~ P 3 |  | RA | male | 1970 | | | ~ patient_id ~ broken_key ~ row ~ P 3
patients ~ É3 |  | RA | male | 1970 | | | ~ patient_id ~ broken_key ~ row ~ É3
patients ~  | 3 | RA | male | 1970 | | | ~ patient_id ~ missing_key ~ row ~
patients ~ P3 | 3 | OA | male | 1970 | | | ~ disease ~ broken_key ~ row ~ OA
patients ~ P3 | 3 |  | male | 1970 | | | ~ disease ~ missing_key ~ row ~
patients ~ P3 | 0 | RA | male | 1970 | | | ~ sequence ~ out_of_range ~ cell ~ 0
patients ~ P3 | 3.5 | RA | male | 1970 | | | ~ sequence ~ not_a_whole_number ~ cell ~ 3.5
patients ~ P3 | 3 | RA | F | 1970 | | | ~ sex ~ not_in_list ~ cell ~ F
patients ~ P3 | 3 | RA | male | 1899 | | | ~ birth_year ~ out_of_range ~ cell ~ 1899
patients ~ P3 | 3 | RA | male | 2021 | | | ~ birth_year ~ after_cut ~ cell ~ 2021
patients ~ P3 | 3 | RA | male | seventy | | | ~ birth_year ~ not_a_number ~ cell ~ seventy
patients ~ P3 | 3 | RA | male | 1970 | 31/12/2001 | | ~ symptom_onset_date ~ not_a_date ~ cell ~ 31/12/2001
patients ~ P3 | 3 | RA | male | 1970 | 2020-02-30 | | ~ symptom_onset_date ~ not_a_date ~ cell ~ 2020-02-30
patients ~ P3 | 3 | RA | male | 1970 | 2020-06-11 | | ~ symptom_onset_date ~ after_cut ~ cell ~ 2020-06-11
patients ~ P3 | 3 | RA | male | 1970 | | 2020-06-11 | ~ diagnosis_date ~ after_cut ~ cell ~ 2020-06-11
patients ~ P3 | 3 | RA | male | 1970 | 2011-01-02 | 2011-01-01 | ~ diagnosis_date ~ dates_out_of_order ~ row ~ 2011-01-01
patients ~ P3 | 3 | RA | male | 1970 | | | 2020-07 ~ death_month ~ after_cut ~ cell ~ 2020-07
patients ~ P3 | 3 | RA | male | 1970 | | | 2019-13 ~ death_month ~ not_a_date ~ cell ~ 2019-13
visits ~ P1 | 2020-03-01 | 29 | | | | | ~ tjc28 ~ out_of_range ~ cell ~ 29
visits ~ P1 | 2020-03-01 | -1 | | | | | ~ tjc28 ~ out_of_range ~ cell ~ -1
visits ~ P1 | 2020-03-01 | multiple | | | | | ~ tjc28 ~ not_a_number ~ cell ~ multiple
visits ~ P1 | 2020-03-01 | 3.5 | | | | | ~ tjc28 ~ not_a_whole_number ~ cell ~ 3.5
visits ~ P1 | 2020-03-01 | | | 100.1 | | | ~ patient_global_mm ~ out_of_range ~ cell ~ 100.1
visits ~ P1 | 2020-03-01 | | | 3,2 | | | ~ patient_global_mm ~ not_a_number ~ cell ~ 3,2
visits ~ P1 | 2020-03-01 | | | nan | | | ~ patient_global_mm ~ not_a_number ~ cell ~ nan
visits ~ P1 | 2020-03-01 | | | 1e999 | | | ~ patient_global_mm ~ not_a_number ~ cell ~ 1e999
visits ~ P1 | 2020-03-01 | | | | 200.5 | | ~ esr_mm_h ~ out_of_range ~ cell ~ 200.5
visits ~ P1 | 2020-03-01 | | | | <5 | | ~ esr_mm_h ~ not_a_number ~ cell ~ <5
visits ~ P1 | 2020-03-01 | | | | 12 mm/hr | | ~ esr_mm_h ~ own_unit ~ fix ~ 12 mm/hr
visits ~ P1 | 2020-03-01 | | | | 12 mg/L | | ~ esr_mm_h ~ not_a_number ~ cell ~ 12 mg/L
visits ~ P1 | 2020-03-01 | | | | | 3.125 | ~ haq_di ~ out_of_range ~ cell ~ 3.125
visits ~ P1 | 2020-03-01 | | | | | | maybe ~ problematic_to_patient ~ not_true_or_false ~ cell ~ maybe
visits ~ P1 | 01/03/2020 | | | | | | ~ visit_date ~ broken_key ~ row ~ 01/03/2020
visits ~ P1 | | 3 | | | | | ~ visit_date ~ missing_key ~ row ~
visits ~ P9 | 2020-03-01 | 3 | | | | | ~ patient_id ~ unknown_patient ~ row ~ P9
labs ~ P1 | 2020-01-09 | ldh | 5 | | ~ test ~ broken_key ~ row ~ ldh
labs ~ P1 | 2020-01-09 | crp | | mg/L | ~ value ~ missing_key ~ row ~
labs ~ P1 | 2020-01-09 | crp | 7 | | ~ unit ~ no_unit ~ row ~
labs ~ P1 | 2020-01-09 | crp | 7 | nmol/L | ~ unit ~ unknown_unit ~ row ~ nmol/L
labs ~ P1 | 2020-01-09 | esr | 7 | cm | ~ unit ~ unknown_unit ~ row ~ cm
labs ~ P1 | 2020-01-09 | esr | 201 | | ~ value ~ lab_out_of_range ~ row ~ 201
labs ~ P1 | 2020-01-09 | esr | -1 | | ~ value ~ lab_out_of_range ~ row ~ -1
labs ~ P1 | 2020-01-09 | crp | 601 | mg/L | ~ value ~ lab_out_of_range ~ row ~ 601
labs ~ P1 | 2020-01-09 | crp | 60.1 | mg/dL | ~ value ~ lab_out_of_range ~ row ~ 60.1
labs ~ P1 | 2020-01-09 | esr | haemolysed | | ~ value ~ no_result ~ cell ~ haemolysed
labs ~ P1 | 2020-01-09 | esr | 12 mm/hr | | ~ value ~ own_unit ~ fix ~ 12 mm/hr
labs ~ P1 | 2020-01-09 | rf | borderline | | ~ value ~ no_result ~ cell ~ borderline
labs ~ P1 | 2020-01-09 | rf | 14 | IU/mL | high ~ upper_limit ~ not_a_number ~ cell ~ high
treatments ~ P1 | adalimumumab | | 2013-01-01 | | | ~ drug ~ unknown_drug ~ row ~ adalimumumab
treatments ~ P1 | | | 2013-01-01 | | | ~ drug ~ missing_key ~ row ~
treatments ~ P1 | MTX/SSZ | | 2013-01-01 | | | ~ drug ~ two_drugs ~ row ~ MTX/SSZ
treatments ~ P1 | sulfadiazine | | 2013-01-01 | | | ~ drug ~ look_alike_drug ~ row ~ sulfadiazine
treatments ~ P1 | methotrexate | L04AB04 | 2013-01-01 | | | ~ drug ~ drug_and_code_differ ~ row ~ methotrexate
treatments ~ P1 | methotrexate | | | | | ~ start_date ~ missing_key ~ row ~
treatments ~ P1 | methotrexate | | 2013-02-01 | 2013-01-31 | | ~ stop_date ~ dates_out_of_order ~ row ~ 2013-01-31
treatments ~ P1 | methotrexate | | 2013-02-01 | ongoing | | ~ stop_date ~ broken_key ~ row ~ ongoing
treatments ~ P1 | methotrexate | | 2013-02-01 | 2013-05-01 | SE | ~ stop_reason ~ not_in_list ~ cell ~ SE
treatments ~ P1 | prednisolone | | 2013-02-01 | | | reducing ~ daily_dose_mg ~ not_a_number ~ cell ~ reducing
diagnoses ~ P1 | someday | icd10 | M05 | ~ recorded_date ~ not_a_date ~ cell ~ someday
diagnoses ~ P1 | | icd9 | M05 | ~ code_system ~ broken_key ~ row ~ icd9
diagnoses ~ P1 | | icd10 | | RA ~ code ~ missing_key ~ row ~
imaging ~ P1 | 2020-01-10 | ct | osteitis | 1 | ~ modality ~ broken_key ~ row ~ ct
imaging ~ P1 | 2020-01-10 | xray | osteitis | 1 | ~ modality ~ wrong_modality ~ row ~ xray
imaging ~ P1 | 2020-01-10 | mri | osteitis | 2 | ~ value ~ imaging_out_of_range ~ row ~ 2.0
imaging ~ P1 | 2020-01-10 | mri | oedema | 1 | ~ measure ~ broken_key ~ row ~ oedema
imaging ~ P1 | 2020-01-10 | ultrasound | grey_scale_grade | 4 | ~ value ~ imaging_out_of_range ~ row ~ 4.0
imaging ~ P1 | 2020-01-10 | xray | sharp_van_der_heijde | 449 | ~ value ~ imaging_out_of_range ~ row ~ 449.0
imaging ~ P1 | | xray | sharp_van_der_heijde | 12 | ~ imaging_date ~ missing_key ~ row ~
imaging ~ P1 | 2020-01-10 | xray | sharp_van_der_heijde | dozen | ~ value ~ broken_key ~ row ~ dozen
biomarkers ~ P1 | 2020-01-09 | interferon_signatur | high | ~ marker ~ unknown_marker ~ row ~ interferon_signatur
biomarkers ~ P1 | 2020-01-09 | sicam1_cxcl13_ratio | 2.4 | ng/mL ~ unit ~ wrong_marker_unit ~ row ~ ng/mL
biomarkers ~ P1 | 2020-01-09 | interferon_signature | medium | ~ value ~ biomarker_out_of_range ~ row ~ medium
""".strip().splitlines()
]
# accepted: values on the edge, and ways to write them
ACCEPTED = """
patients ~ P-3_x | 3 | PsA | other | 1900 | 2010-01-01 | 2010-01-01 | 2020-06
patients ~ P3 |  | RA | | 2020 | | 2020-06-10 |
visits ~ P1 | 2020-03-01 | 28 | 0 | 0 | 0 | 0 | NO
visits ~ P1 | 2020-03-01 | 3.0 | 28 | 100 | 200 | 3 | 0
visits ~ P1 | 2020-03-01 | | | 1e1 | .5 | 1. | TRUE
labs ~ P1 | 2020-06-10 | crp | 60 | MG / dl |
labs ~ P1 | 2020-06-10 | crp | >600 | mg/L |
labs ~ P1 | 2020-06-10 | esr | 0 | mm |
labs ~ P1 | 2020-06-10 | esr | 200 | MM/HR |
labs ~ P1 | 2020-06-10 | rf | Weak positive | |
labs ~ P1 | 2020-06-10 | rf | 4000 | kU/L | 14
treatments ~ P1 | adalimumab (Amgevita) 40 mg s/c pen | | 2013-01-01 | 2030-01-01 | remission |
treatments ~ P1 | study drug 7 | L04AB04 | 2013-01-01 | 2013-01-01 | |
diagnoses ~ P1 | 2020-06-10 | snomed | 69896004 |
imaging ~ P1 | 2020-06-10 | mri | synovitis | 0 |
imaging ~ P1 | 2020-06-10 | xray | sharp_van_der_heijde | 448 |
imaging ~ P1 | 2020-06-10 | ultrasound | power_doppler_grade | 3.0 |
""".strip().splitlines()


def _planted(table: str, row: str) -> dict[str, str]:
    width = CLEAN[table].strip().splitlines()[0].count("|")
    extract = with_row(table, row + " | " * (width - row.count("|")))
    return {name: extract[name] for name in {**dict.fromkeys(REQUIRED_TABLES), table: None}}


def _pieces(line: str) -> list[str]:
    return [piece.strip() for piece in re.split(r" ~(?: |$)", line.strip())]


@pytest.mark.parametrize("line", PLANTED)
def test_a_planted_fault_is_found_with_the_severity_promised(line: str, tmp_path: Path) -> None:
    table, row, column, rule, severity, value = _pieces(line)
    n_clean = len(CLEAN[table].strip().splitlines()) - 1
    result = validated(tmp_path, _planted(table, row))

    assert reasons(result) == [(table, n_clean + 2, column, rule, severity, value or None)]
    n_aside = int(severity == "row")
    assert counts(result, table) == {
        "n_read": n_clean + 1,
        "n_valid": n_clean + 1 - n_aside,
        "n_quarantined": n_aside,
        "n_duplicate": 0,
        "n_orphaned": 0,
        "n_cells_set_aside": int(severity == "cell"),
        "n_cells_fixed": int(severity == "fix"),
    }
    if severity == "cell" and rule != "no_result":  # a result that is none keeps its text and has no number
        row_valid = result.tables[table].filter(pl.col("source_row") == n_clean + 2)
        assert row_valid[column].to_list() == [None]


@pytest.mark.parametrize("line", ACCEPTED)
def test_values_on_the_edge_and_other_spellings_are_valid(line: str, tmp_path: Path) -> None:
    table, row = _pieces(line)
    result = validated(tmp_path, _planted(table, row))

    assert reasons(result) == []
    assert counts(result, table)["n_valid"] == len(CLEAN[table].strip().splitlines())


def test_a_clean_extract_has_no_finding(tmp_path: Path) -> None:
    result = validated(tmp_path, CLEAN)

    assert result.quarantine.is_empty()
    assert (result.accounting["n_read"] == result.accounting["n_valid"]).all()


def test_every_rule_of_the_config_is_planted_somewhere() -> None:
    planted_here = {_pieces(line)[3] for line in PLANTED}
    planted_alone = {
        "declared_missing", "packed_cells_disagree",  # test_mapping.py
        "repeated_key", "orphan", "sequence_twice", "row_after_cut",  # test_validate.py
        "decimal_comma", "mixed_decimal_marks", "other_date_format", "placeholder_date", "partial_date", "result_word",
        "patient_id_as_number", "patient_id_lost_zeros", "words_not_translated", "weekly_drug_daily", "damaged_code",  # test_traps.py
    }  # fmt: skip
    stated = set(load_yaml(PROJECT / "config" / "quality.yaml")["rules"])

    assert planted_here | planted_alone == stated
    assert not planted_here & planted_alone


def test_every_finding_says_how_to_mend_it(tmp_path: Path) -> None:
    result = validated(tmp_path, _planted("visits", "P1 | 2020-03-01 | 29"))

    assert result.quarantine["message"].item() == (
        "tjc28 takes a whole number from 0 to 28; correct the cell, or declare the unit it is recorded in."
    )
