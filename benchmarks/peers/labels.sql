-- Difficult-to-treat RA, EULAR 2021 (specification of the labels 2.6), in DuckDB: every visit judged.
-- Run in a folder with valid/ (patients, visits, treatments) and the courses and scores of the two other scripts;
-- writes labels.parquet, one row per patient with RA. There is no imaging and no laboratory table in these data.
SET threads = 2;
SET VARIABLE cut = DATE '2023-12-31';

CREATE TEMP MACRO rounded(x) AS round(x + sign(x) * 1e-10, 4);

CREATE TEMP TABLE ra AS
SELECT patient_id, coalesce(csdmard_contraindicated, false) AS contraindicated
FROM 'valid/patients.parquet' WHERE disease = 'RA';

-- from which day a b/tsDMARD course counts as failed, and as possibly failed
CREATE TEMP TABLE failures AS
SELECT patient_id, mechanism, molecule,
    CASE
        WHEN outcome IN ('failed_inefficacy', 'failed_intolerance') THEN course_stop_date
        WHEN outcome = 'presumed_failed' THEN greatest(course_stop_date, presumed_from)
    END AS failed_on,
    CASE
        WHEN outcome IN ('unknown', 'too_short') THEN course_stop_date
        WHEN outcome = 'presumed_failed' AND NOT has_imputed_stop THEN course_stop_date
        WHEN outcome = 'ongoing' AND course_stop_date IS NULL AND course_stop_reason IN (
            'primary_inefficacy', 'secondary_inefficacy', 'inefficacy', 'adverse_event', 'intolerance'
        ) THEN start_date
        ELSE failed_on
    END AS possible_on
FROM 'courses.parquet'
WHERE kind IN ('bdmard', 'tsdmard');

-- criterion 1 can only be met or unknown in those with two mechanisms possibly failed: nobody else is looked at below
CREATE TEMP TABLE candidates AS
WITH mechanisms AS (
    SELECT patient_id, mechanism, min(failed_on) AS failed_on, min(possible_on) AS possible_on
    FROM failures GROUP BY patient_id, mechanism
),
second AS (
    SELECT patient_id, min(failed_on, 2)[2] AS second_failed, min(possible_on, 2)[2] AS second_possible
    FROM mechanisms GROUP BY patient_id
),
firsts AS (
    SELECT patient_id, min(start_date) FILTER (kind = 'csdmard') AS first_csdmard,
        min(start_date) FILTER (kind IN ('bdmard', 'tsdmard')) AS first_bts
    FROM 'courses.parquet' GROUP BY patient_id
)
SELECT patient_id, second_failed, second_possible, contraindicated,
    CASE WHEN first_csdmard <= first_bts THEN first_csdmard END AS prepared_on
FROM ra JOIN second USING (patient_id) JOIN firsts USING (patient_id)
WHERE second_possible IS NOT NULL;

-- days on which a drug is taken that suppresses the acute phase: by start, the latest stop so far
CREATE TEMP TABLE suppressing AS
SELECT patient_id, start_date, max(coalesce(course_stop_date, DATE '9999-12-31')) OVER (
        PARTITION BY patient_id ORDER BY start_date  -- those of the same day have the same
    ) AS until
FROM 'courses.parquet' SEMI JOIN candidates USING (patient_id)
WHERE kind IN ('bdmard', 'tsdmard') AND suppresses_crp;

