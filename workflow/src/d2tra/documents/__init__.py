"""Documents made of released tables and figures."""
