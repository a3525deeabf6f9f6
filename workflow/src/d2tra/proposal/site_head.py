"""What a mapping says of the site as a whole: units and limits of laboratory results, separators of drugs."""

from __future__ import annotations

import polars as pl

from d2tra.codelists import dmards
from d2tra.extract.cells import reported_parts
from d2tra.proposal.draft import CHOOSE, Draft, in_cells
from d2tra.proposal.feeds import Feed
from d2tra.proposal.measures import MEASURED
from d2tra.proposal.words import Words, drug_names, key

TITRES = ("rf", "anti_ccp")


def guess_head(head: Draft, feeds: list[Feed], words: Words) -> None:
    """Adds data_cut_date (asked), crp_unit, upper_limits, drug_separators and records_glucocorticoids where the tables need or show them."""
    head.guess(
        ("data_cut_date",),
        CHOOSE,
        "the last day of which the extract tells, YYYY-MM-DD; without the line its latest date",
    )
    results = [lab_results(feed, words) for feed in feeds if feed.table == "labs"]
    if results:
        labs = pl.concat(results)
        _guess_crp_unit(head, labs, words)
        _guess_limits(head, labs)
    drugs = _drugs(feeds)
    _guess_separators(head, drugs, words)
    steroids = dmards().filter(pl.col("kind") == "glucocorticoid")
    named = {name for column in ("names", "spellings") for names in steroids[column] for name in names}
    n = int(drugs.is_in([*named]).sum())
    if n:
        reason = f"{n:,} courses are glucocorticoids; true only if none recorded means none taken"
        head.guess(("records_glucocorticoids",), True, reason)


def lab_results(feed: Feed, words: Words) -> pl.DataFrame:
    """Returns test (ours, null for others), value, unit, upper_limit: one row per result of a feed of labs, as text."""
    cells, source = feed.cells(), feed.source()
    scheme = words.scheme("test", ())
    groups = [group for reshape in source.wide_to_long for group in reshape.groups()] or [({}, {})]
    frames = []
    for columns, constants in groups:
        ours = {ours: theirs for theirs, ours in {**source.columns, **columns}.items()}
        ours |= {
            name: name
            for name in ("test", "value", "unit", "upper_limit")
            if name in cells.columns and name not in ours
        }
        picked = {
            name: pl.col(ours[name]) if name in ours else pl.lit(constants.get(name), dtype=pl.String)
            for name in ("test", "value", "unit", "upper_limit")
        }
        frames.append(cells.select(**picked).filter(pl.col("value").is_not_null()))
    rows = pl.concat(frames)
    meant = {word: scheme.get(key(word)) for word in rows["test"].drop_nulls().unique()}
    return rows.with_columns(pl.col("test").replace_strict(meant, default=None, return_dtype=pl.String))


def _guess_crp_unit(head: Draft, labs: pl.DataFrame, words: Words) -> None:
    bare = labs.filter(pl.col("test") == "crp", pl.col("unit").is_null()).select(
        **reported_parts(pl.col("value"))
    )
    numbers = bare.filter(pl.col("own_unit").is_null())["x"].drop_nulls()
    if numbers.is_empty():
        return
    unit, reason = MEASURED["mg/L"](numbers, words)
    head.guess(("crp_unit",), unit or CHOOSE, f"of CRP results without a unit; {reason}")


def _guess_limits(head: Draft, labs: pl.DataFrame) -> None:
    numeric = labs.with_columns(**reported_parts(pl.col("value"))).drop_nulls("x")
    for test in TITRES:
        mine = numeric.filter(pl.col("test") == test)
        n_bare = mine["upper_limit"].null_count()
        if not n_bare:
            continue
        stated = mine["upper_limit"].drop_nulls().unique().to_list()
        reason = f"{n_bare:,} results state no upper limit"
        if len(stated) == 1:
            reason += f"; the other {mine.height - n_bare:,} all state this one"
            head.guess(("upper_limits", test), float(stated[0]), reason)
        else:
            head.guess(
                ("upper_limits", test),
                CHOOSE,
                f"{reason}: what is the laboratory's? Without the line: unknown",
            )


def _drugs(feeds: list[Feed]) -> pl.Series:
    cells = [
        feed.cells()[name].drop_nulls().str.to_lowercase().alias("drug")
        for feed in feeds
        if feed.table == "treatments"
        for name in feed.filled().get("drug", [])
    ]
    return pl.concat(cells) if cells else pl.Series("drug", [], dtype=pl.String)


def _guess_separators(head: Draft, drugs: pl.Series, words: Words) -> None:
    """What stands between two drugs of the list in one cell that is no listed name as a whole. Listed names only."""
    names = [*drug_names()]
    left = drugs.filter(~drugs.is_in(names))
    for separator in words.drug_separators:
        parts = left.str.split(separator)
        several = parts.list.len() > 1
        listed = parts.list.eval(pl.element().str.strip_chars().is_in(names).all()).list.first()
        n = int((several & listed).sum())
        if n:
            head.list_guess("drug_separators", separator, f"{in_cells(n)} with two listed drugs so")
            left = left.filter(~(several & listed))


def count_ids(feeds: list[Feed]) -> None:
    """Notes how many different patients each table has, and how many of them the table of patients knows."""
    known: set[str] = set()
    for feed in sorted(feeds, key=lambda feed: feed.table != "patients"):
        ids = feed.cells()[feed.filled()["patient_id"][0]].drop_nulls()
        distinct = set(ids.unique())
        note = f"patient_id: {len(distinct):,} different in {len(ids):,} rows"
        if feed.table == "patients":
            known |= distinct
            note += (
                ", each once"
                if len(distinct) == len(ids)
                else "; a patient in several rows must read the same in each"
            )
        elif known:
            note += f"; {len(distinct & known):,} of them are in patients"
        n_unfit = int((~ids.str.contains("^[A-Za-z0-9_-]{1,64}$")).sum())
        if n_unfit:
            note += f"; {n_unfit:,} hold other signs than letters, digits, _ and - and would be set aside"
        feed.notes.append(note)
