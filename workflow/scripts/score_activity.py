"""Give every visit up to the study's cut its composite scores and activity bands."""

import datetime as dt

from d2tra import io, logs
from d2tra.definitions.facts import up_to_cut
from d2tra.scores import score_visits

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    cut = snakemake.params.data_cut_date and dt.date.fromisoformat(snakemake.params.data_cut_date)
    spans = (up_to_cut(span, cut) for span in io.read_spans(io.files_of(snakemake.input.valid)))
    scores = ({"scores": score_visits(span["visits"], span.get("labs"), span["patients"])} for span in spans)
    io.write_spans(scores, [snakemake.output.scores])
