"""The timelines: what stands on them, that they are the same every time, quick, and never without their warnings."""

import datetime as dt
import time
from xml.etree import ElementTree

import polars as pl
import pytest

from d2tra.documents.timeline_pages import timeline_pages
from d2tra.figures.style import load_style
from d2tra.figures.svg import Canvas
from d2tra.figures.timeline import PRIVATE, draw_timelines, why_stopped
from d2tra.scores import score_visits
from d2tra.scores.settings import load_score_settings
from d2tra.treatment import trace_courses
from d2tra.treatment.sequence import order_treatments
from tables import frame

CUT = dt.date(2023, 12, 31)
TITLE = "EULAR 2021 difficult-to-treat RA"
SVG = "{http://www.w3.org/2000/svg}"
PATIENTS = frame("""
    patient_id | disease
    A/1        | RA
    <b>        | RA
""")
TREATMENTS = frame("""
    patient_id | drug         | start_date | stop_date  | stop_reason
    A/1        | methotrexate | 2015-01-01 |            |
    A/1        | etanercept   | 2016-03-02 | 2018-01-01 | secondary_inefficacy
    A/1        | tocilizumab  | 2018-02-01 | 2019-06-01 |
    A/1        | rituximab    | 2019-08-01 | 2019-08-15 |
    A/1        | adalimumab   | 2022-01-01 |            |
    <b>        | etanercept   | 2016-01-01 | 2018-01-01 | inefficacy
    <b>        | baricitinib  | 2018-02-01 | 2020-01-01 | adverse_event
""")
VISITS = frame("""
    patient_id | visit_date | tjc28 | sjc28 | esr_mm_h | crp_mg_l | patient_global_mm | physician_global_mm
    A/1        | 2016-02-01 | 10    | 8     | 40       | 30       | 70                | 60
    A/1        | 2019-07-01 | 2     | 1     | 4        |          | 20                | 20
    A/1        | 2023-06-01 | 6     | 4     | 30       | 12       | 55                | 50
    <b>        | 2023-06-01 |       |       |          |          |                   |
""")
LABELS = frame("""
    patient_id | definition | index_date | status | first_met_date | n_failed_mechanisms | n_failed_drugs | n_failures_presumed
    A/1        | eular_2021 | 2023-06-01 | met    | 2019-07-01     | 2                   | 2              | 1
    <b>        | eular_2021 | 2023-06-01 | met    | 2023-06-01     | 2                   | 2              | 0
""")
EVIDENCE = frame("""
    patient_id | definition | criterion | met  | reason
    A/1        | eular_2021 | 1m        | true | 2 mechanisms failed: tnf (etanercept, stopped 2018-01-01), il6r (tocilizumab)
    <b>        | eular_2021 | 1m        | true | 2 mechanisms failed: tnf, jak
""")
COURSES = trace_courses(TREATMENTS, CUT)
SCORES = score_visits(VISITS)


def drawn(labels=LABELS, courses=COURSES, scores=SCORES, synthetic=False):
    look = (load_style(), load_score_settings(), synthetic)
    return draw_timelines(labels, courses, scores, TITLE, CUT, *look)


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def tooltips(svg):
    shapes = (
        shape for shape in ElementTree.fromstring(svg).iter() if shape.tag in (f"{SVG}rect", f"{SVG}circle")
    )
    return [title.text for shape in shapes for title in shape.findall(f"{SVG}title")]


def pages(synthetic=False):
    sequence = order_treatments(COURSES, PATIENTS, CUT)
    return timeline_pages(drawn(), LABELS, EVIDENCE, sequence, COURSES, TITLE, synthetic)


def test_every_patient_of_the_labels_gets_one_svg_in_their_order():
    assert list(drawn()) == ["A/1", "<b>"]
    assert list(drawn(LABELS.tail(1))) == ["<b>"]


def test_the_same_history_gives_the_same_bytes_whatever_the_order_of_its_rows():
    assert drawn() == drawn(courses=COURSES.reverse())
    assert drawn() == drawn()


def test_the_figure_names_the_patient_the_definition_and_the_two_dates():
    said = texts(drawn()["A/1"])
    assert {
        "Patient A/1",
        f"{TITLE}: met on 2023-06-01",
        "first met 2019-07-01",
        "index date 2023-06-01",
    } <= set(said)
    assert "first met, and index date 2023-06-01" in texts(drawn()["<b>"])


def test_no_figure_is_without_its_warning_and_synthetic_ones_say_so_across():
    for svg in drawn().values():
        assert PRIVATE in texts(svg)
        assert "SYNTHETIC" not in svg
    for svg in drawn(synthetic=True).values():
        assert {f"{PRIVATE} · SYNTHETIC DATA", "SYNTHETIC DATA"} <= set(texts(svg))


def test_each_drug_stands_with_its_mechanism_conventional_drugs_first_then_by_mechanism_in_order_of_first_use():
    drugs = [words for words in texts(drawn()["A/1"]) if " · " in words or words == "methotrexate"]
    assert drugs[:5] == [
        "methotrexate",
        "etanercept · TNF",
        "adalimumab · TNF",
        "tocilizumab · IL6R",
        "rituximab · CD20",
    ]


def test_each_course_tells_when_and_why_it_ended():
    told = tooltips(drawn()["A/1"])
    assert "etanercept, 2016-03-02 to 2018-01-01: × secondary inefficacy" in told
    assert "tocilizumab, 2018-02-01 to 2019-06-01: (×) reason not recorded" in told
    assert "adalimumab, 2022-01-01 ongoing" in told
    assert "methotrexate, 2015-01-01 ongoing" in told


