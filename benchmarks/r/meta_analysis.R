# REML with Hartung–Knapp limits by metafor.
source("common.R")
suppressPackageStartupMessages(library(metafor))
studies <- read.csv(file.path(folder, "j_meta5.csv"))
report("metafor", function() {
  for (i in 1:10) fit <- rma(yi, sei = sei, data = studies, method = "REML", test = "knha", control = list(threshold = 1e-12))
  fit
}, function(fit) list(
  estimate = list(c(fit$beta), NA), low = list(fit$ci.lb, NA), high = list(fit$ci.ub, NA), tau2 = list(fit$tau2, NA),
  I2 = list(fit$I2, NA)
))
