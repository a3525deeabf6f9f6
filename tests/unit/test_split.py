"""`d2tra split`: one extract becomes several sites; no row is lost, and labels and cohorts are those of the whole."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from d2tra.cli import main
from d2tra.cohort import select_cohort
from d2tra.config import Cohort
from d2tra.definitions import judge_site
from d2tra.errors import StudyError
from d2tra.extract.mapping import harmonise
from d2tra.extract.site import load_site
from d2tra.extract.split import part_of, split_site
from d2tra.extract.validate import validate_extract
from d2tra.scores import score_visits
from d2tra.treatment import recognise_drugs, trace_courses
from small_study import extract, write_table

SITE = "format: canonical\nsource: extract\ndata_cut_date: 2023-12-31\n"
MAPPED = """\
source: extract
title: Département
data_cut_date: 2023-12-31
crp_unit: mg/L
tables:
  patients:
    - {file: patients.csv, header_row: 2, encoding: cp1252, delimiter: ";", columns: {Nr: patient_id, Platz: sequence, Stadt: ethnicity}, constants: {disease: RA, sex: female, birth_year: 1950}, values: {ethnicity: {Zürich: white}}}
  visits: {file: wide.csv, columns: {Nr: patient_id, Tag: visit_date, TJC: tjc28}, ignore: [Drug, Start]}
  treatments: {file: wide.csv, columns: {Nr: patient_id, Drug: drug, Start: start_date}, ignore: [Tag, TJC]}
"""
PARTS = 4


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The 40 patients of the small study as one site, in the folder of the command."""
    monkeypatch.chdir(tmp_path)
    for table, rows in extract().items():
        write_table(tmp_path / "extract" / f"{table}.csv", rows)
    (tmp_path / "one.yaml").write_text(SITE, encoding="utf-8")
    return tmp_path


def split(n_parts: int = PARTS, site: str = "one.yaml") -> list[str]:
    split_site(load_site(site), n_parts, Path("parts"))
    return sorted(path.stem for path in Path("config/sites").glob("*.yaml"))


def labelled(site: str) -> dict[str, pl.DataFrame]:
    """Everything that is made of a site before cohorts: by the functions behind the rules."""
    mapping = load_site(site)
    valid = validate_extract(harmonise(mapping), mapping, recognise_drugs)
    tables = {**valid.tables, "courses": trace_courses(valid.tables["treatments"], valid.data_cut_date)}
    tables["scores"] = score_visits(tables["visits"], tables["labs"], tables["patients"])
    judged = judge_site(
        tables, ["eular_2021", "audit_95"], {"data_cut_date": valid.data_cut_date, "evidence": "none"}, None
    )
    found = {**tables, **judged, "accounting": valid.accounting}
    name = mapping.name
    return {key: frame.select(pl.lit(name).alias("site"), pl.all()) for key, frame in found.items()}


@pytest.mark.usefixtures("whole")
def test_labels_cohorts_and_accounting_of_the_parts_are_those_of_the_whole() -> None:
    one = labelled("one.yaml")
    each = [labelled(name) for name in split(2)]
    parts = {key: pl.concat([part[key] for part in each]) for key in one}
    for key in ("courses", "scores", "labels", "policies", "verdicts"):
        order = [name for name in one[key].columns if not name.startswith(("site", "source"))]
        compared = (frame.select(order).sort(order) for frame in (one[key], parts[key]))
        first, second = compared
        assert first.height
        assert first.equals(second), key
    counts = [name for name in one["accounting"].columns if name.startswith("n_")]
    sums = (
        found["accounting"].group_by("table").agg(pl.col(counts).sum()).sort("table")
        for found in (one, parts)
    )
    first, second = sums
    assert first.equals(second)
    for sequence in ((1, 20), (21, 40)):
        cohort = Cohort.model_validate({"name": "audit", "disease": "RA", "sequence": sequence})
        (members, flow), (of_parts, flow_of_parts) = (
            select_cohort(cohort, found["patients"], found["courses"], found["labels"])
            for found in (one, parts)
        )
        assert members["patient_id"].sort().equals(of_parts["patient_id"].sort())
        assert flow.equals(flow_of_parts)


