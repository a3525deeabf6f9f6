"""Give each member its outcomes and its risk factors at baseline."""

from d2tra import config, io, logs
from d2tra.risk_factors import assemble_analysis_set

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given = snakemake.input
    study = config.load_study(given.study)
    sites = {
        site: {
            **io.read_folder(given.valid[number]),
            "courses": io.read(given.courses[number]),
            "scores": io.read(given.scores[number]),
            "labels": io.read(given.labels[number]),
            "audit_counts": io.read(given.counts[number]),
            "verdicts": io.read(given.verdicts[number]),
        }
        for number, site in enumerate(study.site_names)
    }
    analysis_set = assemble_analysis_set(io.read(given.members), sites, study)
    io.write(analysis_set, snakemake.output.analysis_set)
