"""What is said of a mention: sentences with the mention in brackets and the answer beside."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, strategies as st

from medomicslab_nb.errors import DataError
from medomicslab_nb.text import context_triggers
from medomicslab_nb.text.attributes import CONTEXTS
from medomicslab_nb.text.context import Reach, contexts
from medomicslab_nb.text.context_triggers import LANGUAGES, Triggers, tokens_of, triggers
from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.note import Note

NEGATED, UNCERTAIN, FAMILY, HISTORY, PLANNED = ((name,) for name in CONTEXTS)
SAID: tuple[str, ...] = ()

FRENCH = [
    # Negation before the mention
    ("Pas de [métastase] hépatique.", NEGATED),
    ("Absence de [récidive] locale.", NEGATED),
    ("Absence de fièvre, de toux et de [dyspnée].", NEGATED),
    ("Patient sans [antécédent] notable.", NEGATED),
    ("Le patient est sans fièvre, toux ni [dyspnée].", NEGATED),
    ("Elle n'a ni fièvre ni [toux].", NEGATED),
    ("Elle n'a ni [fièvre] ni toux.", NEGATED),
    ("Aucune [adénopathie] suspecte.", NEGATED),
    ("Le scanner ne montre pas de [lésion] osseuse.", NEGATED),
    ("Le scanner n'a pas mis en évidence de [lésion] secondaire.", NEGATED),
    ("Il n'y a pas d'argument en faveur d'une [récidive].", NEGATED),
    ("Pas de signe évocateur de [carcinose].", NEGATED),
    ("Pas de lésion suspecte de [malignité].", NEGATED),
    ("Le patient nie tout [tabagisme].", NEGATED),
    ("La patiente n'a jamais reçu de [chimiothérapie].", NEGATED),
    ("Tumeur non [infiltrante].", NEGATED),
    ("La biopsie élimine un [lymphome].", NEGATED),
    ("L'IRM permet d'éliminer une [métastase] cérébrale.", NEGATED),
    ("Toux non accompagnée de [fièvre].", NEGATED),
    ("Indemne de [récidive] à cinq ans.", NEGATED),
    # Negation after it
    ("[Métastases] : absentes.", NEGATED),
    ("[Emboles] vasculaires : non.", NEGATED),
    ("[Emboles] vasculaires absents.", NEGATED),
    ("[Bilan] : absence de métastase.", SAID),
    ("Bilan : aucune [métastase].", NEGATED),
    ("Une [embolie] pulmonaire est éliminée.", NEGATED),
    ("L'[embolie] pulmonaire a été écartée.", NEGATED),
    ("[Adénopathie] axillaire non retrouvée.", NEGATED),
    ("Une [récidive] n'a pas été retrouvée.", NEGATED),
    ("Recherche d'[embole] : négative.", NEGATED),
    ("Une [métastase] paraît peu probable.", NEGATED),
    # What only looks like it
    ("Il s'agit sans doute d'une [métastase].", SAID),
    ("Examen sans particularité, [adénopathie] axillaire droite.", SAID),
    ("Non seulement une [fièvre] mais aussi une toux.", SAID),
    ("Infection à bacille gram négatif avec [fièvre].", SAID),
    ("Le scanner ne montre que des [nodules] infracentimétriques.", SAID),
    ("Pas d'augmentation de la [lésion] hépatique.", SAID),
    ("Le [scanner] ne montre pas de lésion.", SAID),
    ("La [sérologie] est négative.", SAID),
    # Where it ends
    ("Pas de fièvre mais une [toux] persistante.", SAID),
    ("Pas de fièvre, la [toux] persiste.", SAID),
    ("Pas de lésion hépatique sauf une [métastase] du segment IV.", SAID),
    ("Pas d'adénopathie. [Métastase] pulmonaire.", SAID),
    ("Sans anomalie en dehors d'une [adénopathie].", SAID),
    ("Examen normal sans fièvre et l'[ascite] est abondante.", SAID),
    ("Le [foie] est normal et les ganglions sont absents.", SAID),
    ("Sans fièvre ; [toux] grasse.", SAID),
    ("Sans récidive après la [chimiothérapie].", SAID),
    # Uncertain
    ("Suspicion de [récidive].", UNCERTAIN),
    ("[Métastase] hépatique probable.", UNCERTAIN),
    ("Probable [métastase] hépatique.", UNCERTAIN),
    ("Lésion évocatrice d'un [carcinome].", UNCERTAIN),
    ("Nodule suspect de [malignité].", UNCERTAIN),
    ("Aspect compatible avec une [métastase].", UNCERTAIN),
    ("[Récidive] ?", UNCERTAIN),
    ("Une [récidive] ne peut être exclue.", UNCERTAIN),
    ("Une [récidive] n'est pas exclue.", UNCERTAIN),
    ("Le scanner n'exclut pas une [récidive].", UNCERTAIN),
    ("Le scanner ne permet pas d'éliminer une [récidive].", UNCERTAIN),
    ("Il pourrait s'agir d'une [métastase].", UNCERTAIN),
    ("[Adénocarcinome] versus métastase.", UNCERTAIN),
    ("En cas de [récidive], une chirurgie est possible.", UNCERTAIN),
    ("Une [récidive] est suspectée.", UNCERTAIN),
    ("Ont été évoqués : un [sarcome], une [tumeur] ovarienne ou un [abcès].", UNCERTAIN),
    ("Hypothèses diagnostiques : [sarcome], [lymphome].", UNCERTAIN),
    ("Nous avons évoqué un [sarcome], un [lymphome] et une [tuberculose].", UNCERTAIN),
    ("Une VS à 47 mm, une [CRP] à 5.", SAID),
    ("L'[ovaire] paraît sain.", SAID),
    ("La [réponse] est estimée à 80 %.", SAID),
    ("Marche dès que possible, [fièvre] ce jour.", SAID),
    # Family
    ("Sa mère a eu un [cancer] du sein.", FAMILY),
    ("Père décédé d'un [cancer] du côlon.", FAMILY),
    ("Antécédents familiaux de [cancer] du sein.", FAMILY),
    ("Un [cancer] du sein chez la mère.", FAMILY),
    ("[Cancer] du sein chez une tante maternelle.", FAMILY),
    ("Plusieurs cas de [cancer] du sein dans la famille.", FAMILY),
    ("La mère de l'enfant rapporte une [fièvre].", SAID),
    ("Selon sa mère, il a de la [fièvre].", SAID),
    ("Pas d'antécédent familial de [cancer].", ("negated", "family")),
    ("Sa mère est en bonne santé. Elle a un [cancer] du sein.", SAID),
    # History
    ("Antécédent de [cancer] du sein.", HISTORY),
    ("ATCD : [diabète].", HISTORY),
    ("Traité en 2010 pour un [lymphome].", HISTORY),
    ("[Appendicectomie] en 1998.", HISTORY),
    ("Pas d'antécédent de [diabète].", NEGATED),
    ("Ancien [tabagisme].", HISTORY),
    ("Découverte d'une [tumeur] du sein.", SAID),
    ("Hospitalisée en juillet 2014 pour une [ulcération].", SAID),
    ("Hospitalisée pour une [ulcération] évoluant depuis un an.", SAID),
    ("Sans antécédents particuliers, accuse des [lombalgies].", SAID),
    ("Nous rapportons un cas d'[angiosarcome].", SAID),
    # Planned
    ("Une [chimiothérapie] est prévue.", PLANNED),
    ("Nous proposons une [radiothérapie].", PLANNED),
    ("Indication de [mastectomie].", PLANNED),
    ("[Radiothérapie] à discuter.", PLANNED),
    ("Elle sera traitée par [tamoxifène].", PLANNED),
    ("Pas d'indication de [chimiothérapie].", NEGATED),
    ("Elle a reçu une [chimiothérapie].", SAID),
    # Words of a context within the mention
    ("[Carcinome non à petites cellules] du poumon.", SAID),
    ("Cancer du sein [triple négatif] avec [ganglions].", SAID),
]

ENGLISH = [
    ("No [fever].", NEGATED),
    ("No fever, cough or [rash].", NEGATED),
    ("No fever, [cough] or rash.", NEGATED),
    ("No evidence of [metastasis].", NEGATED),
    ("Without [recurrence].", NEGATED),
    ("She denies [chest pain].", NEGATED),
    ("Neither fever nor [cough].", NEGATED),
    ("CT did not show any [metastases].", NEGATED),
    ("Negative for [malignancy].", NEGATED),
    ("The tumour was negative for [melan-A].", NEGATED),
    ("She never had [chemotherapy].", NEGATED),
    ("There is no suspicious [lesion].", NEGATED),
    ("[Metastasis] was ruled out.", NEGATED),
    ("[Recurrence] was not detected.", NEGATED),
    ("[Lymphadenopathy]: none.", NEGATED),
    ("[Course]: no fever.", SAID),
    ("Course: no [fever].", NEGATED),
    ("[Lymphovascular invasion] not seen.", NEGATED),
    ("[Pulmonary embolism] has been excluded.", NEGATED),
    ("[Chemotherapy] was not given.", NEGATED),
    ("[Metastasis] is unlikely.", NEGATED),
    ("Pain not associated with [fever].", NEGATED),
    ("She is free of [disease].", NEGATED),
    ("He is [tumour] free.", NEGATED),
    ("Non-[smoker].", NEGATED),
    ("The [edges] are tumour free zones.", SAID),
    ("Not only [fever] but also cough.", SAID),
    ("No increase in the [lesion].", SAID),
    ("Gram negative [sepsis].", SAID),
    ("No doubt this is a [metastasis].", SAID),
    ("No fever but [cough].", SAID),
    ("No fever, however [cough] persists.", SAID),
    ("No fever; [cough] for a week.", SAID),
    ("No fever and the [cough] persists.", SAID),
    ("No recurrence after [chemotherapy].", SAID),
    ("No metastasis except in the [liver].", SAID),
    ("The [CT] showed no lesion.", SAID),
    ("No lesion. [Ascites].", SAID),
    ("Suspected [recurrence].", UNCERTAIN),
    ("Suspicious for [malignancy].", UNCERTAIN),
    ("Findings suggestive of [metastasis].", UNCERTAIN),
    ("Probable [metastasis].", UNCERTAIN),
    ("Possible [pneumonia] or [atelectasis].", UNCERTAIN),
    ("[Metastasis] cannot be ruled out.", UNCERTAIN),
    ("CT cannot exclude [metastasis].", UNCERTAIN),
    ("[Recurrence]?", UNCERTAIN),
    ("[Recurrence] is suspected.", UNCERTAIN),
    ("[Adenocarcinoma] versus mesothelioma.", UNCERTAIN),
    ("This may represent [metastasis].", UNCERTAIN),
    ("If [recurrence] occurs, surgery.", UNCERTAIN),
    ("R/O [pneumonia].", UNCERTAIN),
    ("The differential diagnosis includes a [sarcoma], an [abscess] and a [lymphoma].", UNCERTAIN),
    ("Her mother had [breast cancer].", FAMILY),
    ("Family history of [breast cancer].", FAMILY),
    ("[Breast cancer] in her maternal aunt.", FAMILY),
    ("No family history of [cancer].", ("negated", "family")),
    ("The mother reports [fever].", SAID),
    ("According to his mother he had [fever].", SAID),
    ("Her mother is well. She has [breast cancer].", SAID),
    ("History of [breast cancer].", HISTORY),
    ("Past medical history of [diabetes].", HISTORY),
    ("[Appendectomy] in 1998.", HISTORY),
    ("Treated in 2010 for [lymphoma].", HISTORY),
    ("Status post [mastectomy].", HISTORY),
    ("No history of [diabetes].", NEGATED),
    ("A 3-day history of [fever].", SAID),
    ("A previous history of 3 days of [vomiting].", SAID),
    ("A brief history of [headache].", SAID),
    ("Movable relative to superficial [planes].", SAID),
    ("[Breast cancer] diagnosed four years ago.", HISTORY),
    ("[Surgery] was performed in July 2012.", SAID),
    ("Cells arranged in [nests].", SAID),
    ("Targeted next [generation] sequencing.", SAID),
    ("[Chemotherapy] is planned.", PLANNED),
    ("We recommend [radiotherapy].", PLANNED),
    ("Scheduled for [mastectomy].", PLANNED),
    ("[Radiotherapy] to be discussed.", PLANNED),
    ("She will receive [letrozole].", PLANNED),
    ("Candidate for [immunotherapy].", PLANNED),
    ("She received [chemotherapy].", SAID),
    ("[Non-small cell lung cancer] with [metastasis].", SAID),
    ("[Triple negative] breast [cancer].", SAID),
]

def written(language: str) -> list[tuple[str, str]]:
    """Sentences of a file, with what is said of the mentions in them: negated, uncertain, or neither ("said")."""
    lines = Path(__file__).with_name(f"context_{language}.txt").read_text(encoding="utf-8").splitlines()
    return [(language, line) for line in lines if not line.startswith("#")]


NOTES = [
    ("fr", "Antécédents familiaux :\n[Cancer] du sein.\n", FAMILY),
    ("fr", "ANTECEDENTS\nAppendicectomie, [diabète].\nCONCLUSION\nCarcinome.", HISTORY),
    ("fr", "Antécédents :\nPas de [diabète].\n", NEGATED),
    ("fr", "Antécédents médicaux : [diabète], HTA.\nExamen clinique : normal.", HISTORY),
    ("fr", "ANTECEDENTS\nDiabète.\nCONCLUSION\n[Carcinome] canalaire.", SAID),
    ("fr", "Conduite à tenir :\n[Radiothérapie] adjuvante.\n", PLANNED),
    ("en", "Past medical history:\n[Diabetes].\n", HISTORY),
    ("en", "Family history:\nMother, [breast cancer].\n", FAMILY),
    ("en", "Plan:\n[Chemotherapy].\n", PLANNED),
]


def said(marked: str, language: str, reach: Reach | None = None) -> list[tuple[str, ...]]:
    """The contexts of the stretches in brackets."""
    spans, text = [], ""
    for part in re.split(r"(\[.*?\])", marked):
        if part.startswith("["):
            spans.append((len(text), len(text) + len(part) - 2))
        text += part.strip("[]")
    note = Note(text, language)
    return contexts(note, [(note.place(start), note.place(end)) for start, end in spans], reach)


@pytest.mark.parametrize(("marked", "expected"), FRENCH, ids=[marked for marked, _ in FRENCH])
def test_french(marked: str, expected: tuple[str, ...]) -> None:
    assert set(said(marked, "fr")) == {expected}


@pytest.mark.parametrize(("marked", "expected"), ENGLISH, ids=[marked for marked, _ in ENGLISH])
def test_english(marked: str, expected: tuple[str, ...]) -> None:
    assert set(said(marked, "en")) == {expected}


@pytest.mark.parametrize(("language", "line"), [each for language in LANGUAGES for each in written(language)])
def test_wordings_of_case_reports(language: str, line: str) -> None:
    expected, marked = line.split("\t")
    found = [{"negated", "uncertain"} & set(each) for each in said(marked, language)]
    assert found
    assert all(expected in each if expected in CONTEXTS else not each for each in found)


@pytest.mark.parametrize(("language", "marked", "expected"), NOTES)
def test_section_says_it_of_every_mention_in_it(language: str, marked: str, expected: tuple[str, ...]) -> None:
    assert said(marked, language) == [expected]


def test_capitals_and_accents_do_not_matter() -> None:
    assert said("ABSENCE DE [METASTASE].", "fr") == said("absence de [me\u0301tastase].", "fr") == [NEGATED]
    assert said("La récidive n\u2019a pas été retrouvée, ni de [fièvre]", "fr") == [NEGATED]


def test_another_language_has_only_its_sections() -> None:
    assert said("Keine [Metastasen]. No [fever].", "de") == [SAID, SAID]


def test_reach_ends_where_it_is_told() -> None:
    assert said("No fever, [cough]", "en", Reach(bare_commas=False)) == [SAID]
    assert said("No fever, [cough]", "en", Reach(bare_commas=True)) == [NEGATED]
    assert said("No metastasis on [CT]", "en", Reach(prepositions=False)) == [NEGATED]
    assert said("No fever and [cough]", "en", Reach(conjunctions=False)) == [SAID]
    assert said("No a b c d [cough]", "en", Reach(words=3)) == [SAID]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plain_pattern_is_found_in_its_own_words(language: str) -> None:
    # One that is not is a slip of the pen: a word that is never looked up so, or a sign between words.
    path = Path(context_triggers.__file__).with_name(f"context_{language}.yaml")
    entries = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    patterns = [pattern for name, entry in entries.items() if name != "words"
                for part in (entry.values() if isinstance(entry, dict) else [entry]) for pattern in part]
    plain = [pattern for pattern in patterns if not re.search(r"[|<(?]|\.\.\.", pattern)]
    assert len(plain) > 100
    keys = {pattern: tokens_of(fold(pattern).folded, 0, len(fold(pattern).folded)).keys for pattern in plain}
    found = {pattern: [(mark.start, mark.end) for mark in triggers(language).marks(keys[pattern])] for pattern in plain}
    missed = [pattern for pattern in plain if found[pattern] != [(0, len(keys[pattern]))]]
    assert missed == []


def test_pattern_that_no_note_can_match_is_refused() -> None:
    with pytest.raises(DataError, match="is not one word"):
        Triggers({"negated": {"before": ["grand-mere|tante"]}})


def test_the_longest_pattern_wins() -> None:
    lexicon = Triggers({"negated": {"before": ["no", "no sign of?"]}, "pseudo": ["no doubt"]})
    found = lexicon.marks("no sign of x no doubt".split())
    assert [(mark.start, mark.end, mark.effects) for mark in found] == [
        (0, 3, (("negated", "before"),)), (4, 6, (("pseudo", ""),))]


@given(st.sampled_from(LANGUAGES), st.lists(st.sampled_from(
    "pas de no sans , ; : ( ) ? et and ni or mais but fièvre fever était was probable mère 2015 à l' œ\n".split(" ")),
    max_size=25), st.data())
def test_any_text_and_any_span_has_an_answer(language: str, words: list[str], data: st.DataObject) -> None:
    note = Note(" ".join(words), language)
    places = st.integers(0, len(note.folded))
    spans = [(min(pair), max(pair)) for pair in data.draw(st.lists(st.tuples(places, places), max_size=4))]
    found = contexts(note, spans)
    assert len(found) == len(spans)
    assert all(each == tuple(name for name in CONTEXTS if name in each) for each in found)


def test_cost_of_one_endless_sentence_grows_as_its_words_do() -> None:
    def seconds(times: int) -> float:
        note = Note("no fever, cough and rash, " * times, "en")
        assert len(note.sentences) == 1
        start = time.process_time()
        contexts(note, [(at, at + 5) for at in range(3, len(note.folded), 26)])
        return time.process_time() - start

    seconds(10)
    # Eight times the words; their square would be 64 times the time.
    assert min(seconds(1600) for _ in range(3)) < 24 * min(seconds(200) for _ in range(3))
