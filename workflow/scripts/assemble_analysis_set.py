"""Give each member its outcomes and its risk factors at baseline."""

from pathlib import Path

from d2tra import config, io, logs
from d2tra.risk_factors import assemble_analysis_set
from d2tra.spans import read_spans

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given = snakemake.input
    study = config.load_study(given.study)
    judged = zip(given.scores, given.labels, given.counts, given.verdicts, strict=True)
    sites = (
        (site, {**span, "courses": of_site})
        for site, valid, courses, files in zip(
            study.site_names, given.valid, given.courses, judged, strict=True
        )
        for of_site in [io.read(courses)]
        for span in read_spans({**io.files_of(valid), **{Path(file).stem: Path(file) for file in files}})
    )
    analysis_set = assemble_analysis_set(io.read(given.members), sites, study)
    io.write(analysis_set, snakemake.output.analysis_set)
