"""List what is implausible, incomplete or contradictory in the valid tables."""

from d2tra import io, logs
from d2tra.extract.quality import check_quality
from d2tra.extract.site import load_site

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    valid = io.read_folder(snakemake.input.valid)
    courses, scores = io.read(snakemake.input.courses), io.read(snakemake.input.scores)
    findings = check_quality(valid, courses, scores, load_site(snakemake.input.mapping))
    io.write(findings, snakemake.output.quality)
