"""Read the documents back, then move one cohort's finished drafts to where people look for them."""

from pathlib import Path

from d2tra import io, logs
from d2tra.documents.number_gate import confirm_numbers

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given = snakemake.input
    documents = {Path(at).name: Path(at).read_bytes() for at in (given.report, given.document)}
    confirm_numbers(documents, [io.read_json(given.contents)])
    for name in ("tables", "figures", "report", "document"):
        io.copy(given[name], snakemake.output[name])
