"""The first lines of a report."""

from d2tra.config import Study
from d2tra.documents.summary import summarise

STUDY = Study(
    name="s", title="t", sites=["north"], cohorts=[{"name": "all"}], definitions=["eular_2021"], seed=1
)


def test_a_site_without_treatments_is_named_before_anything_else_is_said():
    first, *others = summarise(STUDY, {}, ["north"])
    assert first.startswith("The extract of site north has no table of treatments")
    assert others == summarise(STUDY, {})
