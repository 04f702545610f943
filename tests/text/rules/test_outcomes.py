"""Courses and conditions that rules read: sentences with the answers beside, traps too."""

from __future__ import annotations

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.reading import read_note
from medomicslab_nb.text.rules import RULES

NAMES = ("response", "recurrence", "metastasis", "comorbidity", "menopause", "death", "smoking")


def facts_of(text: str, language: str, rule: str) -> list[str]:
    """What a rule finds, each as its value and context."""
    facts = read_note(Note(text, language), [RULES[rule]])
    return [" ".join((fact.value, *(f"[{each}]" for each in fact.context))) for fact in facts]


@pytest.mark.parametrize(("language", "text", "values"), [
    ("fr", "Scanner après 4 cures : RP.", ["partial response"]),
    ("fr", "Meilleure réponse : RC, maintenue à 6 mois.", ["complete response"]),
    ("fr", "SD à la première évaluation, puis PD.", ["stable disease", "progressive disease"]),
    ("fr", "Réponse radiologique jugée complète.", ["complete response"]),
    ("fr", "Très bonne réponse partielle au TEP.", ["partial response"]),
    ("fr", "Lésions hépatiques stables par rapport au scanner précédent.", ["stable disease"]),
    ("fr", "Progression hépatique sous FOLFIRI.", ["progressive disease"]),
    ("fr", "La maladie a progressé.", ["progressive disease"]),
    ("fr", "Survie sans progression de 8 mois dans l'étude.", []),
    ("fr", "Poids stable, patient stable sur le plan hémodynamique.", []),
    ("fr", "CR opératoire joint. CR d'hospitalisation.", []),
    ("fr", "RE 90 %, RP 80 %, HER2 négatif.", []),
    ("fr", "Traitement jusqu'à progression ou toxicité.", []),
    ("fr", "Dossier présenté en RCP.", []),
    ("fr", "Réponse complète non obtenue.", ["complete response [negated]"]),
    ("en", "CT after 3 cycles: PR by RECIST 1.1.", ["partial response"]),
    ("en", "He achieved a CR with R-CHOP.", ["complete response"]),
    ("en", "Restaging scan shows SD.", ["stable disease"]),
    ("en", "PD after two lines of chemotherapy.", ["progressive disease"]),
    ("en", "pCR after neoadjuvant chemotherapy.", ["complete response"]),
    ("en", "Complete metabolic response on PET.", ["complete response"]),
    ("en", "The disease remains stable.", ["stable disease"]),
    ("en", "The patient progressed on trastuzumab.", ["progressive disease"]),
    ("en", "Median progression-free survival was 9 months.", []),
    ("en", "Mean age 61 (SD 8). ER+ PR+.", []),
    ("en", "Parkinson's disease (PD) on levodopa.", []),
    ("en", "Continue until disease progression.", []),
    ("en", "Vital signs stable.", []),
    ("fr", "Pas de réponse, progression hépatique.", ["progressive disease"]),
    ("en", "No new lesions, partial response.", ["partial response"]),
    ("en", "No new lesions, progression or metastases.", ["progressive disease [negated]"]),
    ("fr", "Pas de progression, maladie stable.", ["progressive disease [negated]", "stable disease"]),
    ("fr", "Antérieurement réponse partielle, actuellement progression.",
     ["partial response [history]", "progressive disease"]),
    ("fr", "Foie\tRP\nPoumon\tSD", ["partial response", "stable disease"]),
    ("fr", "Progression de la marche en kinésithérapie.", []),
])
def test_response(language: str, text: str, values: list[str]) -> None:
    assert facts_of(text, language, "response") == values


@pytest.mark.parametrize(("language", "text", "values"), [
    ("fr", "Rechute ganglionnaire en 2019.", ["recurrence"]),
    ("fr", "La tumeur a récidivé.", ["recurrence"]),
    ("fr", "Pas de récidive locale.", ["recurrence [negated]"]),
    ("fr", "Récidive : non", ["recurrence [negated]"]),
    ("fr", "Suspicion de récidive sur la cicatrice.", ["recurrence [uncertain]"]),
    ("fr", "Risque de récidive faible. Récidive herniaire.", []),
    ("fr", "Pneumopathies récidivantes ; paralysie du nerf récurrent.", []),
    ("en", "Local relapse of the sarcoma.", ["recurrence"]),
    ("en", "The tumour recurred after two years.", ["recurrence"]),
    ("en", "No evidence of recurrence.", ["recurrence [negated]"]),
    ("en", "Recurrence score 18; risk of recurrence low.", []),
    ("en", "Recurrent urinary tract infections, recurrent laryngeal nerve palsy.", []),
])
def test_recurrence(language: str, text: str, values: list[str]) -> None:
    assert facts_of(text, language, "recurrence") == values


