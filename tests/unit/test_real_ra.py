"""69 real patients with early RA, as published: a mapping takes them in, and impossible DAS28 come to light.

Source: Artacho A et al., Arthritis Rheumatol 2021 (PMID 33314800), as curated in waldronlab/curatedMetagenomicData.
The file is no part of the project: skipped where it is not beside it.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml

from d2tra.extract.mapping import harmonise
from d2tra.extract.quality import check_quality
from d2tra.extract.schemas import no_rows
from d2tra.extract.site import SiteMapping, load_site
from d2tra.extract.validate import Validated, validate_extract
from d2tra.scores import score_visits
from d2tra.treatment import recognise_drugs
from d2tra.treatment.courses import overlapping_courses, stop_reasons_without_stop, trace_courses

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "real_ra"
FILE = "ArtachoA_2021_sample.tsv"
pytestmark = pytest.mark.skipif(not (FOLDER / FILE).is_file(), reason="the published file is not here")

CRP, ESR = "High Sensitivity C-Reactive Protein Measurement", "Erythrocyte Sedimentation Rate Measurement"
CCP, RF = "Cyclic Citrullinated Peptide Antibody Measurement", "Rheumatoid Factor Antibody Measurement"
OTHER = [
    "study_name", "sample_id", "body_site", "antibiotics_current_use", "target_condition", "control", "age", "age_group",
    "country", "location", "westernized", "sequencing_platform", "dna_extraction_kit", "pmid", "ncbi_accession",
    "curator", "uncurated_nationality", "disease_response_orr", "treatment", "uncurated_DAS28_t4", "host_species",
]  # fmt: skip
SPLIT = {"names": "biomarker_name", "values": "biomarker_value", "units": "biomarker_unit"}
PARTS = [CRP, ESR, CCP, RF, *(f"{name} unit" for name in (CRP, ESR, CCP, RF))]
MAPPING = {
    "source": FOLDER.as_posix(),
    "upper_limits": {"rf": 14, "anti_ccp": 20},
    "tables": {
        "treatments": "none",
        "patients": {
            "file": FILE,
            "columns": {"subject_id": "patient_id"},
            "constants": {"birth_year": ""},
            "values": {"sex": {"Female": "female", "male": "male"}, "disease": {"Rheumatoid arthritis": "RA"}},
            "ignore": OTHER,
        },
        "visits": {
            "file": FILE,
            "split": SPLIT,
            "columns": {
                "subject_id": "patient_id", "uncurated_tjc": "tjc28", "uncurated_sjc": "sjc28", ESR: "esr_mm_h",
                CRP: "crp_mg_l", "uncurated_DAS28_baseline": "recorded_das28",
            },
            "constants": {"visit_date": "2015-01-01", "recorded_das28_form": "esr4"},
            "missing": {"esr_mm_h": ["NA"], "crp_mg_l": ["NA"]},
            "ignore": [*OTHER, *PARTS],
        },
        "labs": {
            "file": FILE,
            "split": SPLIT,
            "columns": {"subject_id": "patient_id"},
            "constants": {"sample_date": "2015-01-01"},
            "wide_to_long": [
                {"columns": {RF: "value"}, "constants": {"test": "rf", "unit": "U/mL"}},
                {"columns": {CCP: "value"}, "constants": {"test": "anti_ccp", "unit": "U/mL"}},
            ],
            "missing": {"value": ["NA"]},
            "ignore": [*OTHER, *PARTS, "disease", "sex", "uncurated_DAS28_baseline", "uncurated_tjc", "uncurated_sjc"],
        },
    },
}  # fmt: skip


SITE = SiteMapping.model_validate({"name": "artacho", "path": "artacho.yaml", **MAPPING})


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Validated:
    mapping = tmp_path_factory.mktemp("site") / "artacho.yaml"
    mapping.write_text(yaml.safe_dump(MAPPING), encoding="utf-8")
    site = load_site(mapping.as_posix())
    return validate_extract(harmonise(site), site, recognise_drugs)


def test_every_patient_and_visit_of_the_publication_is_valid(extract: Validated) -> None:
    counts = extract.accounting.select(
        "table", "n_read", "n_valid", "n_quarantined", "n_duplicate", "n_cells_set_aside"
    )

    assert counts.rows()[:2] == [("patients", 69, 69, 0, 0, 0), ("visits", 69, 69, 0, 0, 0)]
    assert counts.row(2) == ("labs", 132, 132, 0, 0, 0)  # 69 × 2 without the 6 declared NA
    assert extract.quarantine["rule"].unique().to_list() == ["declared_missing"]


def test_packed_results_reach_their_columns(extract: Validated) -> None:
    first = extract.tables["visits"].filter(patient_id="s_126")
    assert first.select("tjc28", "sjc28", "esr_mm_h", "crp_mg_l", "recorded_das28").row(0) == (
        5,
        6,
        5,
        3,
        4.04,
    )
    labs = extract.tables["labs"].filter(patient_id="s_126").sort("test")
    assert labs.select("test", "number", "upper_limit").rows() == [("anti_ccp", 111, 20), ("rf", 157, 14)]
    assert extract.tables["patients"]["sex"].value_counts(sort=True).rows() == [
        ("female", 54), ("male", 13), (None, 2),
    ]  # fmt: skip


def test_published_das28_that_need_an_impossible_patient_global_are_found(extract: Validated) -> None:
    """By hand (0.56√TJC + 0.28√SJC + 0.70 ln ESR + 0.014 global): 9 of 68 lie outside 0–100 mm, 8 of them by over 2 mm, the tolerance."""
    visits, labs, nothing = extract.tables["visits"], extract.tables["labs"], no_rows("treatments")
    overlaps = overlapping_courses(trace_courses(nothing))
    found = check_quality(
        extract.tables,
        score_visits(visits, labs),
        SITE,
        overlaps,
        stop_reasons_without_stop(nothing),
        score_visits,
    )
    impossible = found.filter(check="recorded_das28_impossible_global")
    parts = 0.56 * pl.col("tjc28").sqrt() + 0.28 * pl.col("sjc28").sqrt() + 0.70 * pl.col("esr_mm_h").log()
    needed = visits.select((pl.col("recorded_das28") - parts) / 0.014).to_series().drop_nulls()

    assert impossible.select("table", "column", "severity", "n").row(0) == (
        "visits",
        "recorded_das28",
        "warning",
        8,
    )
    assert impossible["message"].item().startswith("8 of 68 recorded DAS28 without a recorded patient global")
    assert (~needed.is_between(0, 100)).sum() == 9
    assert (~needed.is_between(-2, 102)).sum() == 8
