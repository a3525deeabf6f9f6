# Scores of every visit and their bands (specification of the labels 2.4) in R data.table.
# Run in a folder with valid/visits.csv; writes scores.csv.
suppressMessages(library(data.table))
setDTthreads(2)

began <- proc.time()[["elapsed"]]
visits <- fread("valid/visits.csv", na.strings = "", select = c(
  "patient_id", "visit_date", "tjc28", "sjc28", "patient_global_mm", "physician_global_mm", "esr_mm_h", "crp_mg_l"
))
reading <- proc.time()[["elapsed"]] - began

# to 4 decimals, half away from zero: a millionth of the last decimal more, because few decimal halves exist in binary.
# Not round(): R 4's searches for the nearest decimal and takes ten times as long.
rounded <- function(x) floor((x + 1e-10) * 1e4 + 0.5) / 1e4  # no score is negative
das28_band <- function(x) {
  x <- rounded(x)
  fcase(x < 2.6, "remission", x <= 3.2, "low", x <= 5.1, "moderate", x > 5.1, "high")
}
index_band <- function(x, remission, low, moderate) {
  x <- rounded(x)
  fcase(x <= remission, "remission", x <= low, "low", x <= moderate, "moderate", x > moderate, "high")
}

visits[, joints := 0.56 * sqrt(tjc28) + 0.28 * sqrt(sjc28) + 0.014 * patient_global_mm]
visits[, das28_esr := joints + 0.70 * log(pmax(esr_mm_h, 1))]
visits[, das28_crp := joints + 0.36 * log(crp_mg_l + 1) + 0.96]
visits[, cdai := tjc28 + sjc28 + patient_global_mm / 10 + physician_global_mm / 10]
visits[, sdai := cdai + crp_mg_l / 10]
visits[, `:=`(
  das28_esr_band = das28_band(das28_esr), das28_crp_band = das28_band(das28_crp),
  cdai_band = index_band(cdai, 2.8, 10, 22), sdai_band = index_band(sdai, 3.3, 11, 26)
)]

began <- proc.time()[["elapsed"]]
fwrite(visits[, .(
  patient_id, visit_date, das28_esr, das28_esr_band, das28_crp, das28_crp_band, cdai, cdai_band, sdai, sdai_band
)], "scores.csv")
cat(sprintf("(csv: read %.1f s, written %.1f s)\n", reading, proc.time()[["elapsed"]] - began))
