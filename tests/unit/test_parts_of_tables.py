"""Tables in parts: read so many patients at a time, written one part under the other, whole or not at all."""

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

import d2tra.spans
from d2tra import io
from d2tra.errors import StudyError
from d2tra.spans import read_spans, write_parts, write_spans

ROWS = pl.DataFrame({"a": [1, None], "b": ["x", "ü"]})
SITE = {
    "patients": pl.DataFrame({"patient_id": ["A", "B", "C", "D", "E"]}),
    "visits": pl.DataFrame({"patient_id": ["A", "A", "B", "D", "E", "E"], "n": range(6)}),
    "labs": pl.DataFrame(schema={"patient_id": pl.String, "n": pl.Int64}),
}


@pytest.mark.parametrize("patients_at_once", [1, 2, 5, 6])
def test_a_folder_read_in_spans_of_patients_and_written_part_by_part_is_the_whole(
    tmp_path, patients_at_once, monkeypatch
):
    monkeypatch.setattr(d2tra.spans, "IDS_AT_ONCE", 4)  # less than there are visits
    for name, frame in SITE.items():
        io.write(frame, tmp_path / "valid" / f"{name}.parquet")
    spans = list(read_spans(io.files_of(tmp_path / "valid"), patients_at_once))
    assert len(spans) == -(-5 // patients_at_once)
    for span in spans:
        there = span["patients"]["patient_id"].implode()
        assert span["visits"]["patient_id"].is_in(there).all()
    write_spans(spans, [tmp_path / f"{name}.parquet" for name in SITE])
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
    spans = list(read_spans(io.files_of(tmp_path), patients_at_once, needed))
    assert {tuple(span["visits"].columns) for span in spans} == {("patient_id",)}
    assert {tuple(span["labs"].columns) for span in spans} == {("patient_id", "n")}


def test_numbered_words_are_written_as_text_and_twice_the_same_bytes(tmp_path):
    rows = ROWS.with_columns(
        word=pl.Series(["low", None], dtype=pl.Enum(["low", "high"])), day=pl.lit(0).cast(pl.Date)
    )
    for name in ("one", "two"):
        write_spans(({"rows": rows} for _ in range(3)), [tmp_path / name / "rows.parquet"])
    written = [tmp_path / name / "rows.parquet" for name in ("one", "two")]
    text = rows.with_columns(pl.col("word").cast(pl.String))
    assert_frame_equal(io.read(written[0]), pl.concat([text] * 3))
    assert written[0].read_bytes() == written[1].read_bytes()


@pytest.mark.parametrize("good", [0, 1, 2])
def test_a_disk_that_fills_while_spans_are_written_is_said_plainly_and_the_old_file_stays(
    tmp_path, monkeypatch, good
):
    write_spans([{"rows": ROWS}], [tmp_path / "rows.parquet"])
    asked, write = [], pq.ParquetWriter.write_table

    def fill(file, rows, **how):
        asked.append(rows)
        if len(asked) == good + 1:  # there may be room again for the next part
            raise OSError("[Errno 28] No space left on device")
        write(file, rows, **how)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", fill)
    with pytest.raises(StudyError, match=r"^cannot write .*rows.parquet: .*No space left"):
        write_spans(({"rows": ROWS} for _ in range(3)), [tmp_path / "rows.parquet"])
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]
    assert io.read(tmp_path / "rows.parquet").equals(ROWS)


def test_spans_that_break_off_leave_nothing_behind(tmp_path):
    def broken():
        yield SITE
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_spans(broken(), [tmp_path / "visits.parquet"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_parts_holds_each_name_once_and_appears_only_whole(tmp_path):
    parts = [{"visits": ROWS}, {"findings": ROWS.head(1)}, {"visits": ROWS, "labs": ROWS.clear()}]
    with io.new_folder(tmp_path / "tables") as folder:
        write_parts(parts, folder)
    assert {name: rows.height for name, rows in io.read_folder(tmp_path / "tables").items()} == {
        "findings": 1, "labs": 0, "visits": 4,
    }  # fmt: skip

    def broken():
        yield {"visits": ROWS}
        raise RuntimeError

    for folder in ("tables", "new"):
        with pytest.raises(RuntimeError), io.new_folder(tmp_path / folder) as new:
            write_parts(broken(), new)
    assert [path.name for path in tmp_path.iterdir()] == ["tables"]
    assert io.read_folder(tmp_path / "tables")["visits"].height == 4
