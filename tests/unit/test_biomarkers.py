"""The optional table `biomarkers`: what is valid, what becomes a factor, and that its absence changes nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from d2tra.config import PROJECT, Study
from d2tra.definitions import label, load_definition
from d2tra.definitions.gathering import up_to_cut
from d2tra.errors import StudyError
from d2tra.extract.biomarkers import Marker, known_markers
from d2tra.extract.quality import check_quality
from d2tra.extract.schemas import complete
from d2tra.extract.screen import screen_extract
from d2tra.extract.validate import Validated
from d2tra.risk_factor_plan import Factor, Plan, load_plan
from d2tra.risk_factors import assemble_analysis_set, derive_factors
from d2tra.scores import score_visits
from d2tra.tables import TABLES, Results
from d2tra.tables.prevalence import PREVALENCE
from d2tra.treatment import trace_courses
from d2tra.treatment.courses import overlapping_courses, stop_reasons_without_stop
from extracts import CLEAN, counts, reasons, site_of, validated, with_row, write_extract
from tables import frame

PLAN = load_plan()
WITHOUT = {name: text for name, text in CLEAN.items() if name != "biomarkers"}
OPTIONAL = ["sicam1_cxcl13_ratio", "interferon_signature", "synovial_pathotype"]
CLEAN_ROWS = 2


def message(result: Validated) -> str:
    return str(result.quarantine["message"].item())


# --- what is valid


@pytest.mark.parametrize(
    ("row", "column", "rule", "value"),
    [
        ("P1 | 2020-01-09 | interferon_signatur | high |", "marker", "unknown_marker", "interferon_signatur"),
        ("P1 | 2020-01-09 | Interferon signature | high |", "marker", "broken_key", "Interferon signature"),
        ("P1 | 2020-01-09 | | high |", "marker", "missing_key", None),
        ("P1 | 2020-01-09 | interferon_signature | |", "value", "missing_key", None),
        ("P1 | 2020-01-09 | interferon_signature | medium |", "value", "biomarker_out_of_range", "medium"),
        ("P1 | 2020-01-09 | interferon_signature | 3.1 |", "value", "biomarker_out_of_range", "3.1"),
        ("P1 | 2020-01-09 | synovial_pathotype | lymphomyeloid |", "value", "biomarker_out_of_range", "lymphomyeloid"),
        ("P1 | 2020-01-09 | sicam1_cxcl13_ratio | -0.1 |", "value", "biomarker_out_of_range", "-0.1"),
        ("P1 | 2020-01-09 | sicam1_cxcl13_ratio | 10000.1 |", "value", "biomarker_out_of_range", "10000.1"),
        ("P1 | 2020-01-09 | sicam1_cxcl13_ratio | high |", "value", "biomarker_out_of_range", "high"),
        ("P1 | 2020-01-09 | sicam1_cxcl13_ratio | 2,4 |", "value", "biomarker_out_of_range", "2,4"),
        ("P1 | 2020-01-09 | sicam1_cxcl13_ratio | 2.4 | ng/mL", "unit", "wrong_marker_unit", "ng/mL"),
        ("P1 | 2020-01-09 | sicam1_cxcl13_ratio | 2.4 ng/mL |", "unit", "wrong_marker_unit", None),
        ("P1 | 2020-01-09 | interferon_signature | high | score", "unit", "wrong_marker_unit", "score"),
        ("P1 | 09/01/2020 | interferon_signature | high |", "sample_date", "broken_key", "09/01/2020"),
        ("P1 | | interferon_signature | high |", "sample_date", "missing_key", None),
        ("P9 | 2020-01-09 | interferon_signature | high |", "patient_id", "unknown_patient", "P9"),
    ],
)  # fmt: skip
def test_a_planted_fault_sets_its_row_aside(
    row: str, column: str, rule: str, value: str | None, tmp_path: Path
) -> None:
    result = validated(tmp_path, with_row("biomarkers", row))

    assert reasons(result) == [("biomarkers", CLEAN_ROWS + 2, column, rule, "row", value)]
    assert counts(result, "biomarkers")["n_valid"] == CLEAN_ROWS
    assert counts(result, "biomarkers")["n_quarantined"] == 1


@pytest.mark.parametrize(
    ("row", "number"),
    [
        ("sicam1_cxcl13_ratio | 0 | ", 0.0),
        ("sicam1_cxcl13_ratio | 10000 | ratio", 10000.0),
        ("sicam1_cxcl13_ratio | 2.5 | R a t i o", 2.5),
        ("sicam1_cxcl13_ratio | <0.5 | ", 0.25),
        ("sicam1_cxcl13_ratio | >400 | ratio", 400.0),
        ("interferon_signature | High | ", None),
        ("synovial_pathotype | Lympho myeloid | ", None),
        ("synovial_pathotype | diffuse_myeloid | ", None),
    ],
)
def test_values_on_the_edge_and_other_spellings_are_valid_and_kept_as_reported(
    row: str, number: float | None, tmp_path: Path
) -> None:
    result = validated(tmp_path, with_row("biomarkers", f"P1 | 2020-01-10 | {row}"))

    assert reasons(result) == []
    valid = result.tables["biomarkers"]
    assert valid.columns == ["patient_id", "sample_date", "marker", "value", "unit", "number", "source_row"]
    kept = valid.filter(source_row=CLEAN_ROWS + 2).row(0, named=True)
    assert kept["number"] == number
    assert kept["value"] == row.split("|")[1].strip()


def test_a_number_with_its_own_unit_is_read_and_counted_as_a_repair(tmp_path: Path) -> None:
    result = validated(
        tmp_path, with_row("biomarkers", "P1 | 2020-01-10 | sicam1_cxcl13_ratio | 2.5 ratio |")
    )

    assert reasons(result) == [("biomarkers", CLEAN_ROWS + 2, "value", "own_unit", "fix", "2.5 ratio")]
    assert result.tables["biomarkers"].filter(source_row=CLEAN_ROWS + 2)["number"].to_list() == [2.5]


def test_a_censored_number_is_read_as_the_site_declares(tmp_path: Path) -> None:
    extract = with_row("biomarkers", "P1 | 2020-01-10 | sicam1_cxcl13_ratio | <0.5 |")
    for number, (choice, used) in enumerate({"half": 0.25, "limit": 0.5, "zero": 0.0}.items()):
        valid = validated(tmp_path / str(number), extract, censored=choice).tables["biomarkers"]
        assert valid.filter(value="<0.5")["number"].to_list() == [used]


def test_an_unknown_marker_names_the_nearest_one_or_all(tmp_path: Path) -> None:
    near = validated(
        tmp_path / "near", with_row("biomarkers", "P1 | 2020-01-09 | synovial_pathotyp | fibroid |")
    )
    assert message(near).endswith("no known marker, did you mean 'synovial_pathotype'?")
    far = validated(tmp_path / "far", with_row("biomarkers", "P1 | 2020-01-09 | zinc | 1 |"))
    assert message(far).endswith(f"no known marker; known: {', '.join(OPTIONAL)}.")


def test_a_value_that_does_not_fit_is_told_what_its_marker_takes(tmp_path: Path) -> None:
    result = validated(tmp_path, with_row("biomarkers", "P1 | 2020-01-09 | sicam1_cxcl13_ratio | -1 |"))
    assert message(result).endswith("sicam1_cxcl13_ratio takes a number from 0 to 10000 ratio.")


def test_a_sample_dates_the_extract_and_one_after_a_declared_cut_is_set_aside(tmp_path: Path) -> None:
    extract = with_row(
        "biomarkers",
        "P1 | 2020-07-01 | interferon_signature | low |\nP1 | 2020-07-02 | interferon_signature | high |",
    )
    assert validated(tmp_path / "a", extract).data_cut_date == dt.date(2020, 7, 2)
    cut = validated(tmp_path / "b", extract, data_cut_date=dt.date(2020, 7, 1))
    assert [row[1:5] for row in reasons(cut)] == [(5, "sample_date", "row_after_cut", "row")]


def test_rows_of_a_patient_who_was_set_aside_are_orphans(tmp_path: Path) -> None:
    result = validated(tmp_path, with_row("patients", "P1 | 7 | RA | male | 1960 | | |"))
    assert counts(result, "biomarkers")["n_orphaned"] == 1


def test_a_marker_of_the_users_own_config_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    own = "calprotectin: {title: Calprotectin, kind: number, unit: µg/mL, source: the laboratory}\n"
    (tmp_path / "config" / "biomarkers.yaml").write_text(own, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    table = "patient_id | sample_date | marker | value | unit\nP1 | 2020-01-09 | calprotectin | -3 | µg / ml"
    result = validated(tmp_path, {**CLEAN, "biomarkers": table})
    assert reasons(result) == []
    assert result.tables["biomarkers"]["number"].to_list() == [-3.0]


@pytest.mark.parametrize(
    ("section", "word"),
    [
        ("Calprotectin: {title: c, kind: number, source: s}", "small letters"),
        ("c: {title: c, kind: category, source: s}", "levels"),
        ("c: {title: c, kind: number, levels: [low], source: s}", "levels"),
        ("c: {title: c, kind: category, levels: [low], unit: mg, source: s}", "unit"),
        ("c: {title: c, kind: number, units: mg, source: s}", "did you mean 'unit'"),
        ("c: {title: c, kind: number}", "'source' is missing"),
    ],
)
def test_a_marker_that_is_declared_wrongly_is_named(
    section: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "biomarkers.yaml").write_text(section, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=word):
        known_markers()


def test_an_empty_config_knows_no_marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "biomarkers.yaml").write_text("# none\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = validated(tmp_path, CLEAN)
    assert {row[3] for row in reasons(result)} == {"unknown_marker"}


def test_the_markers_are_documented_where_the_tables_are() -> None:
    said = (PROJECT / "data" / "README.md").read_text(encoding="utf-8")
    for name, marker in known_markers().items():
        assert isinstance(marker, Marker)
        assert all(f"`{word}`" in said for word in (name, *marker.levels))


def test_the_quality_report_counts_what_is_empty(tmp_path: Path) -> None:
    extract = validated(tmp_path, CLEAN)
    treatments = extract.tables["treatments"]
    courses = trace_courses(treatments, extract.data_cut_date)
    found = check_quality(
        extract.tables,
        score_visits(extract.tables["visits"], extract.tables["labs"]),
        site_of(tmp_path),
        overlapping_courses(courses, extract.data_cut_date),
        stop_reasons_without_stop(treatments),
        score_visits,
    )
    of_table = found.filter(table="biomarkers").select("column", "check", "severity", "n").rows()
    assert of_table == [("unit", "missing", "note", 1)]


@pytest.mark.parametrize(
    "words", [["lympho-myeloid", "fibroid"], ["Lympho-Myeloid", "Fibroid"], ["low", "HIGH"]]
)
def test_the_screen_lets_its_words_pass(words: list[str], tmp_path: Path) -> None:
    rows = "\n".join(
        f"P1 | 2019-03-{day:02d} | synovial_pathotype | {words[day % 2]} |" for day in range(1, 29)
    )
    write_extract(tmp_path, **with_row("biomarkers", rows))
    assert screen_extract(site_of(tmp_path)).hits == ()


def test_the_screen_looks_into_it_as_into_every_table(tmp_path: Path) -> None:
    write_extract(tmp_path, **with_row("biomarkers", "P1 | 2019-03-01 | synovial_pathotype | 943 476 5919 |"))
    hit, *_ = screen_extract(site_of(tmp_path)).hits
    assert (hit.file, hit.column, hit.count) == ("biomarkers.csv", "column 'value'", 1)


# --- what becomes a factor


def results_of(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Results of patient A: (date, marker, value), as `complete` hands them on."""
    given = [("A", day, marker, value) for day, marker, value in rows]
    return complete(
        pl.DataFrame(given, schema=["patient_id", "sample_date", "marker", "value"], orient="row"),
        "biomarkers",
    )


