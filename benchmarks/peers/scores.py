"""Scores of every visit and their bands (specification of the labels 2.4) in pandas.

Run in a folder with valid/visits.parquet; writes scores.parquet.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

MEASURED = ["tjc28", "sjc28", "patient_global_mm", "physician_global_mm", "esr_mm_h", "crp_mg_l"]
NAMES = ["remission", "low", "moderate", "high"]
DAS28, CDAI, SDAI = [2.6, 3.2, 5.1], [2.8, 10, 22], [3.3, 11, 26]


def rounded(values: pd.Series) -> np.ndarray:
    """Returns the values to 4 decimals, half away from zero: a millionth of the last decimal more (no score is negative)."""
    return np.round(values.to_numpy() + 1e-10, 4)


def band(score: pd.Series, edges: list[float], first_is_below: bool = False) -> pd.Categorical:
    """Returns the band of each score; an edge belongs to the lower band, except the first where that is below its edge."""
    value = rounded(score)
    codes = np.searchsorted(edges, value, side="left").astype("int8")
    if first_is_below:
        codes[value == edges[0]] = 1
    codes[np.isnan(value)] = -1
    return pd.Categorical.from_codes(codes, NAMES)


def main() -> None:
    columns = ["patient_id", "visit_date", *MEASURED]
    visits = pq.read_table("valid/visits.parquet", columns=columns, read_dictionary=["patient_id"])
    visits = visits.to_pandas(date_as_object=False, self_destruct=True)
    joints = (
        0.56 * np.sqrt(visits["tjc28"])
        + 0.28 * np.sqrt(visits["sjc28"])
        + 0.014 * visits["patient_global_mm"]
    )
    das28_esr = joints + 0.70 * np.log(visits["esr_mm_h"].clip(lower=1))
    das28_crp = joints + 0.36 * np.log1p(visits["crp_mg_l"]) + 0.96
    cdai = (
        visits["tjc28"]
        + visits["sjc28"]
        + visits["patient_global_mm"] / 10
        + visits["physician_global_mm"] / 10
    )
    sdai = cdai + visits["crp_mg_l"] / 10
    scores = {"das28_esr": das28_esr, "das28_crp": das28_crp, "cdai": cdai, "sdai": sdai}
    bands = {
        "das28_esr_band": band(das28_esr, DAS28, first_is_below=True),
        "das28_crp_band": band(das28_crp, DAS28, first_is_below=True),
        "cdai_band": band(cdai, CDAI),
        "sdai_band": band(sdai, SDAI),
    }
    scored = visits[["patient_id", "visit_date"]].assign(**scores, **bands)
    scored.to_parquet("scores.parquet", index=False, compression="zstd")


if __name__ == "__main__":
    pa.set_cpu_count(2)
    main()
