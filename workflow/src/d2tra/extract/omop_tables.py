"""The OMOP Common Data Model 5.4 as far as it is read: which tables, which of their columns, and how the screen sees them.

Source of the names: OHDSI CommonDataModel, field level definitions of version 5.4. A column that is not listed here
(birth_datetime, person_source_value, sig, note texts …) is never read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from d2tra.errors import StudyError, nearest


@dataclass(frozen=True)
class CdmTable:
    """The columns of a CDM table that are read: those that must be there, and those that may."""

    needed: tuple[str, ...]
    other: tuple[str, ...] = ()
    required: bool = False

    def among(self, named: Iterable[str], where: str) -> dict[str, str]:
        """Returns ours → theirs (any case) of the columns that are there; StudyError where a needed one is missing."""
        theirs = {name.casefold(): name for name in named}
        missing = [name for name in self.needed if name not in theirs]
        if missing:
            said = "; ".join(f"{name!r}{nearest(name, theirs)}" for name in missing)
            raise StudyError(f"{where}: required column is missing: {said}")
        return {name: theirs[name] for name in (*self.needed, *self.other) if name in theirs}


CDM: dict[str, CdmTable] = {
    "person": CdmTable(
        ("person_id", "gender_concept_id", "year_of_birth"),
        ("race_concept_id", "gender_source_value", "gender_source_concept_id", "race_source_value",
         "race_source_concept_id"),
        required=True,
    ),
    "condition_occurrence": CdmTable(
        ("person_id", "condition_concept_id", "condition_start_date"),
        ("condition_source_value", "condition_source_concept_id"),
        required=True,
    ),
    "drug_exposure": CdmTable(
        ("person_id", "drug_concept_id", "drug_exposure_start_date"),
        ("drug_exposure_end_date", "verbatim_end_date", "stop_reason", "quantity", "days_supply", "drug_source_value",
         "drug_source_concept_id"),
    ),
    "drug_era": CdmTable(("person_id", "drug_concept_id", "drug_era_start_date", "drug_era_end_date")),
    "measurement": CdmTable(
        ("person_id", "measurement_concept_id", "measurement_date"),
        ("operator_concept_id", "value_as_number", "value_as_concept_id", "unit_concept_id", "range_high",
         "measurement_source_value", "measurement_source_concept_id", "unit_source_value", "value_source_value"),
    ),
    "observation": CdmTable(
        ("person_id", "observation_concept_id", "observation_date"),
        ("value_as_number", "value_as_string", "value_as_concept_id", "unit_concept_id", "observation_source_value",
         "observation_source_concept_id", "unit_source_value", "value_source_value"),
    ),
    "visit_occurrence": CdmTable(("person_id", "visit_start_date")),
    "death": CdmTable(("person_id", "death_date")),
    "observation_period": CdmTable(("person_id", "observation_period_end_date")),
    "concept": CdmTable(("concept_id", "concept_name", "vocabulary_id", "concept_code")),
    "concept_ancestor": CdmTable(("ancestor_concept_id", "descendant_concept_id")),
    "drug_strength": CdmTable(("drug_concept_id", "amount_value", "amount_unit_concept_id")),
}  # fmt: skip

# the vocabulary, which tells of concepts and not of patients, by the column that a concept of a patient's row is looked up in
VOCABULARY = {
    "concept": "concept_id",
    "concept_ancestor": "descendant_concept_id",
    "drug_strength": "drug_concept_id",
}

# canonical table → tables of the CDM whose cells the screen judges like its own; their column → the canonical one it is like
SCREENED_AS: dict[str, dict[str, dict[str, str]]] = {
    "patients": {
        "person": {"person_id": "patient_id", "year_of_birth": "birth_year"},
        "death": {"person_id": "patient_id"},
        "observation_period": {"person_id": "patient_id", "observation_period_end_date": "last_contact_date"},
    },
    "visits": {
        "visit_occurrence": {"person_id": "patient_id", "visit_start_date": "visit_date"},
        "observation": {"person_id": "patient_id", "observation_date": "visit_date"},
    },
    "labs": {"measurement": {"person_id": "patient_id", "measurement_date": "sample_date"}},
    "treatments": {
        "drug_exposure": {
            "person_id": "patient_id", "drug_exposure_start_date": "start_date", "drug_exposure_end_date": "stop_date",
            "verbatim_end_date": "stop_date", "stop_reason": "stop_reason", "drug_source_value": "drug",
        },
        "drug_era": {
            "person_id": "patient_id", "drug_era_start_date": "start_date", "drug_era_end_date": "stop_date",
        },
    },
    "diagnoses": {
        "condition_occurrence": {
            "person_id": "patient_id", "condition_start_date": "recorded_date", "condition_source_value": "term",
        },
    },
}  # fmt: skip