def derived(
    factors: list[Factor], biomarkers: pl.DataFrame | None, baseline: str | None = "2020-01-01"
) -> dict[str, object]:
    patients = frame("patient_id | disease | sex | birth_year\nA | RA | female | 1960")
    at = pl.DataFrame(
        {"patient_id": ["A"], "baseline_date": [baseline], "first_bts_date": [None]},
        schema_overrides={"baseline_date": pl.String, "first_bts_date": pl.Date},
    ).with_columns(pl.col("baseline_date").str.to_date())
    given = {"patients": complete(patients, "patients")}
    if biomarkers is not None:
        given["biomarkers"] = biomarkers
    return derive_factors(factors, at, given, True).row(0, named=True)


def value_of(name: str, *rows: tuple[str, str, str], baseline: str | None = "2020-01-01") -> object:
    return derived([PLAN.factors[name]], results_of(*rows), baseline)[name]


@pytest.mark.parametrize(
    ("day", "is_read"),
    [
        ("2018-12-31", False),
        ("2019-01-01", True),  # 365 days before baseline: still in
        ("2020-01-01", True),
        ("2020-01-02", False),
    ],
)
def test_the_window_ends_at_baseline_and_holds_both_its_ends(day: str, is_read: bool) -> None:
    ratio = value_of("sicam1_cxcl13_ratio", (day, "sicam1_cxcl13_ratio", "2.4"))
    signature = value_of("interferon_signature", (day, "interferon_signature", "high"))
    assert (ratio, signature) == ((2.4, "high") if is_read else (None, None))


