"""What the watch over a build calls written in place."""

import polars as pl
import pytest

from d2tra import io
from d2tra.spans import write_spans
from watched_writes import FOLDER_OF_A_RULE, can_watch, watched

pytestmark = pytest.mark.skipif(not can_watch(), reason="no inotify here")
ROWS = pl.DataFrame({"a": [1, 2, 3]})


def test_the_writers_of_the_package_write_nothing_in_place(tmp_path):
    folder = tmp_path / "results"
    with watched(folder) as in_place:
        for name in ("rows.parquet", "rows.csv"):
            io.write(ROWS, folder / name)
            io.write(ROWS, folder / name)
        write_spans(iter([{"spans": ROWS}, {"spans": ROWS}]), [folder / "spans.parquet"])
        for _ in range(2):
            io.write_folder({"rows.csv": ROWS, "told.json": {}}, folder / "tables")
        io.copy(folder / "tables", folder / "released")
        for made in ("tables", "released"):
            (folder / made / FOLDER_OF_A_RULE).touch()
    assert in_place == []


def test_a_file_written_under_its_name_is_found_whoever_writes_it(tmp_path):
    with watched(tmp_path) as in_place:
        ROWS.write_parquet(tmp_path / "rows.parquet")
        ROWS.write_csv(tmp_path / "rows.csv")
        (tmp_path / "page.html").write_text("<html></html>")
    assert in_place == ["page.html", "rows.csv", "rows.parquet"]


def test_a_whole_file_that_is_changed_later_is_found_also_in_a_folder_that_was_renamed(tmp_path):
    with watched(tmp_path) as in_place:
        io.write_folder({"rows.csv": ROWS}, tmp_path / "tables")
    assert in_place == []
    with watched(tmp_path) as in_place, (tmp_path / "tables" / "rows.csv").open("a") as handle:
        handle.write("4\n")
    assert in_place == ["tables/rows.csv"]


def test_a_folder_of_a_rule_that_is_filled_under_its_name_is_found_and_one_above_files_is_not(tmp_path):
    with watched(tmp_path) as in_place:
        (tmp_path / "tables").mkdir()
        (tmp_path / "tables" / FOLDER_OF_A_RULE).touch()
        (tmp_path / "site").mkdir()
    assert in_place == ["tables"]


def test_a_log_may_grow(tmp_path):
    with watched(tmp_path) as in_place:
        (tmp_path / "draw.log").write_text("begun\n")
    assert in_place == []
