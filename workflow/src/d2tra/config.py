"""The study, and everything in config/: read once, closed (an unknown key is an error), named by its file."""

from __future__ import annotations

import datetime as dt
import re
import reprlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from d2tra.errors import StudyError, nearest

# the keys of a study that labels depend on
LABELLING_KEYS = {"definitions", "data_cut_date", "if_criterion_3_unrecorded", "severity_score", "evidence"}
MOST_NODES, MOST_LEVELS = 100_000, 50  # of a YAML file, its aliases unfolded
MOST_PROBLEMS = 10  # said at once of one file
VALIDATION, SURVEY = "validation", "survey"
CHAPTERS = {VALIDATION: "Validation", SURVEY: "Opinion survey"}  # of results, beside the cohorts: in words
PROJECT = Path(__file__).resolve().parents[3]
Policy = Literal["unknown", "assume_met", "global_above_50", "ignore"]
Evidence = Literal["all", "met_only", "none"]  # of whom the reasons are kept, for each criterion
Baseline = Literal["first_bts", "diagnosis", "index"]
FigureSize = Literal["print", "slide", "poster"]
Share = Literal["aggregates", "exact_under_agreement"]  # what may be exchanged: docs/across-centres.md
Model = TypeVar("Model", bound="Closed")


class Closed(BaseModel):
    """A section of config in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Cohort(Closed):
    """Who belongs to a cohort: the keys in the order written are the selection flow; `name` and `tests` (those that
    its descriptive tables show) are none."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    disease: Literal["RA", "PsA"] | None = None
    sites: list[str] | None = None
    sequence: tuple[int, int] | None = None
    started_bts: bool = True
    age_min: int | None = 18
    has_visit: bool = False
    tests: list[Literal["fisher", "mann_whitney"]] = []

    _order: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _keep_order(cls, section: Any, check: Callable[[Any], Cohort]) -> Cohort:
        cohort = check(section)
        if isinstance(section, dict):
            cohort._order = tuple(key for key in section if key not in ("name", "tests"))
        return cohort

    def steps(self) -> dict[str, Any]:
        """Returns criterion → value: the stated ones in the order of the file, then the defaults it leaves out."""
        defaults = [key for key in ("started_bts", "age_min", "has_visit") if key not in self._order]
        values = {key: getattr(self, key) for key in [*self._order, *defaults]}
        return {key: value for key, value in values.items() if value is not None and value is not False}


class Sensitivity(Closed):
    """The sensitivity grid: every combination of these choices, the primary analysis' own among them.

    `model` (its factors and method) is fitted to each; `missing`: as in a model; `failure_rules`: names of config/failure_rules/;
    `cohorts`: those for which the grid is made (None: all).
    """

    model: str
    definitions: list[str] = []
    missing: list[str | dict[str, Any]] = []
    failure_rules: list[str] = []
    baselines: list[Baseline] = []
    criterion_3: list[Policy] = []
    cohorts: list[str] | None = None


class ValidationPlan(Closed):
    """The target `validation`: bootstrap resamples per model and cohort, and the risks at which one would act (0–1)."""

    resamples: int = Field(default=500, ge=2)
    thresholds: list[Annotated[float, Field(gt=0, lt=1)]] = [
        0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4
    ]  # fmt: skip


