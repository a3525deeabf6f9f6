"""Missing values of an analysis set, imputed several times."""

from d2tra.models.imputation.chains import Imputed, impute, sorted_by_identity
from d2tra.models.imputation.derived import impute_analysis_set
from d2tra.models.imputation.plan import COMPLETE_CASE, MissingPlan, MultipleImputation

__all__ = [
    "COMPLETE_CASE",
    "Imputed",
    "MissingPlan",
    "MultipleImputation",
    "impute",
    "impute_analysis_set",
    "sorted_by_identity",
]
