"""The code lists: each fact once, no contradiction, and diagnoses found by their codes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from d2tra.codelists import BTS_KINDS, KINDS, concept_codes, diagnosis_concepts, dmards, local_concept
from d2tra.config import PROJECT
from d2tra.errors import StudyError
from tables import frame

# specification of the labels 2.1
MECHANISMS = {
    "tnf": ["adalimumab", "certolizumab pegol", "etanercept", "golimumab", "infliximab"],
    "il6r": ["levilimab", "olokizumab", "sarilumab", "sirukumab", "tocilizumab"],
    "cd20": ["ofatumumab", "rituximab"],
    "ctla4_ig": ["abatacept"],
    "il1": ["anakinra", "canakinumab"],
    "jak": ["baricitinib", "filgotinib", "peficitinib", "tofacitinib", "upadacitinib"],
    "tyk2": ["deucravacitinib"],
    "il17": ["bimekizumab", "brodalumab", "ixekizumab", "netakimab", "secukinumab"],
    "il12_23": ["ustekinumab"],
    "il23": ["guselkumab", "risankizumab", "tildrakizumab"],
    "pde4": ["apremilast"],
}


def test_every_b_and_tsdmard_has_the_mechanism_of_the_specification():
    drugs = dmards().filter(pl.col("mechanism").is_not_null())
    found = {key[0]: sorted(group["molecule"]) for key, group in drugs.group_by("mechanism")}
    assert found == MECHANISMS
    assert set(drugs["kind"]) == set(BTS_KINDS)


def test_csdmards_and_glucocorticoids_have_no_mechanism():
    others = dmards().filter(~pl.col("kind").is_in(BTS_KINDS))
    assert others["mechanism"].null_count() == others.height == 25
    assert set(dmards()["kind"]) <= set(KINDS)


def test_glucocorticoid_factors_are_exact_fractions():
    found = dmards().filter(pl.col("prednisolone_factor").is_not_null())
    assert dict(found.select("molecule", "prednisolone_factor").iter_rows()) == {
        "prednisolone": 1, "prednisone": 1, "methylprednisolone": 5 / 4, "triamcinolone": 5 / 4, "hydrocortisone": 1 / 4,
        "cortisone": 1 / 5, "dexamethasone": 20 / 3, "betamethasone": 20 / 3, "deflazacort": 5 / 6,
    }  # fmt: skip
    assert set(found["kind"]) == {"glucocorticoid"}


def test_acute_phase_is_suppressed_where_the_list_says_yes_or_partly():
    suppressing = dmards().filter(pl.col("kind").is_in(BTS_KINDS) & pl.col("suppresses_crp"))
    assert set(suppressing["mechanism"]) == {
        "il6r",
        "il1",
        "jak",
    }  # `no (falls with response)` of TNF is a no
    assert sorted(suppressing["molecule"]) == sorted(
        MECHANISMS["il6r"] + MECHANISMS["il1"] + MECHANISMS["jak"]
    )


def test_current_and_former_codes_are_read_out_of_their_notes():
    codes = dict(dmards().select("molecule", "atc_codes").iter_rows())
    assert codes["methotrexate"] == ["L04AX03", "L01BA01"]
    assert codes["ofatumumab"] == ["L04AG12", "L01XC10", "L01FA02"]
    assert codes["iguratimod"] == []


def own_codelists(folder: Path, monkeypatch: pytest.MonkeyPatch, **changed: str) -> None:
    """Code lists of the command's own folder: a copy of the shipped ones, with one changed."""
    lists = folder / "config" / "codelists"
    lists.mkdir(parents=True)
    for name in ("dmards", "mechanisms", "concepts"):
        shipped = (PROJECT / "config" / "codelists" / f"{name}.csv").read_text(encoding="utf-8")
        (lists / f"{name}.csv").write_text(shipped + changed.get(name, ""), encoding="utf-8")
    monkeypatch.chdir(folder)


def drug_line(
    molecule: str, group: str, moa_class: str, atc: str = "", brands: str = "", synonyms: str = ""
) -> str:
    return f"{molecule},{group},{moa_class},no,no,{atc},,{brands},{synonyms},,no,no,no,no,,\n"


def test_a_department_can_add_a_molecule_and_its_mechanism(tmp_path, monkeypatch):
    own_codelists(
        tmp_path, monkeypatch,
        dmards=drug_line("newdrugmab", "bDMARD", "GM-CSF inhibitor", brands="Newbrand") + drug_line("vitamin x", "other", ""),
        mechanisms="GM-CSF inhibitor,gm_csf,\n",
    )  # fmt: skip
    added = dmards().tail(2).select("molecule", "kind", "mechanism", "names")
    assert added.rows() == [
        ("newdrugmab", "bdmard", "gm_csf", ["newdrugmab", "newbrand"]),
        ("vitamin x", "other", None, ["vitamin x"]),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (drug_line("newdrugmab", "bDMARD", "GM-CSF inhibitor"), "moa_class of newdrugmab"),
        (drug_line("newdrugmab", "bDMARDs", "TNF inhibitor"), "did you mean 'bdmard'"),
        (drug_line("newdrugmab", "bDMARD", "TNF inhibitor", synonyms="humira"), "spellings.*humira"),
        (drug_line("newdrugmab", "bDMARD", "TNF inhibitor", atc="L04AB04"), "atc_codes.*L04AB04"),
    ],
)
def test_a_contradiction_in_the_drug_list_is_refused(tmp_path, monkeypatch, line, message):
    own_codelists(tmp_path, monkeypatch, dmards=line)
    with pytest.raises(StudyError, match=message):
        dmards()


