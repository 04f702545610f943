"""The language of a note: French, English or neither, by the words that carry no meaning of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from medomicslab_nb.text.folding import fold

_FRENCH_LETTERS = re.compile(r"\b[^\W\d_]*[éèêëàâçùûîïôœ][^\W\d_]*")
_OTHER_LETTERS = re.compile(r"\b[^\W\d_]*[áíóúñãõäöüßåøłčšžř][^\W\d_]*")
# Words with letters that French and English lack: more than a name or two, and it is another language.
_WORD = re.compile(r"(?:[dlns]|qu|jusqu)'|[^\W\d_]+")
_ENOUGH = 0.08  # share of all words; in running text of either language more than a third are such words
# Words of one language that are none of the other's (so not "on", "or", "son", "a"), folded.
_WORDS: Mapping[str, frozenset[str]] = {
    "fr": frozenset(
        "le la les des du de un une et est sont avec sans pour dans par sur au aux ce cette ces qui que dont il elle "
        "nous vous pas ne plus chez depuis lors apres avant ete avait ont etait tres bien leur mais ou donc ni car "
        "sous entre vers d' l' n' s' qu' jusqu' aucun aucune patiente traitement tumeur sein droit droite gauche stade "
        "antecedents bilan examen montre retrouve mise cours ans mois jours suite en se sa ses kyste cancers".split()),
    "en": frozenset(
        "the of and is are was were with without for in by at this these which who whom that he she we you not no more "
        "since after before been had has have very well their but so nor because under between from his her an it its "
        "as be to there any absent treatment tumour tumor breast right left stage history showed "
        "shows revealed underwent found year years month months day days old normal negative".split()),
}


@dataclass(frozen=True)
class Language:
    """What a note is written in."""

    code: str
    """``fr``, ``en``, or empty where there are too few words to say, or it is another language."""
    share: float
    """Of the words that tell, the share that are this language's."""
    mixed: bool
    """Whether both languages have a fifth of those words or more."""


def detect_language(text: str) -> Language:
    """The language of a text; too little text, or another language, is neither.

    Notes: only the first 20,000 characters are read.
    """
    words = _WORD.findall(fold(text[:20_000]).folded)
    counts = {code: sum(word in known for word in words) for code, known in _WORDS.items()}
    french, other = (len(pattern.findall(text[:20_000].lower())) for pattern in (_FRENCH_LETTERS, _OTHER_LETTERS))
    if other > max(1, french / 2):
        return Language("", 0.0, mixed=False)
    counts["fr"] += french if not other else 0  # telegraphic notes have little else to tell by
    code = max(counts, key=lambda name: counts[name])
    told = sum(counts.values())
    if not told or counts[code] < max(1, _ENOUGH * len(words)) or counts["fr"] == counts["en"]:
        return Language("", 0.0, mixed=False)
    share = counts[code] / told
    return Language(code, share, mixed=share < 0.8 and told >= 10)
