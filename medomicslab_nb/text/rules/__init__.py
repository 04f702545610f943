"""The registry of rules: what reads a note. Each is a module with ``find``, and says what it was measured to do."""

from __future__ import annotations

from medomicslab_nb.text.rules import (
    dates,
    grade,
    histology,
    laterality,
    markers,
    molecular,
    pdl1,
    performance,
    proliferation,
    prostate,
    radiotherapy,
    receptors,
    site,
    size,
    smoking,
    stage,
    tnm,
    treatment,
    treatment_line,
)
from medomicslab_nb.text.rules.rule import Rule

RULES: dict[str, Rule] = {rule.name: rule for rule in (
    Rule("tnm", 1, ("t_category", "n_category", "m_category", "uicc_edition"), tnm.find, says_negation=True),
    Rule("stage", 1, ("stage",), stage.find),
    Rule("grade", 1, ("grade",), grade.find),
    Rule("prostate", 1, ("gleason", "isup"), prostate.find),
    Rule("performance", 1, ("ecog", "karnofsky"), performance.find),
    Rule("size", 1, ("tumour_size",), size.find),
    Rule("laterality", 1, ("laterality",), laterality.find),
    Rule("receptors", 1, ("er", "pr", "her2", "p16"), receptors.find, says_negation=True),
    Rule("proliferation", 1, ("ki67",), proliferation.find),
    Rule("pdl1", 1, ("pdl1",), pdl1.find, says_negation=True),
    Rule("molecular", 1, ("egfr", "kras", "braf", "alk", "msi"), molecular.find, says_negation=True),
    Rule("markers", 1, ("psa", "cea", "ca125", "ca153", "ca199", "afp", "hcg", "ldh"), markers.find),
    Rule("histology", 1, ("histology",), histology.find),
    Rule("site", 1, ("site",), site.find),
    Rule("treatment", 1, ("treatment",), treatment.find),
    Rule("treatment_line", 1, ("treatment_line",), treatment_line.find),
    Rule("smoking", 1, ("smoking_status", "pack_years"), smoking.find, says_negation=True, says_history=True),
    Rule("dates", 1, ("date",), dates.find, says_negation=True),
    Rule("radiotherapy", 1, ("radiotherapy_dose",), radiotherapy.find),
)}
