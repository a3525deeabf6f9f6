# Cumulative incidence with a competing event by survival.
source("common.R")
library(survival)
people <- read.csv(file.path(folder, "k_survival24.csv"))
people$event <- factor(people$status, 0:2)
report("survival", function() {
  for (i in 1:10) curve <- survfit(Surv(time, event) ~ 1, people)
  curve
}, function(curve) {
  at <- match(c(6, 12, 18, 24), curve$time)
  cells <- c(curve$pstate[at, 2], curve$std.err[at, 2])
  setNames(lapply(cells, function(value) list(value, NA)), paste(rep(c("incidence", "error"), each = 4), c(6, 12, 18, 24)))
})
