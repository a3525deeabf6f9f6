"""The log of a job ends with how much the job did, whether it ended well or not."""

import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from d2tra import logs

JOB = """
from pathlib import Path
from d2tra import io, logs
from d2tra.spans import read_spans, write_spans
from d2tra.extract.site import TableSource
from d2tra.extract.sources import read_cells

logs.start("job.log")
rows = io.read("rows.parquet")
io.write(rows.head(3), "some.csv")
io.write_folder({"one.parquet": rows}, "folder")
io.read_folder("folder")
spans = read_spans({"patients": "rows.parquet"}, 1500)
write_spans(({"new": span["patients"]} for span in spans), ["new.parquet"])
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


def test_a_job_whose_log_cannot_be_opened_says_so_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"cannot write .*job.log: .*Is the disk full or read-only\?"):
        logs.start(tmp_path / "file" / "job.log")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_what_a_full_disk_does_not_take_into_the_log_does_not_go_to_the_screen_instead(tmp_path):
    job = 'from d2tra import logs; logs.start("job.log").warning("a value of a patient")'
    (tmp_path / "job.log").symlink_to("/dev/full")
    done = subprocess.run(
        [sys.executable, "-c", job], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
    )
    assert "patient" not in done.stdout + done.stderr
