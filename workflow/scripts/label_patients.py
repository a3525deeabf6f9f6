"""Judge every patient by every definition at every visit, with the deciding records."""

from d2tra import io, logs
from d2tra.definitions import audit_counts, label_patients, label_visits, status_by_policy
from d2tra.extract.site import load_site

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    choices = dict(snakemake.params.study)
    definitions = choices.pop("definitions")
    records_glucocorticoids = load_site(snakemake.input.mapping).records_glucocorticoids
    valid = io.read_folder(snakemake.input.valid)
    courses = io.read(snakemake.input.courses) if "treatments" in valid else None
    known = (valid, courses, io.read(snakemake.input.scores))
    asked = (definitions, choices, records_glucocorticoids)
    labels, evidence = label_patients(*known, *asked)
    judged = {
        "labels": labels,
        "evidence": evidence,
        "policies": status_by_policy(*known, *asked),
        "verdicts": label_visits(*known, definitions[:1], *asked[1:]),
        "audit_counts": audit_counts(*known, choices),
    }
    io.write_each(judged, snakemake.output.judged)