def test_each_factor_has_its_own_window() -> None:
    assert value_of("synovial_pathotype", ("2017-01-01", "synovial_pathotype", "Fibroid")) == "fibroid"
    assert value_of("synovial_pathotype", ("2016-12-31", "synovial_pathotype", "fibroid")) is None


def test_the_last_result_counts_and_of_one_day_the_last_row() -> None:
    ratio = "sicam1_cxcl13_ratio"
    assert value_of(ratio, ("2019-12-01", ratio, "9"), ("2019-06-01", ratio, "1")) == 9.0
    assert value_of(ratio, ("2019-12-01", ratio, "9"), ("2019-12-01", ratio, "1")) == 1.0


def test_another_marker_and_a_value_that_is_none_are_not_read() -> None:
    signature = "interferon_signature"
    assert (
        value_of(signature, ("2019-06-01", signature, "low"), ("2019-12-01", "synovial_pathotype", "fibroid"))
        == "low"
    )
    assert value_of(signature, ("2019-06-01", signature, "low"), ("2019-12-01", signature, "medium")) == "low"


def test_levels_are_given_as_declared_however_they_are_reported() -> None:
    for reported in ("Lympho-Myeloid", "lympho_myeloid", " lympho  myeloid "):
        assert (
            value_of("synovial_pathotype", ("2019-12-01", "synovial_pathotype", reported)) == "lympho-myeloid"
        )


