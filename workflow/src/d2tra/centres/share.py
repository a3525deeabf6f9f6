"""`share/<site>.json`: what one centre may give to others. Its form, its seal, and what makes it refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import Field

from d2tra import io
from d2tra.config import Closed, Share, Study, parse
from d2tra.disclosure import Profile, disclose, load_profile
from d2tra.errors import StudyError
from d2tra.tables.cells import as_cells, count_cell

SCHEMA_VERSION = 1
OWN_KEYS = {
    "name",
    "title",
    "sites",
    "tables",
    "figures",
    "figure_size",
    "figure_tiff",
    "published",
    "release",
    "share",
}  # may differ by centre
WITHOUT = "no estimate at this centre"
Number = Field(allow_inf_nan=False)
Sealed = TypeVar("Sealed", bound="SealedFile")
Key = tuple[str, str | None]  # a term and its level


class Named(Closed):
    """One level of a term against its reference, or a number (reference null)."""

    term: str
    level: str | None
    reference: str | None


class SharedTerm(Named):
    """One estimate: log odds ratio and standard error. `note`: separated, exploratory, not converged."""

    log_odds_ratio: float = Number
    std_error: float = Field(gt=0, allow_inf_nan=False)
    note: str | None


class HeldBack(Named):
    """One that has no estimate in the file, and why."""

    reason: str


class SharedFit(Closed):
    """One fit; `factor`: the only one of a univariable model. `n` and `n_events` are as released (null: suppressed). `covariance` is that of `terms`, in their order; null
    where only their standard errors are known."""

    cohort: str
    model: str
    factor: str | None
    definition: str
    method: str
    missing: str
    n: int | None = Field(ge=0)
    n_events: int | None = Field(ge=0)
    terms: list[SharedTerm]
    covariance: list[list[float]] | None
    held_back: list[HeldBack]


class SharedCount(Closed):
    """How many meet a definition, as released (null: suppressed)."""

    cohort: str
    definition: str
    n: int | None = Field(ge=0)
    n_met: int | None = Field(ge=0)
    n_not_met: int | None = Field(ge=0)
    n_not_assessable: int | None = Field(ge=0)


class SealedFile(Closed):
    """A file that says by its `sha256` whether it was changed."""

    schema_version: Literal[1]
    sha256: str


class ShareFile(SealedFile):
    """One centre's aggregates after disclosure control. `held_back_cohorts`: cohort → why it is not in the file."""

    study: str
    title: str
    primary: str
    protocol_sha256: str
    share: Share
    site: str
    synthetic: bool
    profile: str
    suppress_up_to: int = Field(ge=0)
    disclosure: str
    held_back_cohorts: dict[str, str]
    prevalence: list[SharedCount]
    fits: list[SharedFit]