-- each part of criteria 2 and 3 at the latest visit of the past 365 days that tells of it
CREATE TEMP TABLE visited AS
WITH visits AS (
    SELECT patient_id, visit_date, sjc28, crp_mg_l, esr_mm_h, haq_di_used, pain_mm, fatigue_mm,
        problematic_to_patient AS to_patient, problematic_to_rheumatologist AS to_rheumatologist
    FROM 'valid/visits.parquet' SEMI JOIN candidates USING (patient_id)
    WHERE visit_date <= getvariable('cut')
),
with_scores AS (
    SELECT visits.*, cdai,
        coalesce(das28_esr, das28_crp, cdai, sdai) IS NOT NULL AS has_score,
        coalesce(das28_esr_band IN ('moderate', 'high'), false) OR coalesce(das28_crp_band IN ('moderate', 'high'), false)
        OR coalesce(cdai_band IN ('moderate', 'high'), false) OR coalesce(sdai_band IN ('moderate', 'high'), false)
        AS is_active
    FROM visits LEFT JOIN 'scores.parquet' USING (patient_id, visit_date)
),
seen AS (
    SELECT v.patient_id, v.visit_date,
        CASE WHEN has_score THEN {met: CASE
            WHEN is_active THEN true
            WHEN cdai IS NOT NULL OR NOT coalesce(until > visit_date, false) THEN false
        END} END AS activity,
        CASE WHEN sjc28 IS NOT NULL AND coalesce(crp_mg_l, esr_mm_h) IS NOT NULL THEN
            sjc28 >= 1 AND (coalesce(rounded(crp_mg_l) > 10, false) OR coalesce(rounded(esr_mm_h) > 28, false))
        END AS signs,
        CASE WHEN coalesce(haq_di_used, pain_mm, fatigue_mm) IS NOT NULL THEN
            coalesce(rounded(haq_di_used) > 1.0, false) OR coalesce(rounded(pain_mm) > 40, false)
            OR coalesce(rounded(fatigue_mm) > 40, false)
        END AS quality,
        CASE WHEN coalesce(to_patient, to_rheumatologist) IS NOT NULL THEN
            coalesce(to_patient, false) OR coalesce(to_rheumatologist, false)
        END AS problematic
    FROM with_scores AS v
    ASOF LEFT JOIN suppressing AS s ON v.patient_id = s.patient_id AND v.visit_date >= s.start_date
)
SELECT patient_id, visit_date,
    last_value(activity IGNORE NULLS) OVER past_year AS activity,
    last_value(signs IGNORE NULLS) OVER past_year AS signs,
    last_value(quality IGNORE NULLS) OVER past_year AS quality,
    last_value(problematic IGNORE NULLS) OVER past_year AS problematic
FROM seen
WINDOW past_year AS (
    PARTITION BY patient_id ORDER BY visit_date RANGE BETWEEN INTERVAL 365 DAYS PRECEDING AND CURRENT ROW
);

-- glucocorticoids: rows, and short gaps of a molecule bridged at the lower dose of the days around them
CREATE TEMP TABLE steroids AS
SELECT patient_id, molecule, start_date, coalesce(stop_date, DATE '9999-12-31') AS stop_date,
    daily_dose_mg * prednisolone_factor AS dose
FROM 'valid/treatments.parquet' SEMI JOIN candidates USING (patient_id)
WHERE kind = 'glucocorticoid' AND start_date <= getvariable('cut');

