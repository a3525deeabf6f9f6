"""Definitions as data, judged at every visit: labels, and the records that decided them."""

from d2tra.definitions.audit import audit_counts
from d2tra.definitions.definition import Definition, definition_files, load_definition
from d2tra.definitions.evidence import why
from d2tra.definitions.label import POLICIES, Labelled, label, label_patients, label_visits, status_by_policy
from d2tra.definitions.persistence import persistence
from d2tra.definitions.site import judge_site, tells_of_glucocorticoids, visit_columns

__all__ = [
    "POLICIES",
    "Definition",
    "Labelled",
    "audit_counts",
    "definition_files",
    "judge_site",
    "label",
    "label_patients",
    "label_visits",
    "load_definition",
    "persistence",
    "status_by_policy",
    "tells_of_glucocorticoids",
    "visit_columns",
    "why",
]
