"""Models of who becomes difficult to treat: logistic regression, its checks, and the sample size it needs."""

from d2tra.models.logistic import fit_logistic
from d2tra.models.plan import ModelPlan, fit_every_outcome, fit_models, load_model, read_fits
from d2tra.models.sample_size import parameter_budget, required_sample_size

__all__ = [
    "ModelPlan",
    "fit_every_outcome",
    "fit_logistic",
    "fit_models",
    "load_model",
    "parameter_budget",
    "read_fits",
    "required_sample_size",
]
