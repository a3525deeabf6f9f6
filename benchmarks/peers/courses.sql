-- Drug courses from prescription rows (specification of the labels 2.2) in DuckDB.
-- Run in a folder with valid/treatments.parquet; writes courses.parquet, one row per course that starts by the cut.
SET threads = 2;
SET VARIABLE cut = DATE '2023-12-31';

COPY (
    WITH prescribed AS (
        SELECT patient_id, molecule, kind, mechanism, suppresses_crp, start_date, stop_reason, source_row,
            coalesce(stop_reason, 'unknown') = 'unknown' AS says_nothing,
            -- given in cycles: without a recorded stop it acts for 9 months
            molecule = 'rituximab' AND (
                stop_date IS NULL
                OR (coalesce(stop_reason, 'unknown') IN ('unknown', 'other') AND stop_date - start_date < 274)
            ) AS is_imputed,
            coalesce(stop_date, start_date) AS last_recorded_date,
            CASE WHEN is_imputed THEN start_date + 274 ELSE coalesce(stop_date, DATE '9999-12-31') END AS ends,
            CASE molecule WHEN 'rituximab' THEN 274 ELSE 90 END AS max_gap_days
        FROM 'valid/treatments.parquet'
        WHERE kind IS NOT NULL AND start_date <= getvariable('cut')
    ),
    marked AS (
        SELECT *, coalesce(start_date - max(ends) OVER before > max_gap_days, true) AS begins
        FROM prescribed
        WINDOW before AS (
            PARTITION BY patient_id, molecule ORDER BY start_date, source_row
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
    ),
    numbered AS (
        SELECT *, sum(begins::INTEGER) OVER (
            PARTITION BY patient_id, molecule ORDER BY start_date, source_row ROWS UNBOUNDED PRECEDING
        ) AS course
        FROM marked
    ),
    merged AS (
        SELECT patient_id, molecule, course, any_value(kind) AS kind, any_value(mechanism) AS mechanism,
            any_value(suppresses_crp) AS suppresses_crp, min(start_date) AS start_date, max(ends) AS ends,
            first(stop_reason ORDER BY ends DESC, says_nothing, source_row) AS course_stop_reason,
            coalesce(max(ends) FILTER (NOT is_imputed) < max(ends), true) AS has_imputed_stop,
            max(start_date) AS last_start_date, max(last_recorded_date) AS last_recorded_date, count(*) AS n_records
        FROM numbered
        GROUP BY patient_id, molecule, course
    ),
    next_drug AS (  -- the first later row of a b/tsDMARD ends a course whose stop is imputed
        SELECT merged.patient_id, merged.molecule, merged.course, later.start_date - 1 AS day_before
        FROM merged
        ASOF JOIN (SELECT patient_id, start_date FROM prescribed WHERE kind IN ('bdmard', 'tsdmard')) AS later
            ON merged.patient_id = later.patient_id AND merged.last_start_date < later.start_date
        WHERE merged.has_imputed_stop
    ),
    ended AS (
        SELECT merged.*, kind IN ('bdmard', 'tsdmard') AS is_bts,
            nullif(least(ends, day_before), DATE '9999-12-31') AS course_stop_date
        FROM merged
        LEFT JOIN next_drug USING (patient_id, molecule, course)
    ),
    presumed AS (  -- the b/tsDMARD that tells of a failure where the stop has no reason
        SELECT untold.patient_id, untold.molecule, untold.course, min(other.start_date) AS presumed_from
        FROM ended AS untold
        JOIN ended AS other ON other.patient_id = untold.patient_id AND other.is_bts
        WHERE untold.course_stop_date IS NOT NULL AND coalesce(untold.course_stop_reason, 'unknown') = 'unknown'
            AND CASE
                WHEN untold.is_bts THEN
                    other.molecule <> untold.molecule
                    AND other.start_date - untold.course_stop_date BETWEEN -30 AND 180
                ELSE untold.kind = 'csdmard' AND other.start_date > untold.start_date
            END
        GROUP BY ALL
    ),
    judged AS (
        SELECT *, coalesce(course_stop_date <= getvariable('cut'), false) AS stopped,
            course_stop_date - start_date AS n_days,
            CASE
                WHEN NOT stopped THEN 'ongoing'
                WHEN course_stop_reason IN ('primary_inefficacy', 'secondary_inefficacy', 'inefficacy') THEN
                    CASE
                        WHEN is_bts AND molecule <> 'rituximab' AND n_days < 84 THEN 'too_short'
                        ELSE 'failed_inefficacy'
                    END
                WHEN course_stop_reason IN ('adverse_event', 'intolerance') THEN 'failed_intolerance'
                WHEN course_stop_reason <> 'unknown' THEN 'stopped_other'
                WHEN presumed_from <= getvariable('cut') THEN 'presumed_failed'
                WHEN has_imputed_stop THEN 'stopped_other'
                ELSE 'unknown'
            END AS outcome
        FROM ended
        LEFT JOIN presumed USING (patient_id, molecule, course)
    )
    SELECT patient_id, molecule, kind, mechanism, start_date,
        CASE WHEN stopped THEN course_stop_date END AS stop_date,
        CASE WHEN stopped THEN course_stop_reason END AS stop_reason,
        outcome,
        CASE
            WHEN outcome <> 'failed_inefficacy' THEN NULL
            WHEN course_stop_reason = 'primary_inefficacy' THEN 'primary'
            WHEN course_stop_reason = 'inefficacy' AND n_days <= 183 THEN 'primary'
            ELSE 'secondary'
        END AS failure_type,
        n_records, course_stop_date, course_stop_reason, has_imputed_stop, last_recorded_date, presumed_from, suppresses_crp
    FROM judged
) TO 'courses.parquet' (FORMAT parquet, COMPRESSION zstd);
