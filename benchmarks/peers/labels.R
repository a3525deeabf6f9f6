# Difficult-to-treat RA, EULAR 2021 (specification of the labels 2.6), in R data.table: every visit judged.
# Run in a folder with valid/ (patients, visits, treatments) and the courses and scores of the two other scripts;
# writes labels.csv, one row per patient with RA. There is no imaging and no laboratory table in these data.
suppressMessages(library(data.table))
setDTthreads(2)
cut <- as.IDate("2023-12-31")
forever <- as.IDate("9999-12-31")
before_all <- as.IDate("0001-01-01")
inefficacy <- c("primary_inefficacy", "secondary_inefficacy", "inefficacy")
rounded <- function(x) floor((x + 1e-10) * 1e4 + 0.5) / 1e4

began <- proc.time()[["elapsed"]]
patients <- fread("valid/patients.csv", na.strings = "")
visits <- fread("valid/visits.csv", na.strings = "", drop = c("tjc28", "patient_global_mm", "physician_global_mm"))
steroids <- fread("valid/treatments.csv", na.strings = "", select = c(
  "patient_id", "molecule", "kind", "start_date", "stop_date", "daily_dose_mg", "prednisolone_factor"
))
courses <- fread("courses.csv", na.strings = "", logical01 = TRUE, drop = c("stop_date", "stop_reason", "failure_type", "n_records"))
scores <- fread("scores.csv", na.strings = "")
reading <- proc.time()[["elapsed"]] - began

ra <- patients[disease == "RA", .(patient_id, contraindicated = fcoalesce(csdmard_contraindicated, FALSE))]
visits <- visits[visit_date <= cut]
indexed <- visits[, .(index_date = max(visit_date)), by = patient_id]
steroids <- steroids[kind == "glucocorticoid" & start_date <= cut, .(
  patient_id, molecule, start_date, stop_date = fcoalesce(stop_date, forever), dose = daily_dose_mg * prednisolone_factor
)]

# from which day a b/tsDMARD course counts as failed, and as possibly failed
bts <- courses[kind %chin% c("bdmard", "tsdmard")]
bts[outcome %chin% c("failed_inefficacy", "failed_intolerance"), failed_on := course_stop_date]
bts[outcome == "presumed_failed", failed_on := pmax(course_stop_date, presumed_from)]
bts[, possible_on := failed_on]
bts[outcome %chin% c("unknown", "too_short") | (outcome == "presumed_failed" & !has_imputed_stop),
  possible_on := course_stop_date]
bts[outcome == "ongoing" & is.na(course_stop_date) &
  course_stop_reason %chin% c(inefficacy, "adverse_event", "intolerance"), possible_on := start_date]

# criterion 1 can only be met or unknown in those with two mechanisms possibly failed: nobody else is looked at below
second_date <- function(column) {
  firsts <- bts[!is.na(get(column)), .(patient_id, mechanism, day = get(column))]
  setorder(firsts, patient_id, day)
  unique(firsts, by = c("patient_id", "mechanism"))[rowid(patient_id) == 2L, .(patient_id, day)]
}
candidates <- second_date("possible_on")[ra, on = "patient_id", nomatch = NULL]
setnames(candidates, "day", "second_possible")
candidates[second_date("failed_on"), on = "patient_id", second_failed := i.day]
first_bts <- bts[, .(first_bts = min(start_date)), by = patient_id]
first_csdmard <- courses[kind == "csdmard", .(first_csdmard = min(start_date)), by = patient_id]
candidates[first_csdmard[first_bts, on = "patient_id"], on = "patient_id",
  prepared_on := fifelse(i.first_csdmard <= i.first_bts, i.first_csdmard, as.IDate(NA))]

# what each visit tells of criteria 2 and 3
seen <- visits[patient_id %chin% candidates$patient_id]
rm(visits)
seen[scores, on = .(patient_id, visit_date), `:=`(
  cdai = i.cdai,
  has_score = !is.na(i.das28_esr) | !is.na(i.das28_crp) | !is.na(i.cdai) | !is.na(i.sdai),
  is_active = i.das28_esr_band %chin% c("moderate", "high") | i.das28_crp_band %chin% c("moderate", "high") |
    i.cdai_band %chin% c("moderate", "high") | i.sdai_band %chin% c("moderate", "high")
)]
rm(scores)
suppressing <- bts[(suppresses_crp), .(patient_id, visit_date = start_date, ends = fcoalesce(course_stop_date, forever))]
setorder(suppressing, patient_id, visit_date)
suppressing[, until := as.IDate(cummax(as.integer(ends))), by = patient_id]
seen[, until := suppressing[seen, on = .(patient_id, visit_date), roll = TRUE, mult = "last", x.until]]
seen[, is_suppressed := !is.na(until) & until > visit_date]
setorder(seen, patient_id, visit_date)
some <- function(x) !is.na(x) & x
seen[(has_score), activity := fcase(is_active, TRUE, !is.na(cdai) | !is_suppressed, FALSE)]
seen[!is.na(sjc28) & (!is.na(crp_mg_l) | !is.na(esr_mm_h)),
  signs := sjc28 >= 1 & (some(rounded(crp_mg_l) > 10) | some(rounded(esr_mm_h) > 28))]
seen[!is.na(haq_di_used) | !is.na(pain_mm) | !is.na(fatigue_mm),
  quality := some(rounded(haq_di_used) > 1) | some(rounded(pain_mm) > 40) | some(rounded(fatigue_mm) > 40)]