DIAGNOSES = frame("""
    patient_id | code_system | code              | concept
    p01        | icd10       | M79.7             | fibromyalgia
    p02        | icd10       | M797              | fibromyalgia
    p03        | icd10       | m79.70            | fibromyalgia
    p04        | icd10       | M79               |
    p05        | snomed      | 203082005         | fibromyalgia
    p06        | snomed      | 2030820051        |
    p07        | omop        | 80180             | osteoarthritis
    p08        | icd10       | M17.1             | osteoarthritis
    p09        | icd10       | M14.9             |
    p10        | icd10       | I19               |
    p11        | icd10       | I20.0             | cardiovascular_disease
    p12        | icd10       | I25.9             | cardiovascular_disease
    p13        | icd10       | I26               |
    p14        | icd10       | E13.9             | diabetes
    p15        | icd10       | E15               |
    p16        | icd10       | M05.1†            | rheumatoid_arthritis
    p17        | icd10       | J99.0*            | ild
    p18        | icd10       | M06.1             | adult_onset_still_disease
    p19        | icd10       | M06.4             | inflammatory_polyarthropathy
    p20        | icd10       | M06               |
    p21        | icd10       | L40.5             | psoriatic_arthritis
    p22        | read2       | N040.             | rheumatoid_arthritis
    p23        | read2       | N040.00           | rheumatoid_arthritis
    p24        | read2       | N0401             | rheumatoid_arthritis
    p25        | read2       | n040.             |
    p26        | read2       | N043.             | juvenile_arthritis
    p27        | local       | FM                |
    p28        | icd10       | 203082005         |
    p29        | snomed      | M79.7             |
    p30        | icd10       | F33.1             | depression
    p31        | icd10       | M81.0             | osteoporosis
    p32        | icd10       | E66.9             | obesity
""").with_columns(recorded_date=dt.date(2020, 1, 1))


def test_a_diagnosis_is_found_by_its_code_in_its_own_system():
    found = dict(diagnosis_concepts(DIAGNOSES).select("patient_id", "concept").iter_rows())
    expected = dict(
        DIAGNOSES.filter(pl.col("concept").is_not_null()).select("patient_id", "concept").iter_rows()
    )
    assert found == expected


def test_the_site_of_an_osteoarthritis_and_the_serology_of_an_ra_are_told():
    found = diagnosis_concepts(DIAGNOSES.drop("concept"))
    assert found.filter(pl.col("patient_id").is_in(["p07", "p08", "p16"]))["detail"].to_list() == [
        "any",
        "knee",
        "seropositive",
    ]


def test_local_codes_are_mapped_in_any_case():
    own = DIAGNOSES.with_columns(local_concept=local_concept({" Fm": "fibromyalgia"}))
    found = diagnosis_concepts(own).filter(patient_id="p27")
    assert found.select("concept", "detail", "recorded_date").rows() == [
        ("fibromyalgia", None, dt.date(2020, 1, 1))
    ]


def test_the_same_concept_of_one_day_is_one_row_and_an_undated_one_stays():
    recorded = frame("""
        patient_id | recorded_date | code_system | code
        p1         | 2020-01-01    | icd10       | M79.7
        p1         | 2020-01-01    | snomed      | 203082005
        p1         |               | icd10       | M79.7
        p1         | 2021-01-01    | icd10       | M79.7
    """)
    dates = [None, dt.date(2020, 1, 1), dt.date(2021, 1, 1)]
    assert diagnosis_concepts(recorded)["recorded_date"].to_list() == dates


def test_a_site_without_coded_concepts_has_none():
    assert diagnosis_concepts(DIAGNOSES.clear()).height == 0


def test_the_codes_of_a_concept_are_listed_with_their_source():
    codes = concept_codes("diabetes")
    assert set(codes.filter(code_system="icd10")["code"]) == {"E10", "E11", "E12", "E13", "E14"}
    assert codes["source"].null_count() == 0
    assert set(concept_codes()["status"]) == {"verified", "unverified"}


def test_an_unknown_concept_is_refused_with_the_nearest_one():
    with pytest.raises(StudyError, match="did you mean 'osteoarthritis'"):
        concept_codes("osteoarthrosis")


def test_snomed_codes_of_the_list_have_a_valid_check_digit():
    """SNOMED CT ids end in a Verhoeff digit: a code damaged by a spreadsheet fails it."""
    codes = concept_codes().filter(code_system="snomed")["code"]
    assert all(6 <= len(code) <= 18 and verhoeff(code) == 0 for code in codes)
    assert verhoeff("203082006") != 0


def verhoeff(code: str) -> int:
    """The Verhoeff checksum by the dihedral group of order 10; 0 if the last digit is right (Verhoeff 1969)."""
    times = [[(a + b) % 5 if a < 5 and b < 5 else 0 for b in range(10)] for a in range(10)]
    for a in range(10):
        for b in range(10):
            low = (a % 5 + b) % 5 if a < 5 else (a - b) % 5
            times[a][b] = low + (5 if (a < 5) != (b < 5) else 0)
    turned = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
    check = 0
    for place, digit in enumerate(reversed(code)):
        value = int(digit)
        for _ in range(place % 8):
            value = turned[value]
        check = times[check][value]
    return check
