"""Tables of results: each module makes one, as cells; `TABLES` lists them in the order of a report."""

from __future__ import annotations

from collections.abc import Callable

from d2tra.errors import StudyError, nearest
from d2tra.tables.agreement import agreement, definition_overlap
from d2tra.tables.cdai_v_das28_crp import cdai_v_das28_crp
from d2tra.tables.criteria_overlap import criteria_overlap
from d2tra.tables.d2t_characteristics import d2t_characteristics
from d2tra.tables.das28_components import das28_components
from d2tra.tables.data_quality import data_quality, rows_accounted
from d2tra.tables.drug_history import drug_history_by_severity
from d2tra.tables.flow import selection_flow
from d2tra.tables.missingness import missingness
from d2tra.tables.nice_pathway import nice_pathway
from d2tra.tables.odds_ratios import odds_ratios
from d2tra.tables.odds_ratios_by_cohort import odds_ratios_by_cohort
from d2tra.tables.persistence import persistence
from d2tra.tables.prevalence import prevalence, prevalence_by_cohort, prevalence_by_policy
from d2tra.tables.reproduction import other_readings, reproduction
from d2tra.tables.results import Results
from d2tra.tables.risk_effects import risk_effects
from d2tra.tables.table import OF_COHORT, Table, read_tables, write_tables
from d2tra.tables.table_1 import table_1
from d2tra.tables.table_1_by_cohort import table_1_by_cohort
from d2tra.tables.time_to_d2t import time_to_d2t
from d2tra.tables.treatment_flows import treatment_flows
from d2tra.tables.treatment_sequence import treatment_sequence

TABLES: dict[str, Callable[[Results], Table]] = {
    build.__name__: build
    for build in (
        selection_flow,
        table_1,
        table_1_by_cohort,
        prevalence,
        prevalence_by_policy,
        prevalence_by_cohort,
        agreement,
        definition_overlap,
        criteria_overlap,
        d2t_characteristics,
        drug_history_by_severity,
        das28_components,
        cdai_v_das28_crp,
        nice_pathway,
        treatment_sequence,
        treatment_flows,
        time_to_d2t,
        persistence,
        odds_ratios,
        odds_ratios_by_cohort,
        risk_effects,
        reproduction,
        other_readings,
        missingness,
        rows_accounted,
        data_quality,
    )
}


def build_tables(results: Results) -> list[Table]:
    """Returns the tables that the study asks for, in its order (all: that of TABLES); one without a cell is left out.

    StudyError for a name that no table has.
    """
    wanted = list(TABLES) if results.study.tables == "all" else results.study.tables
    for name in wanted:
        if name not in TABLES:
            raise StudyError(
                f"study {results.study.name}: key 'tables': no table {name!r}{nearest(name, TABLES)}"
                f" Known: {', '.join(TABLES)}."
            )
    built = [TABLES[name](results) for name in wanted]
    return [table for table in built if table.cells.height]


__all__ = ["OF_COHORT", "TABLES", "Results", "Table", "build_tables", "read_tables", "write_tables"]
