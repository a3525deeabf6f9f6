# What the tasks share: run one several times, print processor seconds, tool and cells as JSON (beside_r.py reads it).
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
repeats <- as.integer(arguments[2])

report <- function(tool, task, cells) {
  seconds <- numeric(repeats)
  for (i in seq_len(repeats)) seconds[i] <- sum(system.time(found <- task())[c("user.self", "sys.self")])
  versions <- vapply(tool, function(one) as.character(packageVersion(one)), "")
  cat(jsonlite::toJSON(
    list(tool = paste(tool, versions, collapse = ", "), seconds = seconds, cells = cells(found)),
    auto_unbox = TRUE, digits = 15
  ))
}
