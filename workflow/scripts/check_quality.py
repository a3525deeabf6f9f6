"""List what is implausible, incomplete or contradictory in the valid tables."""

from d2tra import io, logs
from d2tra.extract.quality import check_quality
from d2tra.extract.schemas import no_rows
from d2tra.extract.site import load_site, study_cut
from d2tra.scores import score_visits
from d2tra.treatment.courses import overlapping_courses, stop_reasons_without_stop

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    valid = io.read_folder(snakemake.input.valid)
    cut = study_cut(snakemake.params.data_cut_date, io.read_json(snakemake.input.cut)["data_cut_date"])
    findings = check_quality(
        valid,
        scores=io.read(snakemake.input.scores),
        site=load_site(snakemake.input.mapping),
        overlaps=overlapping_courses(io.read(snakemake.input.courses), cut),
        unstopped=stop_reasons_without_stop(valid.get("treatments", no_rows("treatments"))),
        rescore=score_visits,
        units=io.read(snakemake.input.units),
    )
    io.write(findings, snakemake.output.quality)
