"""methods.md: the methods of a study, written from its protocol, every number from where it is declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from d2tra.config import Cohort, Policy, Study
from d2tra.definitions import Definition
from d2tra.disclosure import Profile
from d2tra.documents.contents import in_words
from d2tra.documents.layout import banners, templates
from d2tra.models import ModelPlan
from d2tra.models.sample_size import MARGIN, OPTIMISM, SHRINKAGE
from d2tra.risk_factor_plan import Plan
from d2tra.tables.results import BASELINES

POLICIES: dict[Policy, str] = {
    "unknown": "unknown",
    "assume_met": "met",
    "global_above_50": "met if a global score is above 50 mm",
    "ignore": "dropped from the definition",
}
METHODS = {
    "auto": "Firth's method below 10 events per parameter or under separation, else maximum likelihood.",
    "firth": "Firth's penalised likelihood; profile limits, penalised likelihood ratio p-values.",
    "logit": "Maximum likelihood; Wald limits.",
    "flic": "Firth's penalised likelihood with intercept correction (FLIC).",
}
STEPS = {
    "disease": "disease {}",
    "sites": "sites {}",
    "sequence": "patients {} of each site's consecutive sequence",
    "started_bts": "at least one b/tsDMARD started",
    "age_min": "aged {} or over at the index date",
    "has_visit": "at least one visit",
}


def methods_text(
    study: Study,
    sites: Sequence[str],
    definitions: Sequence[Definition],
    models: Sequence[ModelPlan],
    plan: Plan,
    profile: Profile,
    synthetic: bool,
    software: Mapping[str, str],
) -> str:
    """Returns methods.md. `sites`: their titles; `software`: package → version."""
    template = templates(escape=False).get_template("methods.md.j2")  # Markdown
    asked = dict.fromkeys(factor.name for model in models for factor in model.modelled)
    return template.render(
        study=study,
        banners=banners(profile, synthetic),
        sites=sites,
        cohorts=[{"name": cohort.name, "steps": _steps(cohort)} for cohort in study.cohorts],
        baselines=BASELINES,
        policies=POLICIES,
        definitions=[in_words(definition) for definition in definitions],
        factors=[plan.factors[name] for name in asked if name in plan.factors],
        models=[_model(model, plan) for model in models],
        shrinkage=SHRINKAGE,
        optimism=OPTIMISM,
        margin=MARGIN,
        disclosure=profile.in_words(),
        software=[f"{name} {version}" for name, version in software.items()],
    )


def _steps(cohort: Cohort) -> list[str]:
    said = []
    for key, value in cohort.steps().items():
        shown = " to ".join(map(str, value)) if key == "sequence" else value
        said.append(STEPS[key].format(", ".join(shown) if isinstance(shown, list) else shown))
    return said


def _model(model: ModelPlan, plan: Plan) -> dict[str, Any]:
    return {
        "name": model.name,
        "title": model.title or model.name,
        "kind": model.kind,
        "factors": [
            plan.factors[factor.name].title if factor.name in plan.factors else factor.name
            for factor in model.modelled
        ],
        "method": METHODS[model.method],
        "missing": _missing(model),
        "exploratory": model.above_budget == "report_as_exploratory",
    }


def _missing(model: ModelPlan) -> str:
    stated = model.missing.multiple_imputation
    if stated is None:
        return "Complete cases."
    return (
        f"Multiple imputation by chained equations (m = {stated.m}, {stated.iterations} iterations), pooled by Rubin's "
        "rules with Barnard and Rubin's degrees of freedom; limits of Firth fits by CLIP."
    )