class Study(Closed):
    """The protocol: one YAML. Required: title, sites, cohorts, definitions, seed."""

    name: str
    title: str
    sites: list[str] = Field(min_length=1)
    cohorts: list[Cohort] = Field(min_length=1)
    definitions: list[str] = Field(min_length=1)
    seed: int
    data_cut_date: dt.date | None = None
    models: list[str] = Field(default=["univariable"], min_length=1)
    tables: list[str] | Literal["all"] = "all"
    figures: list[str] | Literal["all"] = "all"
    figure_size: FigureSize = "print"
    figure_tiff: bool = False
    published: str | None = None
    expectations: str | None = None
    release: list[str] = ["local_audit"]
    conference: str = "bsr"
    if_criterion_3_unrecorded: Policy = "unknown"
    baseline: Baseline = "first_bts"
    severity_score: list[str] = ["das28_esr", "das28_crp"]
    evidence: Evidence = "all"
    validation: ValidationPlan = ValidationPlan()
    frozen_protocol: str | None = None
    share: Share = "aggregates"
    sensitivity: Sensitivity | None = None
    survey: str | None = None

    @property
    def site_names(self) -> list[str]:
        """The sites' names: the stems of their mapping files."""
        return [Path(site).stem for site in self.sites]

    @property
    def definition_names(self) -> list[str]:
        """The definitions' names: the stems of their files, in the order of the study; the first is primary."""
        return [Path(definition).stem for definition in self.definitions]

    @property
    def model_names(self) -> list[str]:
        """The models' names: the stems of their files, in the order of the study."""
        return [Path(model).stem for model in self.models]

    @property
    def cohort_names(self) -> list[str]:
        """The cohorts' names, in the order of the study."""
        return [cohort.name for cohort in self.cohorts]

    def cohort(self, name: str) -> Cohort:
        """Returns the cohort of that name; raises StudyError that names the study's cohorts."""
        for cohort in self.cohorts:
            if cohort.name == name:
                return cohort
        known = ", ".join(cohort.name for cohort in self.cohorts)
        raise StudyError(f"study {self.name} has no cohort {name!r}; its cohorts: {known}.")


def place_in_words(cohort: str) -> str:
    """Returns what a page or figure is about: a cohort, or the chapter that stands beside the cohorts."""
    return CHAPTERS.get(cohort, f"Cohort {cohort}")


class _PlainLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which only true and false are Booleans: a register's own words yes, no, on and off stay words."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|false|False)$"), list("tTfF")
)


def load_yaml(path: str | Path) -> Any:
    """Returns what a YAML file holds; StudyError with file, line and column where it is no YAML."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        _refuse_endless(text, path)
        return yaml.load(text, Loader=_PlainLoader)
    except FileNotFoundError as problem:
        raise StudyError(f"{path}: no such file.") from problem
    except OSError as problem:
        raise StudyError(f"{path}: not readable ({problem.strerror}).") from problem
    except (yaml.YAMLError, ValueError) as problem:  # ValueError: not UTF-8, or a date of no calendar
        mark = getattr(problem, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise StudyError(
            f"{path}{where}: not readable as YAML ({getattr(problem, 'problem', problem)})."
        ) from problem


def _refuse_endless(text: str, path: Path) -> None:
    """StudyError for a file that is far too long, nested too deep, or whose aliases unfold without end (`&a [*a, *a]`)."""
    said = f"{path}: more than {MOST_NODES:,} entries or {MOST_LEVELS} levels (aliases unfolded). That is no file of settings."
    if (
        text.count("[") + text.count("{") > MOST_NODES // 10
    ):  # the parser's time grows with the square of open brackets
        raise StudyError(said)
    sizes: dict[str | None, int] = {}
    open_nodes: list[list[Any]] = [[None, 0]]
    for event in yaml.parse(text, Loader=_PlainLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append([event.anchor, 1])
            continue
        size = 1
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
            sizes[anchor] = size
        elif isinstance(event, yaml.AliasEvent):
            is_inside_itself = any(event.anchor == anchor for anchor, _ in open_nodes)
            size = MOST_NODES + 1 if is_inside_itself else sizes.get(event.anchor, 1)
        open_nodes[-1][1] += size
        if open_nodes[-1][1] > MOST_NODES or len(open_nodes) > MOST_LEVELS:
            raise StudyError(said)


def parse(model: type[Model], section: Any, where: str | Path, **derived: str) -> Model:
    """Returns the checked section, with the keys that are `derived` from its place (a name: the stem of the file).

    StudyError names the file, the key, what is allowed and the nearest valid key.
    """
    if not isinstance(section, dict):
        raise StudyError(f"{where}: a mapping of keys to values is expected, found {type(section).__name__}.")
    for key in derived.keys() & section.keys():
        raise StudyError(f"{where}: key {key!r} is not written here: it is {derived[key]!r}. Leave it out.")
    try:
        return model.model_validate({**section, **derived})
    except ValidationError as problem:
        said = list(dict.fromkeys(_in_words(model, error, where) for error in problem.errors()))
        more = [f"and {len(said) - MOST_PROBLEMS} more like these."] if len(said) > MOST_PROBLEMS else []
        raise StudyError("\n".join([*said[:MOST_PROBLEMS], *more])) from None


def _in_words(model: type[BaseModel], error: Any, where: str | Path) -> str:
    path = [str(part) for part in error["loc"] if not str(part).startswith(("function-", "list["))]
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        siblings = _keys_at(model, path[:-1])
        listed = f" Keys known there: {', '.join(siblings)}." if siblings else ""
        return f"{where}: unknown key {key!r}{nearest(path[-1], siblings)}{listed}"
    if error["type"] == "missing":
        return f"{where}: required key {key!r} is missing."
    return f"{where}: key {key!r}: {error['msg'].removeprefix('Value error, ')} (found {reprlib.repr(error['input'])})."


def _keys_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys of the section that `path` leads to, as far as the models tell."""
    for part in path:
        if part.isdigit():
            continue
        field = model.model_fields.get(part)
        inner = next((m for m in _models_in(field.annotation)), None) if field else None
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _models_in(part)]


