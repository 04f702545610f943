"""Histological types by name: ICD-O-3.2 morphology with behaviour, benign tumours too.

Found is the longest wording of ``lexicons/histology.csv``, in any order of its words; words of degree, grade and
organ may stand within it (adénocarcinome moyennement différencié lieberkühnien). A bare carcinoma, sarcoma, lymphoma
or melanoma counts; cancer, tumour and metastasis alone do not.

Measured on the half of the E3C layer 3 case reports that was not read while the rule was made (annotated by simulated
annotators, no clinicians): F1 of mentions .94 (French, n = 64) and .96 (English, n = 244); with the code .84 and .86;
with code and context .66 and .71.

Limits: one code a wording, so that what a later sentence adds is not joined to it; the behaviour is that of the name,
never /6 for a metastasis; abbreviations of one report's own (PT for phyllodes tumour) and misspelt names are missed
or found as the broader type; a list of types that were thought of is found like a diagnosis but for its context.
"""

from __future__ import annotations

from collections.abc import Iterator

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.terms import named


def find(note: Note) -> Iterator[Found]:
    """The types that ``lexicons/histology.csv`` names."""
    for hit in named(note):
        if hit.term.attribute == "histology":
            yield Found("histology", hit.start, hit.end, hit.term.value)
