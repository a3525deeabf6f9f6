"""ASDAS (axial disease, for context: no visit column and no definition uses it). Questions 0–10; null if any is null.

Columns: back_pain, stiffness_duration, patient_global_cm, peripheral_pain, and crp_mg_l or esr_mm_h.
Source: clinical reference 1.9 (weights from professional knowledge: check before publication).
"""

import polars as pl

CRP_FLOOR_MG_L = 2


def asdas_crp() -> pl.Expr:
    """Returns ASDAS-CRP; CRP in mg/L, below 2 counts as 2."""
    questions = _weighted(
        {"back_pain": 0.12, "stiffness_duration": 0.06, "patient_global_cm": 0.11, "peripheral_pain": 0.07}
    )
    return questions + 0.58 * (pl.col("crp_mg_l").clip(lower_bound=CRP_FLOOR_MG_L) + 1).log()


def asdas_esr() -> pl.Expr:
    """Returns ASDAS-ESR; ESR in mm/h."""
    questions = _weighted(
        {"back_pain": 0.08, "stiffness_duration": 0.07, "patient_global_cm": 0.11, "peripheral_pain": 0.09}
    )
    return questions + 0.29 * pl.col("esr_mm_h").sqrt()


def _weighted(weights: dict[str, float]) -> pl.Expr:
    return pl.sum_horizontal(*(weight * pl.col(name) for name, weight in weights.items()), ignore_nulls=False)
