"""What the benchmark of faults (benchmarks/faults.py) calls truncated."""

import importlib.util
import sys
from pathlib import Path

import polars as pl
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SPEC = importlib.util.spec_from_file_location("faults", BENCHMARKS / "faults.py")


@pytest.fixture(scope="module")
def faults():
    found = importlib.util.module_from_spec(SPEC)
    sys.path.insert(0, str(BENCHMARKS))
    SPEC.loader.exec_module(found)
    sys.path.remove(str(BENCHMARKS))
    return found


@pytest.fixture
def results(tmp_path):
    rows = pl.DataFrame({"a": [1, 2, 3]})
    rows.write_parquet(tmp_path / "rows.parquet")
    rows.write_csv(tmp_path / "rows.csv")
    (tmp_path / "told.json").write_text("{}\n")
    (tmp_path / "page.html").write_text("<html></html>\n")
    rows.write_excel(tmp_path / "rows.xlsx")
    return tmp_path


def test_whole_files_are_whole(faults, results):
    assert faults.truncated(results) == []


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "told.json", "page.html", "rows.xlsx"])
@pytest.mark.parametrize("share", [0, 0.4, 0.9])
def test_a_file_cut_short_is_found_unless_its_name_says_that_it_is_not_finished(faults, results, name, share):
    whole = (results / name).read_bytes()
    for place in (name, f".{name}.part"):
        (results / place).write_bytes(whole[: int(len(whole) * share)])
    assert faults.truncated(results) == [f"truncated: {name}"]
