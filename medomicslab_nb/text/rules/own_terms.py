"""A team's own terms: what they are found to say is theirs to judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Lexicon, Term
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.rule import Rule


def term_rule(terms: Sequence[Term]) -> Rule:
    """A rule that finds the terms of a list, in both languages unless a term names one."""
    lexicon = Lexicon(terms)

    def find(note: Note) -> Iterator[Found]:
        for hit in lexicon.find(note):
            yield Found(hit.term.attribute, hit.start, hit.end, hit.term.value, qualifier=hit.term.qualifier)

    return Rule("own_terms", 1, tuple(dict.fromkeys(term.attribute for term in terms)), find)