def find(kind: str, name: str) -> Path:
    """Returns the file of a named thing of config/<kind>/ (`sites`, `studies`, `definitions`, `models` …).

    `name` is a stem, or a path to a .yaml anywhere. A stem is looked for in config/ of the folder of the command,
    then in the config/ shipped with the project. StudyError names the nearest known stem.
    """
    if name.endswith((".yaml", ".yml")):
        if Path(name).is_file():
            return Path(name)
        raise StudyError(f"{name}: no such file (asked for among {kind}).")
    folders = [Path("config") / kind, PROJECT / "config" / kind]
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise StudyError(f"no {name}.yaml in config/{kind}/{nearest(name, known)} Known: {', '.join(known)}.")


def load_study(name: str) -> Study:
    """Returns the study of that name or path; its `name` is the stem of its file, its results folder too."""
    path = find("studies", name)
    study = parse(Study, load_yaml(path), path, name=path.stem)
    for key in ("published", "expectations", "frozen_protocol"):
        file = getattr(study, key)
        if file and not Path(file).is_file():
            raise StudyError(f"{path}: key {key!r}: {file}: no such file.")
    for cohort in study.cohorts:
        if sum(c.name == cohort.name for c in study.cohorts) > 1:
            raise StudyError(f"{path}: key 'cohorts': two cohorts are named {cohort.name!r}.")
        if cohort.name in CHAPTERS:
            raise StudyError(
                f"{path}: key 'cohorts': {cohort.name!r} is the name of a chapter, not of a cohort."
            )
    return study


def config_file(relative: str) -> Path:
    """Returns the path of a file of config/: that of the folder of the command, else the one shipped."""
    local = Path("config") / relative
    return local if local.is_file() else PROJECT / "config" / relative


def setting_path(name: str) -> Path:
    """Returns the path of a settings file (`scores`, `exposure`, `release` …)."""
    return config_file(f"{name}.yaml")


def expectations_path(study: Study) -> Path:
    """Returns the file of the study's expectations: its own, else config/expectations.yaml."""
    return Path(study.expectations) if study.expectations else setting_path("expectations")


def setting(name: str) -> dict[str, Any]:
    """Returns what a settings file holds, read once per version of the file: to be read, never changed."""
    path = setting_path(name)
    written = path.stat() if path.is_file() else None
    version = (written.st_mtime_ns, written.st_size) if written else None
    return _setting(path, Path.cwd(), version)


@lru_cache(maxsize=64)
def _setting(path: Path, _folder: Path, _version: tuple[int, int] | None) -> dict[str, Any]:
    settings: dict[str, Any] = load_yaml(path)
    return settings


def codelist(name: str) -> Path:
    """Returns the path of a code list."""
    return config_file(f"codelists/{name}.csv")
