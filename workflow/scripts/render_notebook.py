"""Run a notebook on the study's results and keep it as a page."""

from d2tra import io, logs
from d2tra.documents.notebooks import notebook_page

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    page = notebook_page(snakemake.input.notebook, snakemake.params.study)
    io.write_text(page, snakemake.output.page)
