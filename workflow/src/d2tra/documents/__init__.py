"""Documents made of released tables and figures."""

from d2tra.documents.contents import report_contents
from d2tra.documents.pages import report_page, table_files
from d2tra.documents.study import study_documents
from d2tra.documents.word_report import report_document

__all__ = ["report_contents", "report_document", "report_page", "study_documents", "table_files"]