seen[!is.na(problematic_to_patient) | !is.na(problematic_to_rheumatologist),
  problematic := some(problematic_to_patient) | some(problematic_to_rheumatologist)]

# each of them at the latest visit of the past 365 days that tells of it: visits stand in order, so the place is enough
place <- seq_len(nrow(seen))
latest <- function(told, verdict) {
  last <- nafill(fifelse(told, place, NA_integer_), "locf")
  known <- !is.na(last) & seen$patient_id[last] == seen$patient_id & seen$visit_date - seen$visit_date[last] <= 365L
  fifelse(known, verdict[last], NA)
}
at <- seen[, .(patient_id, visit_date,
  active = latest(!is.na(has_score) & has_score, activity), signs = latest(!is.na(signs), signs),
  quality = latest(!is.na(quality), quality), problematic = latest(!is.na(problematic), problematic)
)]
rm(seen)

# glucocorticoids: rows, and short gaps of a molecule bridged at the lower dose of the days around them
steroids <- steroids[patient_id %chin% candidates$patient_id]
setorder(steroids, patient_id, molecule, start_date, stop_date)
steroids[, reached := as.IDate(shift(cummax(as.integer(stop_date)))), by = .(patient_id, molecule)]
gaps <- steroids[between(as.integer(start_date - reached), 2L, 15L),
  .(patient_id, molecule, day_before = reached, day_after = start_date)]
dose_on <- function(side) {
  open <- steroids[gaps, on = "patient_id", nomatch = NULL, allow.cartesian = TRUE][
    molecule == i.molecule & start_date <= get(side) & stop_date >= get(side)]
  open[, .(dose = sum(dose)), by = .(patient_id, molecule, day_after)]  # unknown where one of them is
}
bridges <- dose_on("day_after")[dose_on("day_before")[gaps, on = .(patient_id, molecule, day_after)],
  on = .(patient_id, molecule, day_after)]
covered <- rbind(
  steroids[, .(patient_id, start_date, stop_date, dose)],
  bridges[, .(patient_id, start_date = day_before + 1L, stop_date = day_after - 1L, dose = pmin(dose, i.dose))]
)
covered[, `:=`(mg = fcoalesce(dose, 0), unknown = as.integer(is.na(dose)))]
changes <- rbind(
  unique(covered[, .(patient_id)])[, .(patient_id, first_day = before_all, mg = 0, unknown = 0L)],
  covered[, .(patient_id, first_day = start_date, mg, unknown)],
  covered[stop_date < forever, .(patient_id, first_day = stop_date + 1L, mg = -mg, unknown = -unknown)]
)[, .(mg = sum(mg), unknown = sum(unknown)), keyby = .(patient_id, first_day)]
changes[, `:=`(mg = cumsum(mg), unknown = cumsum(unknown)), by = patient_id]
changes[, last_day := shift(first_day, type = "lead", fill = forever + 1L) - 1L, by = patient_id]
not_high <- changes[rounded(mg) < 7.5]

# the last low day and the last unclear day of the past 90
was <- function(spans) {
  last_day <- spans[, .(patient_id, visit_date = first_day, last_day)][at, on = .(patient_id, visit_date), roll = TRUE, x.last_day]
  !is.na(last_day) & last_day >= at$visit_date - 90L
}
was_low <- was(not_high[unknown == 0L])
was_unclear <- was(not_high[unknown > 0L])
taken <- at$patient_id %chin% steroids$patient_id
at[, on_steroids := fcase(!taken | was_low, FALSE, !was_unclear, TRUE)]  # none recorded, by a site that records them: no

at <- candidates[at, on = "patient_id"]
at[, failed_mechanisms := fcase(!is.na(second_failed) & second_failed <= visit_date, TRUE, second_possible > visit_date, FALSE)]
at[, prepared := fcase(contraindicated | some(prepared_on <= visit_date), TRUE)]
at[, met := failed_mechanisms & prepared & (active | signs | on_steroids | (!active & quality)) & problematic]

labels <- indexed[ra, on = "patient_id"]
labels[at[some(met), .(day = min(visit_date)), by = patient_id], on = "patient_id", first_met_date := i.day]
labels[, status := fifelse(is.na(index_date), "not_assessable", "not_met")]
labels[at[, .(patient_id, index_date = visit_date, met)], on = .(patient_id, index_date),
  status := fcase(is.na(i.met), "not_assessable", i.met, "met", default = "not_met")]
failed <- indexed[bts[!is.na(failed_on)], on = "patient_id", nomatch = NULL][failed_on <= index_date]
labels[!is.na(index_date), `:=`(n_failed_mechanisms = 0L, n_failed_drugs = 0L)]
labels[unique(failed, by = c("patient_id", "mechanism"))[, .N, by = patient_id], on = "patient_id", n_failed_mechanisms := i.N]
labels[unique(failed, by = c("patient_id", "molecule"))[, .N, by = patient_id], on = "patient_id", n_failed_drugs := i.N]

began <- proc.time()[["elapsed"]]
fwrite(labels[, .(patient_id, index_date, status, first_met_date, n_failed_mechanisms, n_failed_drugs)], "labels.csv")
cat(sprintf("(csv: read %.1f s, written %.1f s)\n", reading, proc.time()[["elapsed"]] - began))
