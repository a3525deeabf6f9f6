"""DAPSA and clinical DAPSA. Joint counts 0–68 and 0–66, global and pain 0–10 cm, CRP mg/dL; null if any is null.

Source: Schoels MM et al. Ann Rheum Dis 2016;75:811-8, doi 10.1136/annrheumdis-2015-207507.
"""

import polars as pl


def cdapsa() -> pl.Expr:
    """Returns cDAPSA (0 to 154)."""
    return pl.col("tjc68") + pl.col("sjc66") + pl.col("patient_global_cm") + pl.col("pain_cm")


def dapsa() -> pl.Expr:
    """Returns DAPSA (nominally 0 to 164; a CRP above 10 mg/dL leads beyond)."""
    return cdapsa() + pl.col("crp_mg_dl")
