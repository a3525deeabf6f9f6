"""Files appear whole or not at all."""

import os

import polars as pl
import pytest

from d2tra import io
from d2tra.errors import StudyError

ROWS = pl.DataFrame({"a": [1, None], "b": ["x", "ü"]})


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_a_frame_comes_back_as_it_was_written(tmp_path, name):
    io.write(ROWS, tmp_path / "deep" / name)
    assert io.read(tmp_path / "deep" / name).equals(ROWS)


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_of_every_site_only_the_columns_asked_for_are_read(tmp_path, name):
    io.write(ROWS, tmp_path / name)
    read = io.read_sites(["north", "south"], [tmp_path / name] * 2, columns=["b"])
    assert read.rows() == [("north", "x"), ("north", "ü"), ("south", "x"), ("south", "ü")]


def test_writing_leaves_no_temporary_file_behind(tmp_path):
    io.write(ROWS, tmp_path / "rows.csv")
    io.write_folder({"one.parquet": ROWS, "two.parquet": ROWS}, tmp_path / "folder")
    io.copy(tmp_path / "folder", tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "folder", "rows.csv"]
    assert sorted(io.read_folder(tmp_path / "again")) == ["one", "two"]


def test_a_writer_that_fails_leaves_the_old_file_as_it_was(tmp_path, monkeypatch):
    io.write_text("old", tmp_path / "note.txt")
    monkeypatch.setattr(os, "replace", _full_disk)
    with pytest.raises(StudyError, match=r"note.txt.*full"):
        io.write_text("new", tmp_path / "note.txt")
    assert (tmp_path / "note.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_each_frame_goes_to_the_path_of_its_name(tmp_path):
    io.write_each({"one": ROWS, "two": ROWS.head(1)}, [tmp_path / "two.csv", tmp_path / "one.csv"])
    assert [io.read(tmp_path / name).height for name in ("one.csv", "two.csv")] == [2, 1]


def test_a_folder_that_is_written_again_holds_only_the_new_files(tmp_path):
    io.write_folder({"old.parquet": ROWS}, tmp_path / "folder")
    io.write_folder({"new.parquet": ROWS}, tmp_path / "folder")
    assert sorted(io.read_folder(tmp_path / "folder")) == ["new"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_a_private_folder_opens_for_its_owner_only(tmp_path):
    assert io.make_private(tmp_path / "private").stat().st_mode & 0o777 == 0o700


def _full_disk(*_):
    raise OSError(28, "No space left on device (full)")


def test_only_the_files_that_are_asked_for_are_named(tmp_path):
    for name in ("patients", "visits", "labs"):
        io.write(ROWS, tmp_path / f"{name}.parquet")
    assert list(io.files_of(tmp_path, "visits", "patients", "imaging")) == ["patients", "visits"]


def test_a_full_disk_that_polars_tells_in_its_own_way_is_said_plainly(tmp_path, monkeypatch):
    monkeypatch.setattr(pl.DataFrame, "write_parquet", _polars_says("No space left on device (os error 28)"))
    with pytest.raises(StudyError, match=r"^cannot write .*rows.parquet: No space left on device"):
        io.write(ROWS, tmp_path / "rows.parquet")
    assert list(tmp_path.iterdir()) == []


def test_any_other_trouble_of_polars_is_not_called_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(pl.DataFrame, "write_parquet", _polars_says("not supported"))
    with pytest.raises(pl.exceptions.ComputeError):
        io.write(ROWS, tmp_path / "rows.parquet")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: io.write(ROWS, path / "rows.csv"),
        lambda path: io.write_folder({"rows.csv": ROWS}, path / "folder"),
        io.make_private,
    ],
)
def test_where_no_folder_can_be_made_it_is_said_plainly(tmp_path, make):
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="cannot write"):
        make(tmp_path / "file" / "deep")


def test_a_folder_is_flushed_as_its_files_are(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(
        io, "flush", lambda path: flushed.append(path.name.split(".")[1 if path.name.startswith(".") else 0])
    )
    io.write_folder({"one.csv": ROWS}, tmp_path / "first")
    io.copy(tmp_path / "first", tmp_path / "again")
    assert flushed == ["one", "first", tmp_path.name, "one", tmp_path.name]


def test_what_a_killed_run_left_under_temporary_names_goes_and_nothing_else(tmp_path):
    io.write_folder({"rows.csv": ROWS}, tmp_path / "kept")
    (tmp_path / "kept" / ".snakemake_timestamp").touch()
    io._aside(tmp_path / "kept" / "rows.csv").write_text("half")
    left = io._aside(tmp_path / "folder")
    left.mkdir()
    (left / "rows.csv").write_text("half")
    io.clear_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [".snakemake_timestamp", "rows.csv"]


def _polars_says(trouble):
    def fail(*_, **__):
        raise pl.exceptions.ComputeError(io.POLARS_SAYS + trouble)

    return fail
