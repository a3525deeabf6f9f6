"""DAS28, four forms. Joint counts 0–28, ESR mm/h (floored), CRP mg/L, patient global 0–100 mm; null if any is null.

Source: das-score.nl; Prevoo MLL et al. Arthritis Rheum 1995;38:44-8. The 3-variable forms are scores of their own.
"""

import polars as pl

_TENDER = 0.56 * pl.col("tjc28").sqrt()
_SWOLLEN = 0.28 * pl.col("sjc28").sqrt()
_JOINTS = _TENDER + _SWOLLEN
_ESR = 0.70 * pl.col("esr_floored").log()
_CRP = 0.36 * (pl.col("crp_mg_l_used") + 1).log()
_GLOBAL = 0.014 * pl.col("patient_global_mm")
_CRP_CONSTANT = 0.96


def das28_esr() -> pl.Expr:
    """Returns DAS28-ESR, 4 variables (0 to 9.4)."""
    return _JOINTS + _ESR + _GLOBAL


def das28_crp() -> pl.Expr:
    """Returns DAS28-CRP, 4 variables (0.96 to 9.4)."""
    return _JOINTS + _CRP + _GLOBAL + _CRP_CONSTANT


def das28_esr_3v() -> pl.Expr:
    """Returns DAS28-ESR without the patient global (0.16 to 9.4)."""
    return (_JOINTS + _ESR) * 1.08 + 0.16


def das28_crp_3v() -> pl.Expr:
    """Returns DAS28-CRP without the patient global (1.15 to 9.4)."""
    return (_JOINTS + _CRP) * 1.10 + 1.15


def das28_terms() -> dict[str, dict[str, pl.Expr]]:
    """Returns, for each form with 4 variables, what it is the sum of: name of the term → points."""
    joints = {"tender joints": _TENDER, "swollen joints": _SWOLLEN}
    return {
        "das28_esr": {**joints, "ESR": _ESR, "patient global": _GLOBAL},
        "das28_crp": {
            **joints,
            "CRP": _CRP,
            "patient global": _GLOBAL,
            "constant": pl.lit(_CRP_CONSTANT) + 0 * _TENDER,
        },
    }
