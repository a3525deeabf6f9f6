"""The rules of drug courses, as `config/exposure.yaml` states them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from d2tra.config import Closed, find, load_yaml, parse, setting

EDGES = ("up_to", "at_least", "above")


class Gap(Closed):
    up_to: int
    by_molecule: dict[str, int] = {}
    source: str

    def days(self) -> pl.Expr:
        """Returns the longest gap within a course of the row's molecule."""
        return pl.col("molecule").replace_strict(self.by_molecule, default=self.up_to, return_dtype=pl.Int64)


class ImputedExposure(Closed):
    by_molecule: dict[str, int]
    replaces_stop_reasons: list[str]
    source: str

    def days(self) -> pl.Expr:
        """Returns how long the row's molecule acts after it was last given; null for a molecule whose stops are recorded."""
        return pl.col("molecule").replace_strict(self.by_molecule, default=None, return_dtype=pl.Int64)


class MinExposure(Closed):
    at_least: int
    not_for: list[str] = []
    source: str


class PrimaryFailure(Closed):
    up_to: int
    source: str


class PresumedFailure(Closed):
    days_before_stop: int
    days_after_stop: int
    source: str


class Overlap(Closed):
    above: int
    source: str


class StopReasons(Closed):
    primary_inefficacy: list[str]
    secondary_inefficacy: list[str]
    inefficacy: list[str]
    intolerance: list[str]
    other: list[str]
    not_told: list[str]
    source: str

    @property
    def any_inefficacy(self) -> list[str]:
        return [*self.primary_inefficacy, *self.secondary_inefficacy, *self.inefficacy]

    def all(self) -> list[str]:
        """Returns every word that a stop_reason may be."""
        return [*self.any_inefficacy, *self.intolerance, *self.other, *self.not_told]


class ExposureRules(Closed):
    max_gap_days: Gap
    imputed_exposure_days: ImputedExposure
    min_exposure_days: MinExposure
    primary_failure_days: PrimaryFailure
    presumed_failure: PresumedFailure
    overlap_days: Overlap
    stop_reasons: StopReasons


class FailureRules(Closed):
    """Another way to judge when a drug has failed: `changes` to config/exposure.yaml."""

    name: str
    title: str
    changes: dict[str, Any]
    source: str


def load_failure_rules(name: str) -> FailureRules:
    """Returns the rules of config/failure_rules/<name>.yaml; StudyError names the file, the key and the nearest valid one."""
    path = find("failure_rules", name)
    rules = parse(FailureRules, load_yaml(path), path, name=path.stem)
    exposure_rules(rules.changes, path)
    return rules


def exposure_rules(
    changes: Mapping[str, Any] | None = None, where: str | Path = "exposure.yaml"
) -> ExposureRules:
    """Returns the rules of `config/exposure.yaml`, with changes: `{"max_gap_days": 30}` changes the number itself,
    a mapping (`{"presumed_failure": {"days_after_stop": 90}}`) the keys that it names.

    StudyError names `where` the changes stand, an unknown key and the nearest known one.
    """
    stated = {**setting("exposure")}
    for key, change in (changes or {}).items():
        section = stated.get(key, {})
        edge = next((edge for edge in EDGES if edge in section), "number")
        stated[key] = {**section, **(change if isinstance(change, Mapping) else {edge: change})}
    return parse(ExposureRules, stated, where)
