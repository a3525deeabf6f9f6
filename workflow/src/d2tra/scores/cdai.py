"""CDAI and SDAI. Joint counts 0–28, globals 0–10 cm, CRP mg/dL; null if any component is null.

Sources: Aletaha D et al. Arthritis Res Ther 2005;7:R796-806; Smolen JS et al. Rheumatology 2003;42:244-57.
"""

import polars as pl


def cdai() -> pl.Expr:
    """Returns CDAI (0 to 76)."""
    return pl.col("tjc28") + pl.col("sjc28") + pl.col("patient_global_cm") + pl.col("physician_global_cm")


def sdai() -> pl.Expr:
    """Returns SDAI (nominally 0 to 86; a CRP above 10 mg/dL leads beyond)."""
    return cdai() + pl.col("crp_mg_dl")