@pytest.mark.usefixtures("whole")
def test_every_row_is_in_exactly_one_part_in_its_order_and_a_patient_in_one_part_only() -> None:
    split()
    for table, rows in extract().items():
        parts = [pl.read_parquet(path) for path in sorted(Path("parts").glob(f"*/{table}.parquet"))]
        assert len(parts) == PARTS
        texts = [tuple(str(cell) or None for cell in row.values()) for row in rows]
        assert sorted(map(repr, texts)) == sorted(repr(row) for part in parts for row in part.rows())
        for part in parts:
            places = [texts.index(row) for row in part.rows()]
            assert [place for place in places if texts.count(texts[place]) == 1] == sorted(
                place for place in places if texts.count(texts[place]) == 1
            )
        ids = [set(part["patient_id"]) for part in parts]
        assert sum(map(len, ids)) == len(set.union(*ids))


def test_a_mapped_site_keeps_its_mapping_and_its_text_files_become_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ids = [f"P{number:02}" for number in range(30)]
    Path("extract").mkdir()
    people = [f"{one};{place};Zürich" for place, one in enumerate(ids, start=1)]
    text = "\r\n".join(["Register;;", "Nr;Platz;Stadt", *people])
    Path("extract/patients.csv").write_bytes(text.encode("cp1252"))
    rows = [f"{one},2020-01-0{day},{day},adalimumab,2019-01-01" for one in ids for day in (1, 2)]
    Path("extract/wide.csv").write_text("\n".join(["Nr,Tag,TJC,Drug,Start", *rows]), encoding="utf-8")
    Path("mapped.yaml").write_text(MAPPED, encoding="utf-8")
    one = harmonise(load_site("mapped.yaml")).tables
    parts = [harmonise(load_site(name)).tables for name in split(3, "mapped.yaml")]
    for table, frame in one.items():
        order = [name for name in frame.columns if name not in ("source", "source_row", "place")]
        together = pl.concat([part[table] for part in parts]).select(order)
        assert frame.select(order).sort(order).equals(together.sort(order))
    assert one["patients"]["ethnicity"].unique().to_list() == ["white"]
    assert load_site("mapped_1").title == "Département"


EXPECTED = [178, 434, 947, 178, 231, 231, 653]  # of sha256sum


def test_the_part_of_a_patient_is_the_same_on_every_machine() -> None:
    """Reference: SHA-256 of the id's text, its first eight bytes as a number, modulo the parts."""
    ids = pl.Series(["R000001", "R000002", "R000003", " R000001 ", "7", "7.0", None])
    assert part_of(ids, 1_000).to_list() == EXPECTED
    code = "import polars as pl; from d2tra.extract.split import part_of; print(part_of(pl.Series(['R000001', 'R000002']), 1000).to_list())"
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == str(EXPECTED[:2])


def test_patients_are_spread_evenly() -> None:
    counts = part_of(pl.Series([f"R{number}" for number in range(10_000)]), 10).value_counts()["count"]
    assert counts.min() > 900
    assert counts.max() < 1_100


@pytest.mark.parametrize(
    ("arrange", "n_parts", "words"),
    [
        (lambda folder: (folder / "one.yaml").write_text(SITE.replace("data_cut_date: 2023-12-31\n", "")), 4, "data_cut_date"),
        (lambda folder: (folder / "parts").mkdir(), 4, "parts: is there already"),
        (lambda folder: (folder / "config" / "sites").mkdir(parents=True) or (folder / "config/sites/one_2.yaml").touch(), 4, "one_2.yaml: is there already"),
        (Path.exists, 1, "into 2 to"),
        (Path.exists, 40, "has no patients. Split into fewer"),
        (lambda folder: write_table(folder / "extract" / "labs.csv", [{"patient": "SMALLPT01", "test": "rf"}]), 4, "labs.csv has no column 'patient_id'"),
        (lambda folder: write_table(folder / "extract" / "patients.csv", [{**row, "sequence": row["sequence"] if row["sequence"] < 3 else ""} for row in extract()["patients"]]), 4, "no patient with a `sequence`"),
        (lambda folder: (folder / "one.yaml").write_text(SITE.replace("extract", "duckdb:///x.duckdb")), 4, "only files are split"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_is_said_and_leaves_nothing_behind(
    whole: Path, arrange, n_parts: int, words: str
) -> None:
    arrange(whole)
    before = sorted(whole.rglob("*"))
    with pytest.raises(StudyError, match=words):
        split(n_parts)
    assert sorted(whole.rglob("*")) == before


@pytest.mark.usefixtures("whole")
def test_the_command_says_what_the_study_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["split", "one.yaml", "--into", "4", "--out", "parts"]) == 0
    said = capsys.readouterr().out
    assert "sites: [one_1, one_2, one_3, one_4]" in said
    assert "SMALLPT" not in said
    assert Path("parts").stat().st_mode & 0o777 == 0o700
