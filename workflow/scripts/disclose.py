"""Suppress and round what the profile does not let out, and what could be subtracted from what was shown before."""

from pathlib import Path

from d2tra import io, logs
from d2tra.disclosure import load_profile
from d2tra.disclosure.ledger import read_ledger, read_others
from d2tra.disclosure.secondary import Released, release_tables
from d2tra.tables import read_tables, write_tables

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, asked = snakemake.input, snakemake.wildcards
    members = {
        Path(at).parent.name: set(io.read(at).select("site", "patient_id").rows()) for at in given.members
    }
    earlier = {
        Path(shown).parent.name: Released(read_tables(exact), read_tables(shown))
        for exact, shown in zip(given.earlier, given.shown, strict=True)
    }
    profile, ledger = load_profile(asked.profile), read_ledger(snakemake.params.ledger)
    exact, later = read_tables(given.tables), read_others(snakemake.params.later, ledger)
    tables, held_back = release_tables(asked.cohort, exact, profile, members, earlier, ledger, later)
    write_tables(tables, snakemake.output.numbers)
    io.write(held_back, snakemake.output.held_back)
