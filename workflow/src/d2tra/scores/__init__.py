"""Disease-activity scores of visits: formulas, bands, and laboratory values borrowed from near days."""
