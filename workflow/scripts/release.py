"""Move one cohort's finished drafts to where people look for them."""

from d2tra import io, logs

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    for name in ("tables", "figures", "report", "document"):
        io.copy(snakemake.input[name], snakemake.output[name])
