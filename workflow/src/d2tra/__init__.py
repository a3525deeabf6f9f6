"""Difficult-to-treat rheumatoid arthritis from EHR extracts: pure functions on polars frames."""
