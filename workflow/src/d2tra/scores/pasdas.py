"""PASDAS. Globals 0–100 mm, SF-36 physical summary 0–100, Leeds index 0–6, CRP mg/L; null if any component is null.

Source: Helliwell PS et al. Ann Rheum Dis 2013;72:986-91.
"""

import polars as pl

_OF_ROOT = {"physician_global_mm": 0.18, "patient_global_mm": 0.159, "sf36_pcs": -0.253}
_OF_LOG = {
    "sjc66": 0.101,
    "tjc68": 0.048,
    "lei_count": 0.23,
    "tender_dactylitis": 0.377,
    "crp_mg_l_used": 0.102,
}


def pasdas() -> pl.Expr:
    """Returns PASDAS (0 to about 10)."""
    roots = [weight * pl.col(column).sqrt() for column, weight in _OF_ROOT.items()]
    logs = [weight * (pl.col(column) + 1).log() for column, weight in _OF_LOG.items()]
    return (pl.sum_horizontal(*roots, *logs, ignore_nulls=False) + 2) * 1.5
