"""What a model's YAML says of its missing data (config/models/<model>.yaml, key `missing`)."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_serializer, model_validator

from d2tra.config import Closed


class MultipleImputation(Closed):
    """`auxiliary`: columns of the analysis set that help to impute, and are in no model."""

    m: int = Field(ge=2)
    iterations: int = Field(ge=1)
    auxiliary: list[str] = []


class MissingPlan(Closed):
    """`complete_case`, or `multiple_imputation: {m, iterations, auxiliary}`."""

    multiple_imputation: MultipleImputation | None

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, plan: Any) -> Any:
        if plan == "complete_case":
            return {"multiple_imputation": None}
        if not isinstance(plan, dict) or plan.get("multiple_imputation", {}) is None:
            raise ValueError("complete_case, or multiple_imputation: {m: 20, iterations: 10}")
        return plan

    @model_serializer
    def _to_write(self) -> str | dict[str, Any]:
        plan = self.multiple_imputation
        return "complete_case" if plan is None else {"multiple_imputation": plan.model_dump()}


COMPLETE_CASE = MissingPlan.model_validate("complete_case")
