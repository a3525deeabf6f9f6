"""Put tables, figures and the definition in words into one page."""

from pathlib import Path

from d2tra import config, io, logs
from d2tra.definitions import load_definition
from d2tra.disclosure import load_profile
from d2tra.documents import report_page
from d2tra.tables import read_tables

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    study = config.load_study(snakemake.input.study)
    page = report_page(
        study,
        snakemake.wildcards.cohort,
        load_profile(snakemake.wildcards.profile),
        snakemake.params.synthetic,
        read_tables(snakemake.input.numbers),
        {
            path.stem: path.read_text(encoding="utf-8")
            for path in sorted(Path(snakemake.input.figures).glob("*.svg"))
        },
        [load_definition(name) for name in study.definitions],
    )
    io.write_text(page, snakemake.output.report)
