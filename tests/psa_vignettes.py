"""Many patients in one call: each is judged on 2022-01-01 (365 days earlier: 2021-01-01) and has only the records named."""

import datetime as dt

import polars as pl

from d2tra.definitions import label, load_definition

JUDGED_ON = dt.date(2022, 1, 1)
DRUG_COLUMNS = ("drug", "start_date", "stop_date", "stop_reason")


def patient(*drugs, disease="PsA", contraindicated=None, earlier=None, images=(), codes=(), **visit):
    """One patient. `drugs`: "adalimumab 2016-01-01 2017-01-01 inefficacy", a missing word is `-`. `earlier`: date → what
    was recorded at that visit; other keywords: what is recorded on 2022-01-01. `images`: "2021-06-01 mri osteitis 1".
    `codes`: "2020-01-01 M79.7" (ICD-10)."""
    visits = [{"visit_date": dt.date.fromisoformat(day), **values} for day, values in (earlier or {}).items()]
    return {
        "patients": [{"disease": disease, "csdmard_contraindicated": contraindicated}],
        "visits": [*visits, {"visit_date": JUDGED_ON, **visit}],
        "treatments": [_row(DRUG_COLUMNS, drug.rsplit(maxsplit=3)) for drug in drugs],
        "imaging": [
            _row(("imaging_date", "modality", "measure", "value"), image.split()) for image in images
        ],
        "diagnoses": [{**_row(("recorded_date", "code"), code.split()), "code_system": "icd10"} for code in codes],
    }  # fmt: skip


def judge_all(definition, patients, study=None, without=()):
    """Name → verdicts (`status`, and each criterion's) of all patients; `without`: tables that the extract lacks."""
    labels, evidence = _label(definition, patients, study, without)
    verdicts = {name: {"status": status} for name, status in labels.select("patient_id", "status").rows()}
    for name, criterion, met in evidence.select("patient_id", "criterion", "met").rows():
        verdicts[name][criterion] = met
    return verdicts


def reasons_of(definition, patients, study=None, without=()):
    """(name, criterion) → sentence."""
    evidence = _label(definition, patients, study, without).evidence
    return {(name, criterion): why for name, criterion, why in evidence.select("patient_id", "criterion", "reason").rows()}  # fmt: skip


def extract_of(patients, without=()):
    """The canonical tables of all patients; a table without rows is absent."""
    extract = {}
    for table in ("patients", "visits", "treatments", "imaging", "diagnoses"):
        rows = [{"patient_id": name, **row} for name, given in patients.items() for row in given[table]]
        if table not in without and rows:
            extract[table] = pl.from_dicts(rows, infer_schema_length=None)
    return extract


def _label(definition, patients, study, without):
    return label(extract_of(patients, without), load_definition(definition), study)


def _row(columns, words):
    return {name: _typed(word) for name, word in zip(columns, words, strict=False)}


def _typed(word):
    if word == "-":
        return None
    try:
        return dt.date.fromisoformat(word)
    except ValueError:
        return float(word) if word.replace(".", "").isdigit() else word
