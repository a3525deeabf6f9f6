"""How long does a registry take? Courses, scores and labels of a million synthetic patients, from parquet to parquet.

`uv run python benchmarks/registry.py [patients] [folder]` draws the patients (20 visits and 6 prescriptions each; default 1,000,000),
writes them as a site's valid tables into the folder (default: a temporary one, removed afterwards), and runs each stage in a process of its
own: seconds, processor seconds, peak memory. First the floor: reading the columns that are needed.
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from d2tra import io
from d2tra.config import PROJECT
from d2tra.definitions import Definition, label_patients, load_definition, visit_columns
from d2tra.extract.schemas import complete
from d2tra.jobs import ENVIRONMENT
from d2tra.scores import score_visits
from d2tra.scores import visit_columns as scored_columns
from d2tra.spans import read_spans, side_by_side, write_spans
from d2tra.treatment import trace_courses
from d2tra.treatment.drug_names import recognised

SEED = 20240424
DRAWN_AT_ONCE = 100_000
VISITS, PRESCRIPTIONS = 20, 6  # per patient
FIRST_DAY, CUT = dt.date(2015, 1, 1), dt.date(2023, 12, 31)
CSDMARDS = ["methotrexate", "sulfasalazine", "hydroxychloroquine", "leflunomide"]
BTS = ["adalimumab", "etanercept", "tocilizumab", "rituximab", "baricitinib", "abatacept"]
STOPS = ["primary_inefficacy", "secondary_inefficacy", "adverse_event", "remission", "unknown", None]
SWITCHES = 0.3  # how often a prescription is another drug than the one before
Tables = dict[str, pl.DataFrame]
STAGES = ("floor", "courses", "scores", "labels")
READ_BY = {
    "courses": ("patients", "treatments"),
    "scores": ("patients", "visits", "labs"),
}  # as their doors do


def draw_site(n_patients: int, seed: int = SEED) -> Iterator[dict[str, pl.DataFrame]]:
    """Yields patients, visits and treatments as valid tables, of 100,000 at a time, in the order of their ids."""
    for start in range(0, n_patients, DRAWN_AT_ONCE):
        n = min(DRAWN_AT_ONCE, n_patients - start)
        yield _draw_patients(start, n, np.random.default_rng([seed, start]))


def _draw_patients(start: int, n: int, draw: np.random.Generator) -> dict[str, pl.DataFrame]:
    ids = pl.Series("patient_id", [f"R{number:09}" for number in range(start, start + n)])
    severity = draw.gamma(2, 0.5, n).clip(0.1, 4)
    of_visit, of_row = np.repeat(np.arange(n), VISITS), np.repeat(np.arange(n), PRESCRIPTIONS)
    ill, n_visits = severity[of_visit], n * VISITS
    patients = pl.DataFrame({"patient_id": ids, "disease": "RA", "sex": "female", "birth_year": 1960})
    visits = pl.DataFrame(
        {
            "patient_id": ids.gather(of_visit),
            "days": np.tile(np.arange(VISITS) * 150, n) + draw.integers(0, 90, n_visits),
            "tjc28": np.minimum(draw.poisson(3 * ill), 28),
            "sjc28": np.minimum(draw.poisson(1.5 * ill), 28),
            "patient_global_mm": draw.normal(25 * ill, 15).clip(0, 100).round(),
            "physician_global_mm": draw.normal(20 * ill, 15).clip(0, 100).round(),
            "pain_mm": draw.normal(25 * ill, 18).clip(0, 100).round(),
            "fatigue_mm": draw.normal(30 * ill, 18).clip(0, 100).round(),
            "esr_mm_h": (draw.gamma(2, 6, n_visits) * ill).clip(1, 150).round(),
            "crp_mg_l": (draw.gamma(1, 5, n_visits) * ill).clip(0, 300).round(1),
            "haq_di": (draw.integers(0, 12, n_visits) * ill / 8).clip(0, 3).round(3),
            "problematic_to_patient": draw.random(n_visits) < ill / 4,
        }
    ).select(pl.exclude("days"), visit_date=pl.lit(FIRST_DAY) + pl.duration(days="days"))
    place = np.tile(np.arange(PRESCRIPTIONS), n)
    switched = (place > 2) & (draw.random(n * PRESCRIPTIONS) < SWITCHES * severity[of_row])
    n_before = (
        pl.DataFrame({"p": of_row, "s": switched}).select(pl.col("s").cum_sum().over("p"))["s"].to_numpy()
    )
    bts = pl.Series(BTS).gather((draw.integers(0, len(BTS), n)[of_row] + n_before) % len(BTS))
    csdmard = pl.Series(CSDMARDS).gather((draw.integers(0, len(CSDMARDS), n)[of_row] + place) % len(CSDMARDS))
    begun = pl.DataFrame({"place": place, "days": place * 400 + draw.integers(0, 60, n * PRESCRIPTIONS)})
    last = begun.select(
        (pl.col("place") == PRESCRIPTIONS - 1) & (pl.lit(draw.random(n * PRESCRIPTIONS)) < 0.7)
    )
    treatments = pl.DataFrame(
        {
            "patient_id": ids.gather(of_row),
            "drug": pl.select(pl.when(pl.lit(pl.Series(place)) < 2).then(csdmard).otherwise(bts)).to_series(),
            "days": begun["days"],
            "length": draw.integers(330, 400, n * PRESCRIPTIONS),
            "reason": pl.Series(STOPS).gather(draw.integers(0, len(STOPS), n * PRESCRIPTIONS)),
            "open": last.to_series(),
        }
    ).select(
        "patient_id",
        "drug",
        start_date=pl.lit(FIRST_DAY) + pl.duration(days="days"),
        stop_date=pl.when(~pl.col("open")).then(
            pl.lit(FIRST_DAY) + pl.duration(days=pl.col("days") + pl.col("length"))
        ),
        stop_reason=pl.when(~pl.col("open")).then("reason"),
    )
    tables = {"patients": patients, "visits": visits, "treatments": treatments}
    valid = {name: complete(frame, name) for name, frame in tables.items()}
    return {**valid, "treatments": recognised(valid["treatments"])}


def run_stage(
    stage: str, folder: Path, definitions: list[str] | None = None, scores: list[str] | None = None
) -> None:
    """Does one stage as its door does it, and prints seconds, processor seconds and peak MB.

    `definitions`, `scores`: those that are asked for (None: all definitions of RA, all scores).
    """
    before, start = time.process_time(), time.perf_counter()
    names = definitions or sorted(path.stem for path in (PROJECT / "config" / "definitions").glob("*.yaml"))
    loaded = [d for d in map(load_definition, names) if d.disease == "RA"]
    judged = visit_columns(loaded, {})
    columns = {"scores": {"visits": scored_columns()}, "labels": {"visits": judged, "scores": judged}}
    spans = read_spans(_files(folder, stage), columns=columns.get(stage))
    if stage == "floor":
        needed = [
            "patient_id",
            "visit_date",
            "tjc28",
            "sjc28",
            "patient_global_mm",
            "physician_global_mm",
            "pain_mm",
        ]
        needed += ["fatigue_mm", "esr_mm_h", "crp_mg_l", "haq_di", "problematic_to_patient"]
        pl.scan_parquet(folder / "valid" / "visits.parquet").select(pl.col(needed).hash().sum()).collect(
            engine="streaming"
        )
    elif stage == "courses":
        write_spans(side_by_side(_trace, spans), [folder / "courses.parquet"])
    elif stage == "scores":
        write_spans(side_by_side(partial(_score, scores=scores), spans), [folder / "scores.parquet"])
    else:
        judge = partial(_label, definitions=loaded)
        write_spans(side_by_side(judge, spans), [folder / "labels.parquet"])
    seconds, processor = time.perf_counter() - start, time.process_time() - before
    print(
        f"{stage:<10}{seconds:>10.1f}{processor:>12.1f}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>10.0f}"
    )


def _trace(span: Tables) -> Tables:
    return {"courses": trace_courses(span["treatments"], CUT)}


def _score(span: Tables, scores: list[str] | None) -> Tables:
    return {"scores": score_visits(span["visits"], None, span["patients"], scores, as_text=False)}


def _label(span: Tables, definitions: list[Definition]) -> Tables:
    asked = (definitions, {"evidence": "none", "data_cut_date": CUT})
    return {"labels": label_patients(span, span.pop("courses"), span.pop("scores"), *asked).labels}


def _files(folder: Path, stage: str) -> dict[str, Path]:
    valid = io.files_of(folder / "valid", *READ_BY.get(stage, ()))
    return (
        {**valid, **{name: folder / f"{name}.parquet" for name in ("courses", "scores")}}
        if stage == "labels"
        else valid
    )


def main(n_patients: int, folder: Path) -> None:
    """Prints one line per stage."""
    if not (folder / "valid" / "visits.parquet").exists():
        # in a process of its own: a child's peak of memory begins with its parent's
        subprocess.run([sys.executable, __file__, "--draw", str(n_patients), str(folder)], check=True)
    print(
        f"{n_patients:,} synthetic patients, {n_patients * VISITS:,} visits, {n_patients * PRESCRIPTIONS:,} prescriptions, {os.cpu_count()} cores"
    )
    print(f"{'stage':<10}{'seconds':>10}{'processor':>12}{'peak MB':>10}", flush=True)
    for stage in STAGES:
        command = [sys.executable, __file__, "--stage", stage, str(folder)]
        subprocess.run(command, check=True, env={**os.environ, **ENVIRONMENT})
    met = (
        pl.scan_parquet(folder / "labels.parquet")
        .filter(definition="eular_2021")
        .select((pl.col("status") == "met").mean())
    )
    print(f"met by eular_2021: {100 * met.collect().item():.1f} %")


def write_site(n_patients: int, folder: Path) -> None:
    """Writes the drawn tables to valid/ of the folder."""
    names = ("patients", "visits", "treatments")
    write_spans(draw_site(n_patients), [folder / "valid" / f"{name}.parquet" for name in names])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--draw"]:
        write_site(int(sys.argv[2]), Path(sys.argv[3]))
    elif sys.argv[1:2] == ["--stage"]:
        run_stage(sys.argv[2], Path(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(
                int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000,
                Path(sys.argv[2] if len(sys.argv) > 2 else temporary),
            )