@pytest.mark.parametrize(("language", "text", "values"), [
    ("fr", "Métastases osseuses et hépatiques.", ["bone", "liver"]),
    ("fr", "Métastases : foie, os, poumon.", ["liver", "bone", "lung"]),
    ("fr", "Métastases multiples du foie et de la plèvre.", ["liver", "pleura"]),
    ("fr", "Localisations secondaires cérébrales.", ["brain"]),
    ("fr", "Lésions osseuses d'allure secondaire.", ["bone [uncertain]"]),
    ("fr", "Carcinose péritonéale, lâcher de ballons, lymphangite carcinomateuse.", ["peritoneum", "lung", "lung"]),
    ("fr", "Adénopathies métastatiques. Surrénale gauche métastatique.", ["lymph node", "adrenal"]),
    ("fr", "pT3N1M1 OSS.", ["bone"]),
    ("fr", "Cancer du sein métastatique.", ["unspecified"]),
    ("fr", "Pas de métastase à distance.", ["unspecified [negated]"]),
    ("fr", "Métastase hépatique d'un cancer du poumon.", ["liver"]),
    ("fr", "Hypertension secondaire à une sténose rénale.", []),
    ("fr", "Première ligne métastatique ; risque de métastase.", []),
    ("fr", "Foie : kystes simples, pas de métastase.", ["liver [negated]"]),
    ("en", "Bone and liver metastases.", ["bone", "liver"]),
    ("en", "Brain mets.", ["brain"]),
    ("en", "Metastatic to the liver and lungs.", ["liver", "lung"]),
    ("en", "Metastatic breast cancer to the bone.", ["bone"]),
    ("en", "Metastatic melanoma in the lung.", ["lung"]),
    ("en", "Peritoneal carcinomatosis; leptomeningeal disease.", ["peritoneum", "meninges"]),
    ("en", "Secondary deposits in the spine.", ["bone"]),
    ("en", "Liver metastases from colon cancer.", ["liver"]),
    ("en", "No lymph node metastasis.", ["lymph node [negated]"]),
    ("en", "Metastatic adenocarcinoma.", ["unspecified"]),
    ("en", "Bone mets: no. Liver mets: yes.", ["bone [negated]", "liver"]),
    ("en", "Criteria were met. MET amplification. Metastatic calcification.", []),
    ("fr", "Métastases hépatiques sans métastase osseuse.", ["liver", "bone [negated]"]),
    ("en", "Bone only metastases.", ["bone"]),
    ("fr", "Nodules pulmonaires évoquant des métastases.", ["lung [uncertain]"]),
    ("en", "Lower lumbar bone metastases.", ["bone"]),
    ("en", "Mets to bone, none in liver.", ["bone", "liver [negated]"]),
    ("en", "Metastases: liver (+), lung (-).", ["liver", "lung [negated]"]),
    ("en", "Breast cancer with bone metastases.", ["bone"]),
    ("fr", "Métastase ovarienne (tumeur de Krukenberg).", ["ovary"]),
])
def test_metastasis(language: str, text: str, values: list[str]) -> None:
    assert facts_of(text, language, "metastasis") == values


@pytest.mark.parametrize(("language", "text", "values"), [
    ("fr", "ATCD : HTA, DT2, BPCO, AVC en 2015.",
     ["hypertension", "diabetes", "chronic pulmonary disease", "cerebrovascular disease"]),
    ("fr", "Diabète compliqué de néphropathie.", ["diabetes with complications"]),
    ("fr", "Diabète non compliqué.", ["diabetes"]),
    ("fr", "Cirrhose Child B.", ["moderate or severe liver disease"]),
    ("fr", "Pas d'HTA, pas de diabète.", ["hypertension [negated]", "diabetes [negated]"]),
    ("fr", "Hypertension intracrânienne. Diabète insipide. HTAP.", []),
    ("fr", "Lymphome de Hodgkin stade II.", []),
    ("fr", "Antécédent de lymphome en 1998.", ["lymphoma"]),
    ("fr", "Mère diabétique.", ["diabetes [family]"]),
    ("en", "PMH: hypertension, CKD stage 3, COPD, prior MI.",
     ["hypertension", "renal disease", "chronic pulmonary disease", "myocardial infarction"]),
    ("en", "Pulmonary hypertension, portal hypertension.", ["moderate or severe liver disease"]),
    ("en", "Diabetes: no. Hypertension: yes.", ["diabetes [negated]", "hypertension"]),
    ("en", "Type 2 diabetes with retinopathy.", ["diabetes with complications"]),
    ("en", "No history of stroke.", ["cerebrovascular disease [negated]"]),
    ("en", "MI (mitral insufficiency). Hearing aids.", []),
    ("en", "Her father had a stroke.", ["cerebrovascular disease [family]"]),
    ("fr", "Sérologies VHB, VHC négatives.", []),
    ("en", "Stage 4 CKD, not on dialysis.", ["renal disease"]),
])
def test_comorbidity(language: str, text: str, values: list[str]) -> None:
    assert facts_of(text, language, "comorbidity") == values


