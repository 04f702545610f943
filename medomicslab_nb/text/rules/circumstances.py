"""Results of tests that are a rule's and not the patient's, that are not certain, or that hold no more.

"Eligible if CA 19-9 < 500", "reference range", "PD-L1 >= 50 % would permit" are no facts; "HER2 probably positive" is
uncertain, which the words between a test and its result say. The words stand in ``results.yaml``; what scores and
results have in common is read by ``statements.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import zip_longest

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import phrases
from medomicslab_nb.text.rules.statements import stated

_BOUNDS = ("<", ">", "≤", "≥")
_NEAR = 110  # characters before a result in which a rule is announced


def results(note: Note, mentions: Iterable[Found]) -> Iterator[Found]:
    """The mentions that are results of the patient, with what the words beside and within them say."""
    kept = _without_rules(note, mentions)
    dated = {(each.attribute, each.start, each.end): each for each in stated(note, kept)}
    for mention, following in zip_longest(kept, kept[1:]):
        said = dated.get((mention.attribute, mention.start, mention.end), mention)
        others = any(each is not mention and each.attribute == mention.attribute for each in kept)
        replaced = following is not None and _is_set_against(following, mention)
        if not replaced and _holds_no_more(note, said, others=others):
            mention = said
        yield _hedged(note, mention)


def _holds_no_more(note: Note, mention: Found, *, others: bool) -> bool:
    """Whether what was said of a result stands: not of a last one, which is the present one until there is another."""
    if mention.context != ("history",):
        return True
    if not others and re.match(rf"[\s,(]*{phrases('statements', 'now')}\b", note.folded[mention.end:mention.end + 30]):
        return False
    before = note.folded[note.sentence_at(mention.start)[0]:mention.end]
    return others or re.search(rf"\b{phrases('statements', 'earlier_before')}\b", before) is not None


def _without_rules(note: Note, mentions: Iterable[Found]) -> list[Found]:
    """The mentions that are no rule's; bounds that follow a rule in its sentence are rules too."""
    kept, ruled = [], -1
    for mention in mentions:
        bound = mention.qualifier[:1] in _BOUNDS and ruled == note.sentence_at(mention.start)[0]
        if bound or _is_rule(note, mention):
            ruled = note.sentence_at(mention.start)[0]
        else:
            kept.append(mention)
    return kept


def _is_set_against(following: Found, mention: Found) -> bool:
    """Whether the words between two results are said of the second ("7, previously 1900", "24 et non 240")."""
    said = {"history", "negated"} & set(following.context)
    return following.attribute == mention.attribute and bool(said) and not mention.context


def _is_rule(note: Note, mention: Found) -> bool:
    """Whether a condition, a norm or a criterion is spoken of."""
    begin, stop = note.sentence_at(mention.start)
    before = re.split(r"(?:;|(?<!ref)\.)\s", note.folded[max(begin, mention.start - _NEAR):mention.start])[-1]
    announced = list(_words("condition_before").finditer(before))
    if announced:
        since = before[announced[-1].end():]
        if not _words("own").search(since) and not _between(since):
            return True
    if _is_limit(note.folded[mention.start:mention.end]):
        return True
    after = re.split(r"[;.\n]", note.folded[mention.end:min(stop, mention.end + 40)])[0]
    if mention.qualifier[:1] in _BOUNDS and _words("bound_after").match(after.lstrip(" :")):
        return True
    found = _words("condition_after").search(after)
    return found is not None and re.fullmatch(r"[^,]{0,12}", after[:found.start()]) is not None


def _is_limit(text: str) -> bool:
    """Whether the only number of a mention is named a limit (PD-L1 cut-off of 1 %)."""
    named = _words("limit").search(text)
    return named is not None and re.fullmatch(r"\W*(?:(?:of|de|a|at|is|est|was)\W+)?[<>≤≥]?\s?[\d.,]+\s?%?\)?",
                                              text[named.end():]) is not None


def _between(text: str) -> bool:
    """Whether a comma and a verb part a condition from what is said after it."""
    return "," in text and bool(re.search(r",.*\b(?:is|was|est|etait|a ete|shows?|showed|montre)\b", text))


def _hedged(note: Note, mention: Found) -> Found:
    within = note.folded[mention.start:mention.end]
    beside = note.folded[max(mention.start - 14, note.sentence_at(mention.start)[0]):mention.start]
    doubted = _words("hedge").search(within) or re.search(rf"{_words('hedge').pattern}\W*$", beside)
    if doubted and "uncertain" not in mention.context:
        return replace(mention, context=(*mention.context, "uncertain"))
    if not mention.context and _words("earlier").search(within):
        return replace(mention, context=("history",))
    return replace(mention, context=(*mention.context, "family")) if _is_relatives(note, mention) else mention


def _is_relatives(note: Note, mention: Found) -> bool:
    """Whether a relative is the last person named before a result in its clause."""
    if "family" in mention.context:
        return False
    clause = note.folded[max(note.sentence_at(mention.start)[0], mention.start - 120):mention.end].rpartition(";")[2]
    relatives = list(_words("relative").finditer(clause))
    return bool(relatives) and not _words("own").search(clause, relatives[-1].end())


@cache
def _words(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){phrases('results', name)}(?![^\W_])")
