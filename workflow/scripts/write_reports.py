"""Put tables, figures and the definitions in words into one page and one Word document."""

from d2tra import config, io, logs
from d2tra.definitions import load_definition
from d2tra.disclosure import load_profile
from d2tra.documents import pages, word_report
from d2tra.documents.contents import report_contents
from d2tra.tables import read_tables

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, study = snakemake.input, config.load_study(snakemake.input.study)
    svgs, pngs = (io.read_contents(given.figures, kind) for kind in (".svg", ".png"))
    contents = report_contents(
        study,
        snakemake.wildcards.cohort,
        load_profile(snakemake.wildcards.profile),
        snakemake.params.synthetic,
        read_tables(given.numbers),
        svgs,
        [load_definition(name) for name in study.definitions],
        snakemake.params.without_treatments,
    )
    io.write_json(contents, snakemake.output.contents)
    io.write_text(pages.report_page(contents, svgs), snakemake.output.report)
    io.write_bytes(word_report.report_document(contents, pngs), snakemake.output.document)