@pytest.mark.parametrize(("language", "text", "values"), [
    ("fr", "Femme de 58 ans, ménopausée depuis 2010.", ["postmenopausal"]),
    ("fr", "Ménopause : non.", ["premenopausal"]),
    ("fr", "Non ménopausée.", ["premenopausal"]),
    ("fr", "Périménopause.", ["perimenopausal"]),
    ("fr", "Traitement hormonal de la ménopause arrêté.", []),
    ("fr", "Statut ménopausique inconnu.", []),
    ("en", "Postmenopausal woman.", ["postmenopausal"]),
    ("en", "Menopausal status: pre.", ["premenopausal"]),
    ("en", "Not yet menopausal.", ["premenopausal"]),
    ("en", "Menopausal hormone therapy in the past.", []),
    ("fr", "Ménopause : ?", []),
    ("en", "No longer premenopausal, now postmenopausal.", ["postmenopausal"]),
])
def test_menopause(language: str, text: str, values: list[str]) -> None:
    assert facts_of(text, language, "menopause") == values


@pytest.mark.parametrize(("language", "text", "values"), [
    ("fr", "Patient décédé le 3 mai 2021.", ["dead"]),
    ("fr", "Le patient décéda 8 mois plus tard.", ["dead"]),
    ("fr", "Dernières nouvelles : vivante.", ["alive"]),
    ("fr", "Son père est décédé d'un cancer.", []),
    ("fr", "Mort cellulaire. Trois enfants vivants. Risque de décès.", []),
    ("en", "The patient died of sepsis.", ["dead"]),
    ("en", "Alive without disease at 5 years.", ["alive"]),
    ("en", "Her husband died in 2010.", ["dead [family]"]),
    ("en", "Programmed death ligand 1; cell death; lives alone.", []),
    ("fr", "Vivant seul au premier étage.", []),
    ("fr", "Décédé chez lui.", ["dead"]),
    ("en", "She died in a hospice.", ["dead"]),
    ("en", "STATUS: DEAD (NON-CANCER).", ["dead"]),
])
def test_death(language: str, text: str, values: list[str]) -> None:
    assert facts_of(text, language, "death") == values


@pytest.mark.parametrize(("language", "text", "values"), [
    ("fr", "Tabagisme sevré en 2010, 35 PA.", ["former", "35"]),
    ("fr", "PA 130/80 mmHg. Non fumeur.", ["never"]),
    ("fr", "Tabac : jamais.", ["never"]),
    ("fr", "Tabac : 20 PA, sevré depuis 5 ans. Alcool : actif.", ["20", "former"]),
    ("fr", "Fumeur actif, 1 paquet par jour pendant 30 ans.", ["current", "30"]),
    ("fr", "Tabagisme passif. Arrêt du tabac conseillé.", []),
    ("fr", "Dépistage : fumeurs de plus de 20 PA.", []),
    ("fr", "Sevré de l'alcool. Mari fumeur.", []),
    ("fr", "Nie tout tabagisme.", ["never"]),
    ("en", "Ex-smoker, quit in 2009, 40 pack-years.", ["former", "40"]),
    ("en", "Lifelong non-smoker.", ["never"]), ("en", "He has not resumed smoking.", ["former"]),
    ("fr", "Tabac 45 paquets-années, non sevré.", ["45", "current"]), ("fr", "N'a pas repris le tabac.", ["former"]),
    ("fr", "A repris le tabac.", ["current"]),
    ("en", "Tobacco: never. Alcohol: current.", ["never"]),
    ("en", "He does not smoke any more.", ["former"]),
    ("en", "Smokes 20 cigarettes a day for 30 years.", ["current", "30"]),
    ("en", "Screening eligibility: 20 pack-years or more.", []),
    ("en", "Her father was a heavy smoker.", ["current [family]"]),
    ("en", "BP 130/80, smoked salmon.", []),
    ("fr", "Tabac : 15 cigarettes/j.", ["current"]),
    ("fr", "Tabac : non renseigné.", []),
    ("en", "The record says 40 pack-years, but he corrects this to 20.", ["40 [history]", "20"]),
    ("en", "Previously noted as a non-smoker; in fact smokes.", ["never [history]", "current"]),
])
def test_smoking(language: str, text: str, values: list[str]) -> None:
    assert facts_of(text, language, "smoking") == values


@pytest.mark.parametrize("text", [
    "🩺 Me\u0301tastases he\u0301patiques et osseuses, œdème, récidive locale. De\u0301ce\u0301de\u0301e. HTA.",
    "Re\u0301ponse comple\u0300te ; me\u0301nopause\u0301e ; ex-fumeuse, 20 paquets-anne\u0301es.",
])
def test_offsets_are_those_of_the_text_as_stored(text: str) -> None:
    facts = read_note(Note(text, "fr"), [RULES[name] for name in NAMES])
    assert facts and all(text[fact.start:fact.end] == fact.text for fact in facts)
