"""Disease-activity scores of visits: formulas, bands, and laboratory values borrowed from near days."""

from d2tra.scores.response import eular_response, index_response
from d2tra.scores.settings import load_score_settings
from d2tra.scores.visits import score_visits, visit_columns

__all__ = ["eular_response", "index_response", "load_score_settings", "score_visits", "visit_columns"]
