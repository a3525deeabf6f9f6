"""The log of a job ends with how much the job did, whether it ended well or not."""

import re
import subprocess
import sys

import polars as pl

JOB = """
from pathlib import Path
from d2tra import io, logs
from d2tra.extract.site import TableSource
from d2tra.extract.sources import read_cells

logs.start("job.log")
rows = io.read("rows.parquet")
io.write(rows.head(3), "some.csv")
io.write_folder({"one.parquet": rows}, "folder")
io.read_folder("folder")
spans = io.read_spans({"patients": "rows.parquet"}, 1500)
io.write_spans(({"new": span["patients"]} for span in spans), ["new.parquet"])
read_cells(Path("some.csv"), TableSource(file="some.csv"))
"""
LAST = re.compile(r"^INFO 6,003 rows read, 4,003 written in \d+\.\d s \([\d,]+ read a second\)$")


def run(job, folder):
    ids = [f"{number:04}" for number in range(2000)]
    pl.DataFrame({"patient_id": ids}).write_parquet(folder / "rows.parquet")
    done = subprocess.run(
        [sys.executable, "-c", job], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    return done, (folder / "job.log").read_text(encoding="utf-8").splitlines()


def test_the_last_line_says_how_many_rows_were_read_and_written_and_how_fast(tmp_path):
    done, log = run(JOB, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(log) == 1
    assert LAST.match(log[0]), log


def test_a_job_that_fails_says_it_after_its_error(tmp_path):
    done, log = run(JOB + 'raise ValueError("a fault")', tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ValueError: a fault" in log
    assert LAST.match(log[-1]), log
