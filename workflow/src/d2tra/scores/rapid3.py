"""RAPID3. Sum of the ten MDHAQ items 0–30, pain and patient global 0–10 cm; null if any component is null.

Source: Pincus T et al. J Rheumatol 2008;35:2136-47; mdhaq.org. HAQ-DI and MHAQ are no substitutes for the MDHAQ.
"""

import polars as pl


def rapid3() -> pl.Expr:
    """Returns RAPID3 (0 to 30)."""
    return pl.col("mdhaq_sum") / 3.0 + pl.col("pain_cm") + pl.col("patient_global_cm")