def test_without_result_table_or_baseline_the_factors_are_unknown() -> None:
    factors = [PLAN.factors[name] for name in OPTIONAL]
    nothing = dict.fromkeys(OPTIONAL)
    everything = results_of(
        ("2019-12-01", "sicam1_cxcl13_ratio", "2"), ("2019-12-01", "interferon_signature", "low")
    )
    assert derived(factors, None) == {"patient_id": "A", **nothing}
    assert derived(factors, results_of()) == {"patient_id": "A", **nothing}
    assert derived(factors, everything, baseline=None) == {"patient_id": "A", **nothing}


SECTION = {
    "name": "x", "title": "X", "role": "descriptive", "source": "s", "coding": "number", "unit": "ratio",
    "from": {"biomarker": {"marker": "sicam1_cxcl13_ratio"}},
}  # fmt: skip


def test_a_limit_makes_a_number_a_yes_or_no_and_without_a_window_all_the_past_counts() -> None:
    high = {**SECTION, "name": "high", "coding": "yes_no", "from": {"limit": {"of": "x", "at_least": 2.0}}}
    del high["unit"]
    factors = [Factor.model_validate(SECTION), Factor.model_validate(high)]
    for reported, is_high in (("2", True), ("1.9", False), ("<5", True), ("<3.8", False)):
        assert (
            derived(factors, results_of(("1999-01-01", "sicam1_cxcl13_ratio", reported)))["high"] is is_high
        )
    assert derived(factors, None)["high"] is None


