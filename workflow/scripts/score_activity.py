"""Give every visit its composite scores and activity bands."""

from d2tra import io, logs
from d2tra.scores import score_visits

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    valid = io.read_folder(snakemake.input.valid)
    scores = score_visits(valid["visits"], valid.get("labs"), valid["patients"])
    io.write(scores, snakemake.output.scores)