def test_the_imputed_part_of_a_course_is_pale():
    rectangles = [
        shape for shape in ElementTree.fromstring(drawn()["A/1"]).iter(f"{SVG}rect")
        if any((title.text or "").startswith("rituximab") for title in shape)
    ]  # fmt: skip
    assert [shape.get("fill-opacity") for shape in rectangles] == ["1", "0.35"]


def test_every_recorded_score_is_a_point_and_a_missing_one_is_none():
    told = tooltips(drawn()["A/1"])
    assert sum("DAS28-ESR" in words for words in told) == 3
    assert sum("DAS28-CRP" in words for words in told) == 2
    assert "CDAI 31.0 (high), 2016-02-01" in told
    assert "CDAI at no visit" in texts(drawn()["<b>"])


def test_visits_after_the_cut_are_not_drawn():
    later = SCORES.with_columns(visit_date=pl.col("visit_date").dt.offset_by("8y"))
    assert not any("CDAI" in words for words in tooltips(drawn(scores=later)["A/1"]))


def test_a_patient_without_courses_or_scores_is_still_a_figure():
    svg = drawn(courses=COURSES.head(0), scores=SCORES.head(0))["A/1"]
    assert {"no drug course recorded", "DAS28 at no visit", "CDAI at no visit"} <= set(texts(svg))


def test_nothing_is_drawn_outside_the_page():
    svg = ElementTree.fromstring(drawn()["A/1"])
    _, _, width, height = map(float, svg.get("viewBox").split())
    for shape in svg.iter(f"{SVG}rect"):
        left, top = float(shape.get("x", 0)), float(shape.get("y", 0))
        assert 0 <= left <= left + float(shape.get("width")) <= width
        assert 0 <= top <= top + float(shape.get("height")) <= height


@pytest.mark.parametrize(
    ("outcome", "reason", "kind", "words"),
    [
        ("failed_inefficacy", "inefficacy", "bdmard", "× inefficacy (secondary)"),
        ("failed_intolerance", "adverse_event", "csdmard", "× adverse event"),
        ("too_short", "inefficacy", "bdmard", "inefficacy, too short to judge"),
        ("presumed_failed", None, "tsdmard", "(×) reason not recorded"),
        ("presumed_failed", "unknown", "csdmard", ""),
        ("unknown", None, "bdmard", "reason not recorded"),
        ("unknown", None, "glucocorticoid", ""),
        ("stopped_other", "pregnancy", "bdmard", "pregnancy"),
        ("ongoing", None, "bdmard", ""),
    ],
)
def test_why_a_course_stopped_in_words(outcome, reason, kind, words):
    failure = "secondary" if outcome == "failed_inefficacy" else None
    course = {
        "outcome": outcome,
        "stop_reason": reason,
        "kind": kind,
        "failure_type": failure,
        "has_imputed_stop": False,
    }
    assert why_stopped(course) == words


def test_an_imputed_stop_without_reason_is_told_as_not_recorded():
    course = {
        "outcome": "stopped_other",
        "stop_reason": None,
        "kind": "bdmard",
        "failure_type": None,
        "has_imputed_stop": True,
    }
    assert why_stopped(course) == "stop not recorded"


def test_a_patient_is_a_page_and_a_figure_and_ids_that_no_file_may_have_are_written_otherwise():
    assert list(pages()) == ["index.html", "A%2F1.svg", "A%2F1.html", "%3Cb%3E.svg", "%3Cb%3E.html"]
    assert 'href="A%252F1.html"' in pages()["index.html"]


def test_a_page_holds_the_figure_why_the_label_and_the_sequence_and_escapes_what_the_extract_says():
    page = pages()["A%2F1.html"]
    assert drawn()["A/1"] in page
    assert "mechanisms failed: tnf (etanercept" in page
    assert "<td>tocilizumab</td><td>IL6R</td>" in page
    assert "not a recommendation" in page
    assert "do not release" in page
    assert "<b>" not in pages()["%3Cb%3E.html"]
    assert "SYNTHETIC" not in page
    assert "SYNTHETIC DATA" in pages(synthetic=True)["A%2F1.html"]


def test_nobody_met_gives_the_list_alone():
    nothing = order_treatments(COURSES, PATIENTS, CUT)
    made = timeline_pages({}, LABELS.head(0), pl.DataFrame(), nothing, COURSES, TITLE, False)
    assert list(made) == ["index.html"]


def test_a_hundred_patients_take_seconds():
    labels = pl.concat(
        [LABELS.head(1).with_columns(patient_id=pl.lit(f"P{number}")) for number in range(100)]
    )
    courses, scores = (
        rows.filter(patient_id="A/1").drop("patient_id").join(labels.select("patient_id"), how="cross")
        for rows in (COURSES, SCORES)
    )
    began = time.perf_counter()
    assert len(drawn(labels, courses, scores)) == 100
    assert time.perf_counter() - began < 10


def test_text_and_attributes_are_escaped_on_the_surface():
    canvas = Canvas(10, 10, 'a"b', 8, "black")
    canvas.text(1, 1, "<script>&")
    canvas.rectangle(1, 1, 2, 2, "red", says='"<x>')
    root = ElementTree.fromstring(canvas.render("a & b"))
    assert [element.text for element in root.iter(f"{SVG}text")] == ["<script>&"]
    assert root.find(f"{SVG}title").text == "a & b"