def shared_protocol(study: Study, recorded: Mapping[str, Any]) -> str:
    """Returns the sha256 of what centres must have in common before their estimates can be pooled.

    The study but for what each centre has of its own (OWN_KEYS), and the files of the recorded protocol
    (<private>/protocol.json: definitions, models, code lists, settings) but for the study's own.
    """
    files = sorted((Path(place).name, content) for place, content in recorded["files"].items())
    shared = [[name, content] for name, content in files if Path(name).stem != study.name]
    return _sha256({"study": study.model_dump(mode="json", exclude=OWN_KEYS), "files": shared})


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content with its schema version and sha256."""
    whole = {**content, "schema_version": SCHEMA_VERSION}
    return {**whole, "sha256": _sha256(whole)}


def read_sealed(model: type[Sealed], path: str | Path) -> Sealed:
    """Returns a file of one of the forms of this room. StudyError where it is no such file, or was changed."""
    try:
        content = io.read_json(path)
    except FileNotFoundError as problem:
        raise StudyError(f"{path}: no such file.") from problem
    except (OSError, ValueError) as problem:
        raise StudyError(
            f"{path}: not readable as JSON. Was it cut off on its way? Ask for it again."
        ) from problem
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise StudyError(
            f"{path}: key 'schema_version': {version!r}; this program reads {SCHEMA_VERSION}. All centres use one version "
            "of d2tra."
        )
    read = parse(model, content, path)
    if _sha256({key: value for key, value in content.items() if key != "sha256"}) != read.sha256:
        raise StudyError(
            f"{path}: key 'sha256': the file was changed after it was written. Ask for it again."
        )
    return read


def read_share(path: str | Path) -> ShareFile:
    """Returns a centre's file. StudyError names file and key of what was changed, or should not have left its centre:

    a count that its disclosure profile suppresses or rounds otherwise, a covariance that is none.
    """
    found = read_sealed(ShareFile, path)
    profile = load_profile(found.profile)
    if found.suppress_up_to != profile.suppress_up_to:
        raise StudyError(
            f"{path}: key 'suppress_up_to': {found.suppress_up_to}, but profile {profile.name} suppresses counts up to "
            f"{profile.suppress_up_to} (config/release.yaml). The centre makes its file anew."
        )
    counts = list(_counts(found))
    for (key, count), released in zip(
        counts, released_counts([count for _, count in counts], profile), strict=True
    ):
        if count != released:
            raise StudyError(
                f"{path}: key '{key}': a count that profile {profile.name} does not let out. Do not use the file; tell "
                "the centre, which makes it anew."
            )
    for number, fit in enumerate(found.fits):
        problem = _problem_of(fit, profile)
        if problem:
            raise StudyError(f"{path}: key 'fits.{number}': {problem} Do not use the file; tell the centre.")
    return found


def read_shares(paths: Sequence[str | Path]) -> list[ShareFile]:
    """Returns the files of two centres or more, in the order of their names, that can be pooled with one another.

    StudyError where protocols differ, a site comes twice, or synthetic data meet real ones.
    """
    found = [(path, read_share(path)) for path in paths]
    if len(found) < 2:
        raise StudyError(f"pooling takes the files of two centres or more; given: {len(found)}.")
    first_path, first = found[0]
    for path, file in found[1:]:
        if file.protocol_sha256 != first.protocol_sha256:
            raise StudyError(
                f"{path}: key 'protocol_sha256': another protocol than that of {first_path}. Centres pool with the same "
                "study, definitions, models and code lists."
            )
        if file.synthetic != first.synthetic:
            raise StudyError(
                f"{path}: key 'synthetic': synthetic data are not pooled with real ones ({first_path})."
            )
    by_site: dict[str, str | Path] = {}
    for path, file in found:
        if file.site in by_site:
            raise StudyError(
                f"{path}: key 'site': {file.site!r} is already in {by_site[file.site]}. A centre is pooled once; a second "
                "centre of that name renames its site."
            )
        by_site[file.site] = path
    return sorted((file for _, file in found), key=lambda file: file.site)


def released_counts(counts: Sequence[int | None], profile: Profile) -> list[int | None]:
    """Returns the counts as the profile lets them out; None where it suppresses."""
    cells = as_cells(count_cell(str(place), "n", count) for place, count in enumerate(counts))  # type: ignore[arg-type]
    return disclose(cells, profile)["n"].to_list()


def _counts(file: ShareFile) -> Iterator[tuple[str, int | None]]:
    parts: Iterable[tuple[str, int, Any, tuple[str, ...]]] = [
        *(("prevalence", i, one, ("n", "n_met", "n_not_met", "n_not_assessable")) for i, one in enumerate(file.prevalence)),
        *(("fits", i, one, ("n", "n_events")) for i, one in enumerate(file.fits)),
    ]  # fmt: skip
    for part, number, one, names in parts:
        for name in names:
            yield f"{part}.{number}.{name}", getattr(one, name)


def _problem_of(fit: SharedFit, profile: Profile) -> str | None:
    """What is wrong with a fit that its own numbers show."""
    few = profile.suppress_up_to
    exact = profile.rounding == "none" and fit.n is not None and fit.n_events is not None
    if exact and fit.terms and 0 < (fit.n or 0) - (fit.n_events or 0) <= few:
        return f"only {few} or fewer patients without the outcome, but estimates."
    if fit.covariance is not None and not _is_covariance(fit):
        return f"its covariance is none of its {len(fit.terms)} terms."
    alone = fit.factor is not None and fit.missing == "complete_case"
    for term in fit.terms if few and alone else ():
        # Four cells of more than `few` patients leave a variance of no more than 4 / (few + 1).
        without_cells = term.reference is None or "separated" in (term.note or "")
        if not without_cells and (term.std_error - 0.005) ** 2 > 4 / (few + 1):
            return f"the standard error of {term.term} can only come from a table with a count of {few} or fewer."
    return None


def _is_covariance(fit: SharedFit) -> bool:
    errors = [term.std_error for term in fit.terms]
    if [len(row) for row in fit.covariance or []] != [len(errors)] * len(errors):
        return False
    matrix = np.array(fit.covariance, dtype=float).reshape(len(errors), len(errors))
    as_stated = np.allclose(np.diag(matrix), np.square(errors), rtol=1e-6, atol=0) and np.allclose(
        matrix, matrix.T
    )
    return bool(as_stated and is_positive(matrix / np.outer(errors, errors)))


def is_positive(correlation: np.ndarray) -> bool:
    """Returns whether a correlation matrix can be one: its smallest eigenvalue is above 0."""
    return bool(correlation.size == 0 or np.linalg.eigvalsh(correlation)[0] > 1e-9)


def _sha256(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
