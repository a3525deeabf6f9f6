"""Write what goes to the conference and the journal, of all cohorts together."""

from d2tra import config, io, logs
from d2tra.disclosure import load_profile
from d2tra.documents.study import study_documents
from d2tra.provenance import software
from d2tra.tables import read_tables

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, asked, study = snakemake.input, snakemake.params, config.load_study(snakemake.input.study)
    cohorts = study.cohort_names
    documents = study_documents(
        study,
        asked.sites,
        load_profile(snakemake.wildcards.profile),
        asked.synthetic,
        tables=dict(zip(cohorts, map(read_tables, given.numbers), strict=True)),
        pngs={name: io.read_contents(at, ".png") for name, at in zip(cohorts, given.figures, strict=True)},
        checklist=io.read(given.checklist),
        software=software(),
    )
    io.write_folder(documents, snakemake.output.documents)
