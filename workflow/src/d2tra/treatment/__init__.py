"""From drug names to molecules, and from prescription rows to drug courses with an outcome."""

from d2tra.treatment.courses import outcome_at, trace_courses
from d2tra.treatment.drug_names import recognise_drugs

__all__ = ["outcome_at", "recognise_drugs", "trace_courses"]
