"""Give every visit up to the study's cut its composite scores and activity bands."""

import datetime as dt

from d2tra import io, logs
from d2tra.definitions.facts import up_to_cut
from d2tra.scores import score_visits

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    cut = snakemake.params.data_cut_date
    tables = up_to_cut(io.read_folder(snakemake.input.valid), cut and dt.date.fromisoformat(cut))
    scores = score_visits(tables["visits"], tables.get("labs"), tables["patients"])
    io.write(scores, snakemake.output.scores)
