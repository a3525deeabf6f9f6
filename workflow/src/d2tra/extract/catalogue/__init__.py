"""The catalogue of data-quality checks: conformance, completeness and plausibility of every column (Kahn 2016)."""

from d2tra.extract.catalogue.facts import Facts
from d2tra.extract.catalogue.plan import Check, load_catalogue
from d2tra.extract.catalogue.run import (
    CHECKS,
    STATUSES,
    catalogue_findings,
    filled_cells,
    run_catalogue,
    same_patients,
)

__all__ = [
    "CHECKS",
    "STATUSES",
    "Check",
    "Facts",
    "catalogue_findings",
    "filled_cells",
    "load_catalogue",
    "run_catalogue",
    "same_patients",
]