CREATE TEMP TABLE spans AS
WITH gaps AS (
    SELECT patient_id, molecule, start_date AS day_after, max(stop_date) OVER (
            PARTITION BY patient_id, molecule ORDER BY start_date, stop_date
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS day_before
    FROM steroids
    QUALIFY start_date - day_before BETWEEN 2 AND 15
),
sides AS (
    SELECT patient_id, molecule, day_before, day_after, unnest([day_before, day_after]) AS day FROM gaps
),
doses AS (
    SELECT sides.*, CASE WHEN count(*) = count(dose) THEN sum(dose) END AS dose
    FROM sides JOIN steroids USING (patient_id, molecule)
    WHERE day BETWEEN start_date AND stop_date
    GROUP BY ALL
),
covered AS (
    SELECT patient_id, start_date, stop_date, dose FROM steroids
    UNION ALL
    SELECT patient_id, day_before + 1, day_after - 1, CASE WHEN count(*) = count(dose) THEN min(dose) END
    FROM doses GROUP BY patient_id, molecule, day_before, day_after
),
changes AS (
    SELECT DISTINCT patient_id, DATE '0001-01-01' AS first_day, 0.0::DOUBLE AS mg, 0 AS unknown FROM steroids
    UNION ALL
    SELECT patient_id, start_date, coalesce(dose, 0), (dose IS NULL)::INTEGER FROM covered
    UNION ALL
    SELECT patient_id, stop_date + 1, -coalesce(dose, 0), -(dose IS NULL)::INTEGER
    FROM covered WHERE stop_date < DATE '9999-12-31'
),
days AS (
    SELECT patient_id, first_day, sum(mg) AS mg, sum(unknown) AS unknown FROM changes GROUP BY patient_id, first_day
)
SELECT patient_id, first_day,
    coalesce(lead(first_day) OVER by_day - 1, DATE '9999-12-31') AS last_day,
    rounded(sum(mg) OVER by_day) >= 7.5 AS is_high, sum(unknown) OVER by_day > 0 AS is_unclear
FROM days
WINDOW by_day AS (PARTITION BY patient_id ORDER BY first_day);

CREATE TEMP TABLE verdicts AS
WITH steroid_days AS (  -- the last low day and the last unclear day of the past 90
    SELECT v.patient_id, v.visit_date,
        coalesce(low.last_day >= visit_date - 90, false) AS was_low,
        coalesce(unclear.last_day >= visit_date - 90, false) AS was_unclear
    FROM (SELECT * FROM visited SEMI JOIN steroids USING (patient_id)) AS v
    ASOF LEFT JOIN (FROM spans WHERE NOT is_high AND NOT is_unclear) AS low
        ON v.patient_id = low.patient_id AND v.visit_date >= low.first_day
    ASOF LEFT JOIN (FROM spans WHERE NOT is_high AND is_unclear) AS unclear
        ON v.patient_id = unclear.patient_id AND v.visit_date >= unclear.first_day
),
criteria AS (
    SELECT patient_id, visit_date,
        CASE WHEN second_failed <= visit_date THEN true WHEN second_possible > visit_date THEN false END AS failed_mechanisms,
        CASE WHEN contraindicated OR prepared_on <= visit_date THEN true END AS prepared,
        activity.met AS active, signs, quality, problematic,
        CASE
            WHEN was_low IS NULL THEN false  -- none recorded, by a site that records them
            WHEN was_low THEN false
            WHEN NOT was_unclear THEN true
        END AS on_steroids
    FROM visited JOIN candidates USING (patient_id) LEFT JOIN steroid_days USING (patient_id, visit_date)
)
SELECT patient_id, visit_date,
    failed_mechanisms AND prepared AND (active OR signs OR on_steroids OR (NOT active AND quality)) AND problematic AS met
FROM criteria;

COPY (
    WITH indexed AS (
        SELECT patient_id, max(visit_date) AS index_date FROM 'valid/visits.parquet'
        WHERE visit_date <= getvariable('cut') GROUP BY patient_id
    ),
    judged AS (
        SELECT patient_id, min(visit_date) FILTER (met) AS first_met_date,
            last(CASE WHEN met IS NULL THEN 'not_assessable' WHEN met THEN 'met' ELSE 'not_met' END ORDER BY visit_date) AS status
        FROM verdicts GROUP BY patient_id
    ),
    counts AS (
        SELECT patient_id, count(DISTINCT mechanism) AS n_failed_mechanisms, count(DISTINCT molecule) AS n_failed_drugs
        FROM failures JOIN indexed USING (patient_id) WHERE failed_on <= index_date GROUP BY patient_id
    )
    SELECT patient_id, index_date,
        CASE WHEN index_date IS NULL THEN 'not_assessable' ELSE coalesce(status, 'not_met') END AS status, first_met_date,
        CASE WHEN index_date IS NOT NULL THEN coalesce(n_failed_mechanisms, 0) END AS n_failed_mechanisms,
        CASE WHEN index_date IS NOT NULL THEN coalesce(n_failed_drugs, 0) END AS n_failed_drugs
    FROM ra LEFT JOIN indexed USING (patient_id) LEFT JOIN judged USING (patient_id) LEFT JOIN counts USING (patient_id)
) TO 'labels.parquet' (FORMAT parquet, COMPRESSION zstd);
