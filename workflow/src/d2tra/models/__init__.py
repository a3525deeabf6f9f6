"""Models of who becomes difficult to treat: logistic regression, its checks, and the sample size it needs."""

from d2tra.models.effects import find_e_value, standardise_effects
from d2tra.models.logistic import fit_logistic
from d2tra.models.plan import (
    ModelPlan,
    fit_every_outcome,
    fit_models,
    load_model,
    read_facts,
    read_fits,
    read_validations,
)
from d2tra.models.pooled import pool_estimates
from d2tra.models.sample_size import parameter_budget, required_sample_size
from d2tra.models.validation import validate_predictions

__all__ = [
    "ModelPlan",
    "find_e_value",
    "fit_every_outcome",
    "fit_logistic",
    "fit_models",
    "load_model",
    "parameter_budget",
    "pool_estimates",
    "read_facts",
    "read_fits",
    "read_validations",
    "required_sample_size",
    "standardise_effects",
    "validate_predictions",
]
