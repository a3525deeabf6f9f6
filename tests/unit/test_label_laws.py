"""Laws that every label keeps, on random patients whose values sit on the edges of eular_2021."""

import datetime as dt

import polars as pl
import polars.selectors as cs
import pytest
from random_patients import random_extract

from d2tra.config import PROJECT
from d2tra.definitions import judge_site, label, tells_of_glucocorticoids, visit_columns
from d2tra.extract.schemas import complete
from d2tra.scores import score_visits
from d2tra.treatment import trace_courses
from d2tra.treatment.drug_names import recognised

SEEDS = range(3)
CUT = dt.date(2023, 12, 31)
BRANDS = {
    "adalimumab": "Amgevita",
    "etanercept": "Benepali 50 mg pen",
    "tocilizumab": "RoActemra",
    "rituximab": "Truxima",
}
FAILURES = ["primary_inefficacy", "secondary_inefficacy", "inefficacy", "adverse_event", "intolerance"]


def patients(seed: int) -> dict[str, pl.DataFrame]:
    rows = random_extract(seed, 120)
    extract = {table: pl.DataFrame(records, infer_schema_length=None) for table, records in rows.items()}
    in_order = extract["treatments"].with_columns(source_row=pl.int_range(2, pl.len() + 2))
    texts = extract["labs"].with_columns(pl.col("value").cast(pl.String))
    return {**extract, "labs": texts, "treatments": in_order}


def labels_of(extract: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return label(extract, "eular_2021").labels


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_the_rows_never_matters(seed):
    extract = patients(seed)
    shuffled = {table: rows.sample(fraction=1, shuffle=True, seed=seed) for table, rows in extract.items()}
    before, after = label(extract, "eular_2021"), label(shuffled, "eular_2021")
    assert after.labels.equals(before.labels)
    assert after.evidence.equals(before.evidence)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_brand_or_biosimilar_in_place_of_the_molecule_never_changes_a_label(seed):
    extract = patients(seed)
    every_second = pl.col("source_row") % 2 == 0
    renamed = pl.when(every_second).then(pl.col("drug").replace(BRANDS)).otherwise("drug")
    switched = extract["treatments"].with_columns(drug=renamed)
    assert not switched.equals(extract["treatments"])
    assert labels_of({**extract, "treatments": switched}).equals(labels_of(extract))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_failed_course_of_a_new_mechanism_never_lowers_the_count_of_failed_mechanisms(seed):
    extract = patients(seed)
    before = labels_of(extract)
    stop = extract["visits"].group_by("patient_id").agg(stop_date=pl.col("visit_date").max())
    added = stop.with_columns(
        start_date=pl.col("stop_date") - pl.duration(days=100),
        drug=pl.lit("guselkumab"),
        stop_reason=pl.lit("inefficacy"),
        source_row=pl.lit(1_000_000, pl.Int64),
    )
    assert "guselkumab" not in extract["treatments"]["drug"]
    more = pl.concat([extract["treatments"], added], how="diagonal_relaxed")
    after = labels_of({**extract, "treatments": more})
    n_before, n_after = before["n_failed_mechanisms"], after["n_failed_mechanisms"]
    assert (n_after >= n_before).all()
    assert (n_after > n_before).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_reason_that_becomes_unknown_never_turns_met_into_not_met(seed):
    """Rituximab is left out: without a reason its course may count as a completed cycle (2.2.0)."""
    extract = patients(seed)
    forgotten = pl.col("stop_reason").is_in(FAILURES) & (pl.col("drug") != "rituximab")
    vague = extract["treatments"].with_columns(stop_reason=pl.when(~forgotten).then("stop_reason"))
    before, after = labels_of(extract), labels_of({**extract, "treatments": vague})
    were_met = after.filter((before["status"] == "met").fill_null(False))
    assert were_met.height > 0
    assert "not_met" not in were_met["status"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flag_that_nobody_recorded_never_turns_met_into_not_met(seed):
    extract = patients(seed)
    no_flag = [
        pl.lit(None, pl.Boolean).alias(f"problematic_to_{who}") for who in ("patient", "rheumatologist")
    ]
    before, after = (
        labels_of(extract),
        labels_of({**extract, "visits": extract["visits"].with_columns(no_flag)}),
    )
    met = before["status"] == "met"
    assert set(after.filter(met)["status"]) == {"not_assessable"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shift_of_every_date_shifts_the_dates_and_nothing_else(seed):
    extract = patients(seed)
    week = dt.timedelta(days=7)
    shifted = {
        table: rows.with_columns(pl.col(name) + week for name, kind in rows.schema.items() if kind == pl.Date)
        for table, rows in extract.items()
    }
    back = labels_of(shifted).with_columns(pl.col("index_date", "first_met_date") - week)
    assert back.equals(labels_of(extract))


def test_the_columns_said_to_be_needed_are_all_that_is_looked_at():
    extract = patients(0)
    study = {"if_criterion_3_unrecorded": "global_above_50", "severity_score": ["sdai"]}
    names = sorted(path.stem for path in (PROJECT / "config" / "definitions").glob("*.yaml"))
    scores = score_visits(extract["visits"], extract["labs"], extract["patients"])
    valid = {"visits": complete(extract["visits"], "visits"), "scores": scores}
    known = {**extract, **valid, "courses": trace_courses(extract["treatments"])}
    needed = cs.by_name(visit_columns(names, study), require_all=False)
    few = {**known, **{table: rows.select(needed) for table, rows in valid.items()}}
    assert all(few[table].width < rows.width for table, rows in valid.items())
    every, judged = judge_site(known, names, study), judge_site(few, names, study)
    assert every["evidence"].height > 0
    assert all(judged[name].equals(every[name]) for name in every)


def test_a_site_judged_in_spans_of_patients_gives_what_it_gives_whole():
    extract = patients(1)
    valid = {name: complete(rows, name) for name, rows in extract.items()}
    scores = score_visits(valid["visits"], valid["labs"], valid["patients"])
    treatments = recognised(valid["treatments"])
    takers = treatments.filter(pl.col("kind") == "glucocorticoid")["patient_id"].unique()
    assert 0 < len(takers) < valid["patients"].height
    known = {**valid, "treatments": treatments, "courses": trace_courses(treatments, CUT), "scores": scores}
    study = {"data_cut_date": CUT}
    whole = judge_site(known, ["eular_2021"], study)
    recorded = tells_of_glucocorticoids(treatments.lazy(), study)
    takes_any = pl.col("patient_id").is_in(takers.implode())
    for span in (takes_any, ~takes_any):
        part = {name: rows.filter(span) for name, rows in known.items()}
        found = judge_site(part, ["eular_2021"], study, recorded)
        assert all(found[name].equals(rows.filter(span)) for name, rows in whole.items())


def test_a_site_tells_of_glucocorticoids_by_a_row_up_to_the_cut():
    rows = pl.LazyFrame({"kind": ["glucocorticoid", "csdmard"], "start_date": [CUT, None]})
    assert tells_of_glucocorticoids(rows, {"data_cut_date": CUT})
    assert not tells_of_glucocorticoids(rows, {"data_cut_date": CUT - dt.timedelta(days=1)})
    assert tells_of_glucocorticoids(rows)
    assert not tells_of_glucocorticoids(rows.filter(pl.col("kind") == "csdmard"))
    assert not tells_of_glucocorticoids(None)
