# Drug courses from prescription rows (specification of the labels 2.2) in R data.table.
# Run in a folder with valid/treatments.csv; writes courses.csv, one row per course that starts by the cut.
suppressMessages(library(data.table))
setDTthreads(2)
cut <- as.IDate("2023-12-31")
forever <- as.IDate("9999-12-31")
inefficacy <- c("primary_inefficacy", "secondary_inefficacy", "inefficacy")

began <- proc.time()[["elapsed"]]
rows <- fread("valid/treatments.csv", na.strings = "", drop = c("daily_dose_mg", "prednisolone_factor"))
reading <- proc.time()[["elapsed"]] - began

rows <- rows[kind != "" & start_date <= cut]
rows[, untold := is.na(stop_reason) | stop_reason == "unknown"]
# given in cycles: without a recorded stop it acts for 9 months
rows[, is_imputed := molecule == "rituximab" &
  (is.na(stop_date) | ((untold | stop_reason == "other") & stop_date - start_date < 274))]
rows[, last_recorded_date := fcoalesce(stop_date, start_date)]
rows[, ends := fifelse(is_imputed, start_date + 274L, fcoalesce(stop_date, forever))]

# rows of one molecule merge while the next begins soon enough after the latest stop so far
setorder(rows, patient_id, molecule, start_date, source_row)
rows[, history := rleid(patient_id, molecule)]
rows[, reached := shift(cummax(as.integer(ends))), by = history]
rows[, begins := is.na(reached) | as.integer(start_date) - reached > fifelse(molecule == "rituximab", 274L, 90L)]
rows[, course := cumsum(begins)]
spans <- rows[, .(
  last_start_date = max(start_date), last_recorded_date = max(last_recorded_date), n_records = .N
), by = course]
firsts <- rows[(begins), .(course, patient_id, molecule, kind, mechanism, suppresses_crp, start_date)]
recorded <- rows[!(is_imputed), .(recorded_end = max(ends)), by = course]
setorder(rows, course, -ends, untold, source_row)
lasts <- unique(rows, by = "course")[, .(course, course_stop_reason = stop_reason, ends)]
courses <- recorded[lasts[spans[firsts, on = "course"], on = "course"], on = "course"]
courses[, has_imputed_stop := is.na(recorded_end) | recorded_end < ends]
courses[, is_bts := kind %chin% c("bdmard", "tsdmard")]

# the first later row of a b/tsDMARD ends a course whose stop is imputed
bts_rows <- rows[kind %chin% c("bdmard", "tsdmard"), .(patient_id, start_date, next_start = start_date)]
asked <- courses[(has_imputed_stop), .(course, patient_id, start_date = last_start_date + 1L)]
found <- bts_rows[asked, on = .(patient_id, start_date), roll = -Inf, mult = "first"][!is.na(next_start)]
courses[found, on = "course", ends := pmin(ends, i.next_start - 1L)]
courses[, course_stop_date := fifelse(ends == forever, as.IDate(NA), ends)]

# the b/tsDMARD that tells of a failure where the stop has no reason
courses[, untold := is.na(course_stop_reason) | course_stop_reason == "unknown"]
others <- courses[(is_bts), .(patient_id, other = molecule, presumed_from = start_date)]
pairs <- others[
  courses[untold & !is.na(course_stop_date) & (is_bts | kind == "csdmard"),
    .(course, patient_id, molecule, is_bts, start_date, course_stop_date)],
  on = "patient_id", nomatch = NULL, allow.cartesian = TRUE
]
pairs <- pairs[fifelse(
  is_bts, other != molecule & between(presumed_from, course_stop_date - 30L, course_stop_date + 180L),
  presumed_from > start_date
)]
courses[pairs[, .(presumed_from = min(presumed_from)), by = course], on = "course", presumed_from := i.presumed_from]

courses[, stopped := !is.na(course_stop_date) & course_stop_date <= cut]
courses[, n_days := as.integer(course_stop_date - start_date)]
courses[, outcome := fcase(
  !stopped, "ongoing",
  course_stop_reason %chin% inefficacy & is_bts & molecule != "rituximab" & n_days < 84, "too_short",
  course_stop_reason %chin% inefficacy, "failed_inefficacy",
  course_stop_reason %chin% c("adverse_event", "intolerance"), "failed_intolerance",
  !untold, "stopped_other",
  presumed_from <= cut, "presumed_failed",
  has_imputed_stop, "stopped_other",
  default = "unknown"
)]
courses[outcome == "failed_inefficacy", failure_type := fifelse(
  course_stop_reason == "primary_inefficacy" | (course_stop_reason == "inefficacy" & n_days <= 183), "primary", "secondary"
)]
courses[(stopped), `:=`(stop_date = course_stop_date, stop_reason = course_stop_reason)]

began <- proc.time()[["elapsed"]]
fwrite(courses[, .(
  patient_id, molecule, kind, mechanism, start_date, stop_date, stop_reason, outcome, failure_type, n_records,
  course_stop_date, course_stop_reason, has_imputed_stop, last_recorded_date, presumed_from, suppresses_crp
)], "courses.csv", logical01 = TRUE)
cat(sprintf("(csv: read %.1f s, written %.1f s)\n", reading, proc.time()[["elapsed"]] - began))
