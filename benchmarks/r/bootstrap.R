# 1,000 resamples by rms::validate.
source("common.R")
suppressPackageStartupMessages(library(rms))
patients <- read.csv(file.path(folder, "cohort722.csv"))
report("rms", function() {
  set.seed(20240424)
  validate(lrm(d2t ~ ., patients, x = TRUE, y = TRUE), B = 1000)
}, function(found) list(
  "apparent c-statistic" = list(found["Dxy", "index.orig"] / 2 + 0.5, NA),
  "apparent Brier" = list(found["B", "index.orig"], NA),
  c_statistic = list(found["Dxy", "index.corrected"] / 2 + 0.5, NA),
  calibration_slope = list(found["Slope", "index.corrected"], NA),
  brier = list(found["B", "index.corrected"], NA)
))