@pytest.mark.parametrize(
    ("change", "problem", "word"),
    [
        ({"coding": "yes_no", "unit": None}, ValueError, "a number from 0"),
        ({"coding": "category", "unit": None, "levels": ["low"]}, ValueError, "a number from 0"),
        (
            {"coding": "category", "unit": None, "levels": ["low", "medium"],
             "from": {"biomarker": {"marker": "interferon_signature"}}},
            ValueError, "one of low, high",
        ),
        ({"from": {"biomarker": {"marker": "sicam1_cxcl13"}}}, StudyError, "did you mean 'sicam1_cxcl13_ratio'"),
    ],
)  # fmt: skip
def test_a_factor_is_coded_as_its_marker(
    change: dict[str, object], problem: type[Exception], word: str
) -> None:
    with pytest.raises(problem, match=word):
        Factor.model_validate({**SECTION, **change})


def test_the_example_factors_are_descriptive_and_optional() -> None:
    of_markers = {name: factor for name, factor in PLAN.factors.items() if factor.origin.biomarker}
    assert list(of_markers) == [name for name, factor in PLAN.factors.items() if factor.optional] == OPTIONAL
    assert {factor.role for factor in of_markers.values()} == {"descriptive"}


# --- nothing else changes


def labelled(extract: dict[str, pl.DataFrame]) -> list[pl.DataFrame]:
    return list(label(extract, "eular_2021", {"data_cut_date": "2020-06-30"}))


def test_the_other_tables_and_the_labels_are_the_same_with_and_without_it(tmp_path: Path) -> None:
    with_it, without = validated(tmp_path / "with", CLEAN), validated(tmp_path / "without", WITHOUT)
    assert set(with_it.tables) - set(without.tables) == {"biomarkers"}
    assert all(rows.equals(with_it.tables[table]) for table, rows in without.tables.items())
    for one, other in zip(labelled(with_it.tables), labelled(without.tables), strict=True):
        assert one.equals(other)


def test_a_sample_after_the_studys_cut_is_left_out(tmp_path: Path) -> None:
    tables = up_to_cut(validated(tmp_path, CLEAN).tables, dt.date(2020, 1, 9))
    assert tables["biomarkers"]["marker"].to_list() == ["sicam1_cxcl13_ratio"]


STUDY = Study(
    name="s", title="t", sites=["north"], cohorts=[{"name": "audit"}], definitions=["eular_2021"], seed=1, baseline="first_bts"
)  # fmt: skip
MEMBERS = frame("""
    site  | patient_id | sequence | first_bts_date | index_date
    north | P1         | 1        | 2012-05-01     | 2020-06-10
    north | P2         | 2        | 2012-05-01     | 2020-02-03
""")
COUNTS = frame("""
    patient_id | severity | n_bts_tried | n_csdmards_before_bts | methotrexate_before_bts
    P1         | high     | 1           | 1                     | true
    P2         |          | 0           | 0                     | false
""")
LABELS = frame("""
    patient_id | definition | status  | hangs_on_presumed
    P1         | eular_2021 | met     | false
    P2         | eular_2021 | not_met | false
""")


