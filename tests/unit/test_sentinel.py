"""The unit sentinel: a swap of units stops the run, wherever it is; a clean extract never does."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.extract.findings import collect
from d2tra.extract.mapping import Harmonised, harmonise
from d2tra.extract.quality import _not_judged
from d2tra.extract.sentinel import guard_units, judge_units, rescaled, watched
from d2tra.extract.validate import validate_extract
from d2tra.treatment import recognise_drugs
from extracts import CLEAN, site_of, write_extract
from unit_swaps import KINDS, SCOPES, draw_extract, seeded

SITE = site_of(Path("extract"), crp_unit="mg/L")
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "real_ra"


def extract(column: str, *cells: float | str, labs: tuple[str, ...] = (), **groups: str) -> Harmonised:
    """Returns visits with these cells (each a visit of 2020 of one file unless `groups` says otherwise), and CRP results."""
    told = {"source": "a.csv", "visit_date": "2020-01-01", **groups}
    visits = pl.DataFrame({column: [str(cell) for cell in cells]}, schema={column: pl.String})
    visits = visits.with_columns(
        **{name: pl.lit(text) for name, text in told.items()}, is_duplicate=pl.lit(False)
    )
    tables = {"visits": visits}
    if labs:
        results = pl.DataFrame({"value": labs}).with_columns(
            test=pl.lit("crp"), sample_date=pl.lit("2020-01-01")
        )
        tables["labs"] = results.with_columns(source=pl.lit("labs.csv"), is_duplicate=pl.lit(False))
    return Harmonised(tables, collect([]))


def told(harmonised: Harmonised, *confirmed: str) -> list[tuple[object, ...]]:
    """Returns table, column, by, group, looks of every group that does not look as declared."""
    site = SITE.model_copy(update={"units_confirmed": list(confirmed)})
    found = judge_units(harmonised, site).filter(pl.col("looks").is_not_null())
    return found.select("table", "column", "by", "group", "looks").rows()


def looks(column: str, *cells: float | str) -> list[str]:
    return [str(row[-1]) for row in told(extract(column, *cells))]


def test_a_crp_median_below_1_5_looks_like_mg_per_dl() -> None:
    assert looks("crp_mg_l", *[1.4] * 16, *[12] * 14) == ["mg/dL taken for mg/L"]
    assert looks("crp_mg_l", *[1.5] * 16, *[12] * 14) == []
    assert looks("crp_mg_l", *[1.4] * 29) == []  # too few to tell
    assert looks("crp_mg_l", *[1.4] * 28, 30, 31) == []  # as high as only mg/L are


def test_a_crp_of_the_laboratory_is_judged_as_reported_censored_or_without_a_unit() -> None:
    results = extract("haq_di", labs=("<0.5", "0.8", "2.1") * 10)
    assert told(results) == [("labs", "crp_mg_l", "source", "labs.csv", "mg/dL taken for mg/L")]
    assert told(extract("haq_di", labs=("<5", "8", "21") * 10)) == []


def test_a_crp_ten_times_too_high_looks_like_mg_per_l_taken_for_mg_per_dl() -> None:
    assert looks("crp_mg_l", *[21] * 27, *[160] * 3) == ["mg/L taken for mg/dL"]
    assert looks("crp_mg_l", *[21] * 28, *[160] * 2) == []  # an active clinic


@pytest.mark.parametrize("column", ["patient_global_mm", "physician_global_mm", "pain_mm", "fatigue_mm"])
def test_a_mark_of_which_nothing_exceeds_10_is_in_cm_and_one_beyond_100_was_in_mm(column: str) -> None:
    assert looks(column, *[5.5] * 29, 10) == ["cm taken for mm"]
    assert looks(column, *[5.5] * 27, *[11] * 3) == []
    assert looks(column, *[50] * 17, *[550] * 3, *[60] * 10) == []
    assert looks(column, *[50] * 25, *[550] * 5) == ["mm taken for cm"]


@pytest.mark.parametrize(("high", "what"), [(9.5, "a 0-10 scale"), (24, "a 0-24 sum"), (52, "a 0-60 sum")])
def test_a_haq_beyond_3_in_a_tenth_of_its_values_is_on_another_scale(high: float, what: str) -> None:
    assert looks("haq_di", *[1.5] * 27, *[high] * 3) == [f"{what} taken for HAQ-DI"]
    assert looks("haq_di", *[1.5] * 28, *[high] * 2) == []


def test_joint_counts_beyond_28_in_one_visit_of_a_hundred_are_of_66_or_68_joints() -> None:
    assert looks("tjc28", *[4] * 96, *[31] * 4) == ["counts of more than 28 joints"]
    assert looks("tjc28", *[4] * 97, *[31] * 3) == []  # slips
    assert looks("tjc28", *[4] * 90, *[99] * 10) == []  # a code of nothing, not a count


@pytest.mark.parametrize(
    ("column", "cell", "what"),
    [
        ("height_cm", 1.65, "m taken for cm"), ("height_cm", 65, "inches taken for cm"), ("height_cm", 5.5, "feet taken for cm"),
        ("height_cm", 16500, "cm taken for m"), ("height_cm", 419, "cm taken for inches"),
        ("weight_kg", 165, "pounds taken for kg"), ("weight_kg", 11.8, "stones taken for kg"),
        ("weight_kg", 34, "kg taken for pounds"), ("weight_kg", 476, "kg taken for stones"),
        ("height_cm", 150, None), ("weight_kg", 50, None), ("weight_kg", 110, None),
    ],
)  # fmt: skip
def test_the_median_of_bodies_tells_their_unit(column: str, cell: float, what: str | None) -> None:
    assert looks(column, *[cell] * 10) == ([what] if what else [])
    assert looks(column, *[cell] * 9) == []


def joined(*parts: Harmonised) -> Harmonised:
    return Harmonised(
        {"visits": pl.concat([part.tables["visits"] for part in parts], how="diagonal")}, collect([])
    )


@pytest.mark.parametrize(
    ("by", "groups", "group"),
    [
        ("source", {"source": "b.csv"}, "b.csv"),
        ("clinic", {"clinic": "north"}, "north"),
        ("year", {"visit_date": "2019-05-01"}, "2019"),
    ],
)
def test_a_swap_in_one_file_clinic_or_year_is_told_once_and_there(
    by: str, groups: dict[str, str], group: str
) -> None:
    right = extract("pain_mm", *range(10, 100, 2), clinic="south")
    both = joined(
        right, extract("pain_mm", *[cell / 10 for cell in range(10, 100, 2)], **{"clinic": "south", **groups})
    )
    assert told(both) == [("visits", "pain_mm", by, group, "cm taken for mm")]
    assert told(right) == []


def test_a_quiet_group_beside_others_is_no_swap() -> None:
    """CRP by a sensitive assay in remission: below the limit of a whole column, but not a tenth of the others."""
    quiet = extract("crp_mg_l", *[0.8] * 21, *[3] * 19, source="remission.csv")
    others = extract("crp_mg_l", *[2.5] * 20, *[10] * 20)
    assert told(joined(others, quiet)) == []
    assert looks("crp_mg_l", *[0.8] * 21, *[3] * 19) == [
        "mg/dL taken for mg/L"
    ]  # alone nobody can tell: confirm it


def test_a_column_that_the_site_confirms_does_not_stop_and_an_unknown_name_is_refused() -> None:
    swapped = extract("pain_mm", *[5.5] * 30)
    site = SITE.model_copy(update={"units_confirmed": ["pain_mm"]})
    assert set(judge_units(swapped, site)["verdict"]) == {"confirmed"}
    judge_units(
        swapped, SITE.model_copy(update={"units_confirmed": ["recorded_das28"]})
    )  # its header is watched
    with pytest.raises(
        StudyError, match=r"units_confirmed: 'pain_m' is no column under watch, did you mean 'pain_mm'\?"
    ):
        judge_units(swapped, SITE.model_copy(update={"units_confirmed": ["pain_m"]}))


def test_duplicates_count_once_and_small_groups_are_said_to_be_not_judged() -> None:
    once = extract("pain_mm", *[5.5] * 29)
    visits = once.tables["visits"]
    twice = Harmonised({"visits": pl.concat([visits, visits.with_columns(is_duplicate=True)])}, collect([]))
    judged = judge_units(twice, SITE)
    assert set(judged["verdict"]) == {"not judged"}
    assert [(f.check, f.column, f.n) for f in _not_judged(judged)] == [("unit_not_judged", "pain_mm", 29)] * 3
    assert list(_not_judged(None)) == []


def test_the_stop_says_where_what_and_how_many_labels_and_rescales_nothing(tmp_path: Path) -> None:
    rows = "\n".join(
        f"P1 | {day} | {cell}"
        for day, cell in zip(
            pl.date_range(pl.date(2019, 1, 1), pl.date(2019, 1, 30), eager=True), [5.5] * 30, strict=True
        )
    )
    extract_files = {**CLEAN, "visits": f"patient_id | visit_date | pain_mm\n{rows}"}
    site = site_of(write_extract(tmp_path, **extract_files), data_cut_date="2021-01-01")
    harmonised = harmonise(site)
    valid = validate_extract(harmonised, site, recognise_drugs)
    seen: list[list[float | None]] = []

    class Judged:
        def __init__(self, tables: dict[str, pl.DataFrame]) -> None:
            pain = tables["visits"]["pain_mm"]
            seen.append(pain.unique().to_list())
            high = bool((pain > 40).any())
            self.labels = tables["patients"].select("patient_id", status=pl.lit("met" if high else "not_met"))

    with pytest.raises(StudyError) as stop:
        guard_units(
            harmonised,
            site,
            valid.tables,
            lambda tables: validate_extract(tables, site, recognise_drugs),
            Judged,
        )
    assert seen == [[5.5], [55.0]]
    message = str(stop.value)
    assert (
        "visits.pain_mm, file visits.csv: 30 values with a median of 5.5 look like cm taken for mm" in message
    )
    assert "changes the label of 2 of 2 patients" in message
    assert "units_confirmed: [pain_mm]" in message
    assert "P1" not in message
    confirmed = site.model_copy(update={"units_confirmed": ["pain_mm"]})
    assert "confirmed" in guard_units(harmonised, confirmed, valid.tables, None, None)["verdict"].to_list()  # type: ignore[arg-type]


def test_rescaled_results_keep_their_sign_and_counts_of_other_joints_are_emptied() -> None:
    labs = extract("tjc28", *[4] * 90, *[31] * 10, labs=("<0.5", "0.8", "2.1 mg/L") * 10)
    swapped = judge_units(labs, SITE).filter(verdict="swapped")
    right = rescaled(labs, swapped).tables
    assert right["labs"]["value"].unique().sort().to_list() == ["21.0", "8.0", "<5.0"]
    assert right["visits"]["tjc28"].null_count() == 100


def test_a_clinic_column_is_kept_beside_the_canonical_ones(tmp_path: Path) -> None:
    visits = "patient_id | visit_date | site\nP1 | 2020-01-01 | North\nP2 | 2020-01-02 |"
    tables = {
        "patients": {"file": "patients.csv"},
        "visits": {"file": "visits.csv", "clinic": "site"},
        "treatments": "none",
    }
    folder = write_extract(tmp_path, patients=CLEAN["patients"], visits=visits)
    site = site_of(folder, format="mapped", tables=tables)
    valid = validate_extract(harmonise(site), site, recognise_drugs).tables
    assert valid["visits"]["clinic"].to_list() == ["North", None]
    assert "clinic" not in valid["patients"].columns
    tables["visits"]["clinic"] = "sit"  # type: ignore[index]
    with pytest.raises(
        StudyError, match=r"tables.visits.clinic names 'sit', which is not there, did you mean 'site'\?"
    ):
        harmonise(site_of(folder, format="mapped", tables=tables))


@pytest.mark.parametrize("seed", range(0, 40, 2))
def test_a_clean_department_is_never_stopped(seed: int) -> None:
    assert told(draw_extract(seed, populations=1, most=130).harmonised()) == []


@pytest.mark.parametrize("seed", range(1, 48, 2))
def test_a_seeded_swap_is_found_in_its_column(seed: int) -> None:
    kind, scope = KINDS[seed // 2 % len(KINDS)], SCOPES[seed % 3 if seed % 3 else 3]
    scope = "whole" if (kind.table, scope) == ("labs", "source") or kind.factor is None else scope
    swap = seeded(
        draw_extract(seed, populations=1, most=130), kind, scope, seed, watched()[kind.column].values_at_least
    )
    assert swap is not None
    assert (kind.table, kind.column) in [hit[:2] for hit in told(swap[0].harmonised())]


@pytest.mark.skipif(not REAL.is_dir(), reason="the published files are not here")
def test_published_crp_and_haq_are_never_stopped() -> None:
    """69 patients of Artacho 2021 and 135 of Zhang 2015: CRP in mg/L, HAQ-DI."""
    zhang = pl.read_csv(REAL / "ZhangX_2015_sample.tsv", separator="\t", infer_schema=False).filter(
        pl.col("CDAI").is_not_null()
    )
    artacho = pl.read_csv(REAL / "ArtachoA_2021_sample.tsv", separator="\t", infer_schema=False)
    crp = artacho["biomarker_value"].str.split(";").list.first().replace("NA", None).drop_nulls()
    assert told(extract("crp_mg_l", *zhang["hscrp"].drop_nulls())) == []
    assert told(extract("haq_di", *zhang["HAQ"].drop_nulls())) == []
    assert told(extract("crp_mg_l", *crp)) == []
    in_mg_per_dl = [float(cell) / 10 for cell in zhang["hscrp"].drop_nulls()]
    assert looks("crp_mg_l", *in_mg_per_dl) == ["mg/dL taken for mg/L"]
