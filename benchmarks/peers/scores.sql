-- Scores of every visit and their bands (specification of the labels 2.4) in DuckDB.
-- Run in a folder with valid/visits.parquet; writes scores.parquet.
SET threads = 2;

-- to 4 decimals, half away from zero; a millionth of the last decimal more, because few decimal halves exist in binary
CREATE TEMP MACRO rounded(x) AS round(x + sign(x) * 1e-10, 4);
CREATE TEMP MACRO das28_band(x) AS CASE
    WHEN x IS NULL THEN NULL WHEN rounded(x) < 2.6 THEN 'remission' WHEN rounded(x) <= 3.2 THEN 'low'
    WHEN rounded(x) <= 5.1 THEN 'moderate' ELSE 'high' END;
CREATE TEMP MACRO index_band(x, remission, low, moderate) AS CASE
    WHEN x IS NULL THEN NULL WHEN rounded(x) <= remission THEN 'remission' WHEN rounded(x) <= low THEN 'low'
    WHEN rounded(x) <= moderate THEN 'moderate' ELSE 'high' END;

COPY (
    WITH scored AS (
        SELECT patient_id, visit_date,
            0.56 * sqrt(tjc28) + 0.28 * sqrt(sjc28) AS joints,
            joints + 0.70 * ln(CASE WHEN esr_mm_h < 1 THEN 1 ELSE esr_mm_h END) + 0.014 * patient_global_mm AS das28_esr,
            joints + 0.36 * ln(crp_mg_l + 1) + 0.014 * patient_global_mm + 0.96 AS das28_crp,
            tjc28 + sjc28 + patient_global_mm / 10 + physician_global_mm / 10 AS cdai,
            cdai + crp_mg_l / 10 AS sdai
        FROM 'valid/visits.parquet'
    )
    SELECT patient_id, visit_date,
        das28_esr, das28_band(das28_esr) AS das28_esr_band,
        das28_crp, das28_band(das28_crp) AS das28_crp_band,
        cdai, index_band(cdai, 2.8, 10, 22) AS cdai_band,
        sdai, index_band(sdai, 3.3, 11, 26) AS sdai_band
    FROM scored
) TO 'scores.parquet' (FORMAT parquet, COMPRESSION zstd);
