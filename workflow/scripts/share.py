"""Put each site's aggregates into one file that other centres may pool."""

from pathlib import Path

from d2tra import config, io, logs
from d2tra.centres.disclosed import share_files
from d2tra.centres.share import shared_protocol
from d2tra.centres.summarise import read_fitted
from d2tra.disclosure import load_profile
from d2tra.models import load_model

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, study = snakemake.input, config.load_study(snakemake.input.study)
    files = share_files(
        study,
        dict(zip(study.cohort_names, map(io.read, given.analysis_sets), strict=True)),
        [load_model(model) for model in study.models],
        [load_profile(profile) for profile in study.release],
        shared_protocol(study, io.read_json(given.protocol)),
        snakemake.params.synthetic,
        read_fitted(Path(given.models[0]).parents[2], study),
    )
    for path in map(Path, snakemake.output.shares):
        io.write_json(files[path.parents[1].name, path.stem], path)
