"""The profiles for clusters: rules that are there, memory that is measured, the same for both."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PROFILES = ROOT / "workflow" / "profiles"
SLURM, KUBERNETES = (
    yaml.safe_load((PROFILES / name / "config.yaml").read_text(encoding="utf-8"))
    for name in ("slurm", "kubernetes")
)


def granted(profile):
    """Rule → megabytes at the first attempt."""
    found = {
        rule: re.fullmatch(r"(\d+) \* attempt", asked["mem_mb"])
        for rule, asked in profile["set-resources"].items()
    }
    return {rule: int(said[1]) for rule, said in found.items()}


def test_every_rule_that_is_given_more_is_a_rule_of_the_workflow():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    assert set(granted(SLURM)) <= set(re.findall(r"^rule (\w+):", text, re.MULTILINE))


def test_both_clusters_grant_the_same_memory():
    assert granted(SLURM) == granted(KUBERNETES)


def test_what_is_granted_is_what_was_measured_and_a_little_more():
    """docs/scale.md holds the measured peak of each rule at 100,000 patients, in megabytes."""
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| ([\d,]+) \|$",
        (ROOT / "docs" / "scale.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    measured = {rule: int(peak.replace(",", "")) for rule, peak in rows}
    assert len(measured) >= 10
    default = int(SLURM["default-resources"]["mem_mb"].split()[0])
    for rule, peak in measured.items():
        assert 1.25 * peak <= granted(SLURM).get(rule, default), rule
