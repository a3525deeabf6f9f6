# 20 imputations of 5 iterations by mice, a glm of each, pooled.
source("common.R")
suppressPackageStartupMessages(library(mice))
patients <- read.csv(file.path(folder, "e_cohort722_missing.csv"))
lacking <- names(patients)[colSums(is.na(patients)) > 0]
for (name in lacking) if (length(unique(na.omit(patients[[name]]))) == 2) patients[[name]] <- factor(patients[[name]])
report("mice", function() {
  imputed <- mice(patients, m = 20, maxit = 5, seed = 20240424, printFlag = FALSE)
  pool(with(imputed, glm(d2t ~ age + seropositive + obesity + fibromyalgia + smoker + das28_baseline, family = binomial)))
}, function(pooled) {
  rows <- pooled$pooled
  cells <- lapply(seq_len(nrow(rows)), function(i) list(rows$estimate[i], sqrt(rows$b[i] / rows$m[i])))
  setNames(cells, sub("1$", "", as.character(rows$term)))
})
