"""refractory_inflammatory and refractory_non_inflammatory (PIRRA, NIRRA): D2T with or without synovitis in a swollen joint."""

import pytest

from d2tra.definitions import load_definition
from ra_vignettes import D2T, TWO_FAILED, ra, reasons_of, statuses

FELT = D2T | {"sjc28": 0, "crp_mg_l": 10.0}  # still D2T by CDAI 20
NO_COUNT = {"problematic_to_patient": True, "crp_mg_l": 30.0}
DOPPLER, NONE = "2021-06-01 ultrasound power_doppler_grade 1", "2021-06-01 ultrasound power_doppler_grade 0"
JAK_TAKEN = "baricitinib 2021-06-01 - -"


def d2t(*drugs, **given):
    return ra(*TWO_FAILED, *drugs, **given)


CASES = {  # name: patient, inflammatory, non-inflammatory
    "power Doppler 1, one swollen": (d2t(images=[DOPPLER], **D2T | {"sjc28": 1}), "met", "not_met"),
    "power Doppler 0": (d2t(images=[NONE], **D2T), "not_met", "met"),
    "power Doppler 1, none swollen": (d2t(images=[DOPPLER], **FELT), "not_met", "met"),
    "power Doppler 1, nobody counted": (d2t(images=[DOPPLER], **NO_COUNT), "not_assessable", "not_assessable"),
    "power Doppler 0, nobody counted": (d2t(images=[NONE, "2021-06-01 mri osteitis 1"], **NO_COUNT), "not_met", "met"),
    "one of two joints": (d2t(images=[NONE, DOPPLER], **D2T), "met", "not_met"),
    "the latest day counts": (d2t(images=[DOPPLER, "2021-07-01 ultrasound power_doppler_grade 0"], **D2T), "not_met", "met"),
    "365 days ago": (d2t(images=["2021-01-01 ultrasound power_doppler_grade 0"], **D2T | {"crp_mg_l": 50.0}), "not_met", "met"),
    "366 days ago: CRP stands in": (d2t(images=["2020-12-31 ultrasound power_doppler_grade 0"], **D2T | {"crp_mg_l": 50.0}), "met", "not_met"),
    "grey scale is no power Doppler": (d2t(images=["2021-06-01 ultrasound grey_scale_grade 3"], **D2T), "not_assessable", "not_assessable"),
    "no ultrasound, CRP 10.1": (d2t(**D2T | {"sjc28": 1, "crp_mg_l": 10.1}), "met", "not_met"),
    "no ultrasound, CRP 10": (d2t(**D2T | {"sjc28": 1, "crp_mg_l": 10.0}), "not_assessable", "not_assessable"),
    "no ultrasound, none swollen, CRP 10": (d2t(**FELT), "not_met", "met"),
    "no ultrasound, none swollen, CRP 10.1": (d2t(**FELT | {"crp_mg_l": 10.1}), "not_assessable", "not_assessable"),
    "no ultrasound, no CRP": (d2t(**D2T), "not_assessable", "not_assessable"),
    "none swollen, CRP suppressed": (d2t(JAK_TAKEN, **FELT), "not_assessable", "not_assessable"),
    "CRP raised although suppressed": (d2t(JAK_TAKEN, **D2T | {"crp_mg_l": 30.0}), "met", "not_met"),
    "not difficult to treat": (ra("methotrexate 2015-01-01 - -", images=[DOPPLER], **D2T), "not_met", "not_met"),
    "criterion 3 unrecorded": (d2t(images=[DOPPLER], **D2T | {"problematic_to_patient": None}), "not_assessable", "not_met"),
}  # fmt: skip
PIRRA, NIRRA = (statuses(f"refractory_{kind}inflammatory", CASES) for kind in ("", "non_"))


@pytest.mark.parametrize("name", CASES)
def test_pirra_and_nirra(name):
    assert (PIRRA[name], NIRRA[name]) == CASES[name][1:]


def test_the_reason_says_like_where_the_deciding_findings_name_no_joint():
    two = d2t(images=[DOPPLER, NONE], **D2T)
    two["imaging"][0]["joint"] = "MCP2"
    other = d2t(images=[DOPPLER, NONE], **D2T)
    other["imaging"][1]["joint"] = "MCP2"
    patients = {
        "named": d2t(images=[DOPPLER], joint="MCP2", **D2T),
        "unnamed": d2t(images=[DOPPLER], **D2T),
        "the positive one named": two,
        "the other one named": other,
        "all negative named": d2t(images=[NONE], joint="MCP2", **D2T),
        "negative unnamed": d2t(images=[NONE], **D2T),
        "no ultrasound": d2t(**D2T | {"crp_mg_l": 11.0}),
        "no ultrasound, well": d2t(**FELT),
    }
    reasons = reasons_of("refractory_inflammatory", patients)
    kinds = {name: reasons[name, "4"].split(":")[0] for name in patients}
    assert kinds == {
        "named": "PIRRA",
        "unnamed": "PIRRA-like (project reading)",
        "the positive one named": "PIRRA",
        "the other one named": "PIRRA-like (project reading)",
        "all negative named": "NIRRA",
        "negative unnamed": "NIRRA-like (project reading)",
        "no ultrasound": "PIRRA-like (project reading)",
        "no ultrasound, well": "NIRRA-like (project reading)",
    }
    assert (
        reasons["named", "4"]
        == "PIRRA: power Doppler grade 1 (MCP2) on 2021-06-01; sjc28 6 at the visit of 2022-01-01"
    )
    assert reasons["no ultrasound", "4"].endswith("no ultrasound since 2021-01-01; sjc28 6, CRP 11 mg/L at the visit of 2022-01-01")  # fmt: skip


def test_the_reason_of_an_unknown_says_what_would_settle_it():
    reasons = reasons_of("refractory_inflammatory", {name: case[0] for name, case in CASES.items()})
    assert reasons["power Doppler 1, nobody counted", "4"].endswith(
        "no sjc28; a swollen joint count would settle it"
    )
    assert reasons["no ultrasound, CRP 10", "4"].endswith("an ultrasound would settle it")


@pytest.mark.parametrize("name", ["refractory_inflammatory", "refractory_non_inflammatory"])
def test_the_title_says_that_it_may_be_a_project_reading(name):
    assert "-like" in load_definition(name).title
    assert "project reading" in load_definition(name).title
