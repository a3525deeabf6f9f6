"""The same labels by other tools (benchmarks/peers.py): DuckDB and pandas, written apart from the package, agree with it."""

import importlib.util
from pathlib import Path

import duckdb
import polars as pl
import pytest

from d2tra import io
from d2tra.definitions import label_patients
from d2tra.scores import score_visits
from d2tra.treatment import trace_courses

PATH = Path(__file__).parents[2] / "benchmarks" / "peers.py"


def load(path: Path):
    spec = importlib.util.spec_from_file_location(f"peers_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


peers = load(PATH)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the valid tables of 300 synthetic patients, and what the package makes of them."""
    folder = tmp_path_factory.mktemp("site")
    (tables,) = peers.draw_rough_site(300)
    courses = trace_courses(tables["treatments"], peers.registry.CUT)
    scores = score_visits(tables["visits"], None, tables["patients"], peers.SCORES)
    asked = {"evidence": "none", "data_cut_date": peers.registry.CUT}
    found = {
        "courses": courses,
        "scores": scores,
        "labels": label_patients(tables, courses, scores, ["eular_2021"], asked).labels,
    }
    for name, frame in tables.items():
        io.write(frame, folder / "valid" / f"{name}.parquet")
    for name, frame in found.items():
        io.write(frame, folder / "d2tra" / f"{name}.parquet")
    return folder


def run_duckdb(stage: str) -> None:
    duckdb.connect().execute((PATH.parent / "peers" / f"{stage}.sql").read_text())


def run_pandas(stage: str) -> None:
    pytest.importorskip("pandas")
    load(PATH.parent / "peers" / f"{stage}.py").main()


@pytest.mark.parametrize(("peer", "run"), [("duckdb", run_duckdb), ("pandas", run_pandas)])
def test_another_tool_finds_the_same_in_every_cell(
    site: Path, monkeypatch: pytest.MonkeyPatch, peer: str, run
) -> None:
    own = site / peer
    own.mkdir()
    (own / "valid").symlink_to(site / "valid")
    monkeypatch.chdir(own)
    for stage, key in peers.KEYS.items():
        run(stage)
        ours, theirs = (site / tool / f"{stage}.parquet" for tool in ("d2tra", peer))
        assert peers.compare(ours, theirs, key, peers.CELLS[stage]) == {}


def test_the_patients_are_hard_enough_to_tell_right_from_wrong(site: Path) -> None:
    courses, labels = (pl.read_parquet(site / "d2tra" / f"{name}.parquet") for name in ("courses", "labels"))
    assert set(courses["outcome"]) == {
        "ongoing", "failed_inefficacy", "too_short", "failed_intolerance", "stopped_other", "presumed_failed", "unknown",
    }  # fmt: skip
    assert courses["has_imputed_stop"].any()
    assert courses["n_records"].max() > 2
    assert set(labels["status"]) == {"met", "not_met", "not_assessable"}
    assert labels.filter(pl.col("status") != "met")["first_met_date"].count() > 0


OURS = pl.DataFrame({"patient_id": ["A", "B", "C"], "score": [1.0, None, 3.0], "band": ["low", None, "high"]})


@pytest.mark.parametrize(
    ("theirs", "differing"),
    [
        (OURS.reverse(), {}),
        (OURS.with_columns(score=pl.col("score") + 5e-10), {}),
        (OURS.with_columns(score=pl.col("score") + 2e-9), {"score": 2}),
        (OURS.with_columns(score=pl.Series([1.0, 2.0, None])), {"score": 2}),
        (OURS.with_columns(score=pl.lit(float("nan"))), {"score": 3}),
        (OURS.with_columns(band=pl.Series(["low", "low", "high"])), {"band": 1}),
        (OURS.head(2), {"rows": 1}),
        (OURS.with_columns(patient_id=pl.Series(["A", "B", "D"])), {"rows": 2}),
    ],
)
def test_every_cell_that_differs_is_counted(tmp_path: Path, theirs: pl.DataFrame, differing: dict) -> None:
    io.write(OURS, tmp_path / "ours.parquet")
    for name in ("theirs.parquet", "theirs.csv"):
        if theirs["score"].is_nan().any() and name.endswith("csv"):
            continue
        io.write(theirs, tmp_path / name)
        assert (
            peers.compare(tmp_path / "ours.parquet", tmp_path / name, ["patient_id"], OURS.columns)
            == differing
        )


def test_a_column_that_a_peer_leaves_out_is_a_difference(tmp_path: Path) -> None:
    io.write(OURS, tmp_path / "ours.parquet")
    io.write(OURS.drop("band"), tmp_path / "theirs.parquet")
    found = peers.compare(
        tmp_path / "ours.parquet", tmp_path / "theirs.parquet", ["patient_id"], OURS.columns
    )
    assert found == {"band": 2}  # the third is unknown in both


def test_every_stage_has_its_script_for_every_peer() -> None:
    scripts = {path.name for path in (PATH.parent / "peers").iterdir() if path.is_file()}
    assert scripts == {f"{stage}.{ending}" for stage in peers.KEYS for _, ending in peers.COMMANDS.values()}