def analysis_set(folder: Path, extract: dict[str, str], plan: Plan) -> pl.DataFrame:
    tables = validated(folder, extract).tables
    site = {
        **tables,
        "scores": score_visits(tables["visits"], tables["labs"]),
        "courses": trace_courses(tables["treatments"], dt.date(2020, 6, 30)),
        "labels": LABELS,
        "audit_counts": COUNTS,
    }
    return assemble_analysis_set(MEMBERS, [("north", site)], STUDY, list(plan.factors.values()))


def tables_of(members: pl.DataFrame, plan: Plan) -> dict[str, pl.DataFrame]:
    given = Results(
        study=STUDY,
        cohort="audit",
        plan=plan,
        definitions={"eular_2021": load_definition("eular_2021")},
        analysis_set=members,
        flow=pl.DataFrame(),
        prevalence=pl.DataFrame(schema=PREVALENCE),
    )
    return {name: TABLES[name](given).cells for name in ("table_1", "d2t_characteristics", "missingness")}


def plan_without_biomarkers() -> Plan:
    tables = {name: [row for row in rows if row not in OPTIONAL] for name, rows in PLAN.tables.items()}
    factors = {name: factor for name, factor in PLAN.factors.items() if name not in OPTIONAL}
    return PLAN.model_copy(update={"tables": tables, "factors": factors})


def test_without_the_table_the_factors_are_null_columns_and_nothing_else_changes(tmp_path: Path) -> None:
    found = analysis_set(tmp_path, WITHOUT, PLAN)
    before = analysis_set(tmp_path, WITHOUT, plan_without_biomarkers())
    new = [*OPTIONAL, *(f"{name}_at_index" for name in OPTIONAL)]

    assert set(found.columns) - set(before.columns) == set(new)
    assert found.select(before.columns).equals(before)
    assert found.select(new).null_count().row(0) == (2,) * len(new)
    levels = [pl.Enum(PLAN.factors[name].levels) for name in OPTIONAL[1:]]
    assert found.select(OPTIONAL).schema.dtypes() == [pl.Float64, *levels]
    tables, tables_before = tables_of(found, PLAN), tables_of(before, plan_without_biomarkers())
    assert all(cells.equals(tables_before[name]) for name, cells in tables.items())


def test_with_the_table_only_its_factors_differ_and_the_tables_show_those_that_somebody_has(
    tmp_path: Path,
) -> None:
    extract = with_row("biomarkers", "P1 | 2012-05-01 | interferon_signature | high |")
    found = analysis_set(tmp_path / "with", extract, PLAN)
    without = analysis_set(tmp_path / "without", WITHOUT, PLAN)

    changed = [name for name in found.columns if not found[name].equals(without[name], null_equal=True)]
    assert changed == ["interferon_signature", "sicam1_cxcl13_ratio_at_index", "synovial_pathotype_at_index"]
    shown = {name: set(cells["row"]) for name, cells in tables_of(found, PLAN).items()}
    titles = {name: PLAN.factors[name].title for name in OPTIONAL}
    for table in ("table_1", "missingness"):  # at the first b/tsDMARD
        assert titles["interferon_signature"] in shown[table]
        assert not any(title in row for row in shown[table] for title in list(titles.values())[::2])


def test_an_optional_row_among_the_characteristics_is_left_out_by_what_is_known_at_the_index_date(
    tmp_path: Path,
) -> None:
    rows = {**PLAN.tables, "d2t_characteristics": ["synovial_pathotype", "interferon_signature"]}
    plan = PLAN.model_copy(update={"tables": rows})
    shown = tables_of(analysis_set(tmp_path, CLEAN, plan), plan)["d2t_characteristics"]["row"].to_list()
    assert PLAN.factors["synovial_pathotype"].title in shown
    assert PLAN.factors["interferon_signature"].title not in shown
