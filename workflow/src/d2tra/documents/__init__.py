"""Documents made of released tables and figures."""

from d2tra.documents.pages import report_page, table_files

__all__ = ["report_page", "table_files"]
