import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.molecular import find


@pytest.mark.parametrize(("language", "text", "said"), [
    ("fr", "EGFR muté (L858R), KRAS sauvage, ALK non réarrangé",
     {"egfr": "mutated", "kras": "wild type", "alk": "not rearranged"}),
    ("en", "EGFR exon 19 deletion; no ALK rearrangement", {"egfr": "mutated", "alk": "not rearranged"}),
    ("en", "KRAS G12C mutation", {"kras": "mutated"}), ("fr", "mutation V600E de BRAF", {"braf": "mutated"}),
    ("fr", "absence de mutation EGFR et BRAF", {"egfr": "wild type", "braf": "wild type"}),
    ("fr", "RAS sauvage", {"kras": "wild type"}),
    ("en", "KRAS/NRAS/BRAF wild type", {"kras": "wild type", "braf": "wild type"}),
    ("fr", "EGFR, ALK et ROS1 négatifs", {"egfr": "wild type", "alk": "not rearranged"}),
    ("en", "ALK-positive NSCLC", {"alk": "rearranged"}),
    ("fr", "BRAF+ ; KRAS-", {"braf": "mutated", "kras": "wild type"}),
    ("en", "no mutations in EGFR, KRAS or BRAF were identified",
     {"egfr": "wild type", "kras": "wild type", "braf": "wild type"}),
    ("en", "tested for EGFR and KRAS mutations, which were negative", {"egfr": "wild type", "kras": "wild type"}),
    ("fr", "délétion de l'exon 19 de l'EGFR", {"egfr": "mutated"}),
    ("en", "KRAS G12C, STK11 wild type", {"kras": "mutated"}),
    ("fr", "EGFR, KRAS, BRAF : WT, G12V, WT", {"egfr": "wild type", "kras": "mutated", "braf": "wild type"}),
    ("en", "Of EGFR, ALK and BRAF, only ALK is altered",
     {"egfr": "wild type", "alk": "rearranged", "braf": "wild type"}),
    ("fr", "MSI, KRAS : respectivement stable et muté", {"msi": "stable", "kras": "mutated"}),
    ("fr", "perte de MLH1, mutation V600E de BRAF", {"msi": "unstable", "braf": "mutated"}),
    ("en", "BRAF K601E, not V600E", {"braf": "mutated"}), ("en", "KRAS 0 % mutant reads", {"kras": "wild type"}),
    ("en", "MMR proteins intact by IHC", {"msi": "stable"}), ("en", "MSI: L", {"msi": "stable"}),
    ("en", "MSI-H tumour", {"msi": "unstable"}), ("en", "dMMR", {"msi": "unstable"}),
    ("fr", "tumeur MSS", {"msi": "stable"}),
    ("fr", "pas d'instabilité microsatellitaire", {"msi": "stable"}), ("en", "MSI: stable", {"msi": "stable"}),
    ("en", "loss of MLH1 and PMS2 expression", {"msi": "unstable"}),
    ("en", "no loss of mismatch repair proteins", {"msi": "stable"}),
])
def test_results(language, text, said):
    assert {found.attribute: found.value for found in find(Note(text, language))} == said


@pytest.mark.parametrize(("language", "text"), [
    ("fr", "recherche de mutation de l'EGFR en cours"), ("en", "EGFR mutation testing is pending"),
    ("en", "eGFR 60 mL/min"),
    ("en", "EGFR inhibitor erlotinib"), ("fr", "cetuximab (anti-EGFR)"), ("en", "Alk phos 200"),
    ("fr", "EGFR surexprimé"),
    ("fr", "statut MSI non interprétable"), ("en", "MSI testing"), ("en", "MMR vaccine in childhood"),
    ("en", "PD-L1 and MSI: not requested"), ("fr", "anti-EGFR en cas de RAS sauvage"),
])
def test_what_is_no_result(language, text):
    assert list(find(Note(text, language))) == []


def test_variant_in_the_qualifier():
    (found,) = find(Note("KRAS muté (G12D)", "fr"))
    assert found.qualifier == "G12D"
