"""Files appear whole or not at all."""

import os

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

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


SITE = {
    "patients": pl.DataFrame({"patient_id": ["A", "B", "C", "D", "E"]}),
    "visits": pl.DataFrame({"patient_id": ["A", "A", "B", "D", "E", "E"], "n": range(6)}),
    "labs": pl.DataFrame(schema={"patient_id": pl.String, "n": pl.Int64}),
}


@pytest.mark.parametrize("patients_at_once", [1, 2, 5, 6])
def test_a_folder_read_in_spans_of_patients_and_written_part_by_part_is_the_whole(
    tmp_path, patients_at_once, monkeypatch
):
    monkeypatch.setattr(io, "IDS_AT_ONCE", 4)  # less than there are visits
    for name, frame in SITE.items():
        io.write(frame, tmp_path / "valid" / f"{name}.parquet")
    spans = list(io.read_spans(io.files_of(tmp_path / "valid"), patients_at_once))
    assert len(spans) == -(-5 // patients_at_once)
    for span in spans:
        there = span["patients"]["patient_id"].implode()
        assert span["visits"]["patient_id"].is_in(there).all()
    io.write_spans(spans, [tmp_path / f"{name}.parquet" for name in SITE])
    for name, frame in SITE.items():
        assert io.read(tmp_path / f"{name}.parquet").equals(frame)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "labs.parquet", "patients.parquet", "valid", "visits.parquet",
    ]  # fmt: skip


@pytest.mark.parametrize("patients_at_once", [2, 5])
def test_of_a_frame_only_the_columns_that_are_needed_are_read(tmp_path, patients_at_once):
    for name, frame in SITE.items():
        io.write(frame, tmp_path / f"{name}.parquet")
    needed = {"visits": ["patient_id", "not there"]}
    spans = list(io.read_spans(io.files_of(tmp_path), patients_at_once, needed))
    assert {tuple(span["visits"].columns) for span in spans} == {("patient_id",)}
    assert {tuple(span["labs"].columns) for span in spans} == {("patient_id", "n")}


def test_numbered_words_are_written_as_text_and_twice_the_same_bytes(tmp_path):
    rows = ROWS.with_columns(
        word=pl.Series(["low", None], dtype=pl.Enum(["low", "high"])), day=pl.lit(0).cast(pl.Date)
    )
    for name in ("one", "two"):
        io.write_spans(({"rows": rows} for _ in range(3)), [tmp_path / name / "rows.parquet"])
    written = [tmp_path / name / "rows.parquet" for name in ("one", "two")]
    text = rows.with_columns(pl.col("word").cast(pl.String))
    assert_frame_equal(io.read(written[0]), pl.concat([text] * 3))
    assert written[0].read_bytes() == written[1].read_bytes()


@pytest.mark.parametrize("good", [0, 1, 2])
def test_a_disk_that_fills_while_spans_are_written_is_said_plainly_and_the_old_file_stays(
    tmp_path, monkeypatch, good
):
    io.write_spans([{"rows": ROWS}], [tmp_path / "rows.parquet"])
    asked, write = [], pq.ParquetWriter.write_table

    def fill(file, rows, **how):
        asked.append(rows)
        if len(asked) == good + 1:  # there may be room again for the next part
            raise OSError("[Errno 28] No space left on device")
        write(file, rows, **how)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", fill)
    with pytest.raises(StudyError, match=r"^cannot write .*rows.parquet: .*No space left"):
        io.write_spans(({"rows": ROWS} for _ in range(3)), [tmp_path / "rows.parquet"])
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]
    assert io.read(tmp_path / "rows.parquet").equals(ROWS)


def test_only_the_files_that_are_asked_for_are_named(tmp_path):
    for name in SITE:
        io.write(SITE[name], tmp_path / f"{name}.parquet")
    assert list(io.files_of(tmp_path, "visits", "patients", "imaging")) == ["patients", "visits"]


def test_spans_that_break_off_leave_nothing_behind(tmp_path):
    def broken():
        yield SITE
        raise RuntimeError

    with pytest.raises(RuntimeError):
        io.write_spans(broken(), [tmp_path / "visits.parquet"])
    assert list(tmp_path.iterdir()) == []


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
        io, "_flush", lambda path: flushed.append(path.name.split(".")[1 if path.name.startswith(".") else 0])
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
