"""T, N and M categories of the TNM classification, and the edition that a note names.

Found are chains of categories in any writing ("ypT2(m)N1a(2/14)M0", "cT3 N2b, M0", "T: 3 N: 1 M: 0", "T2-T3", "TlNOMO")
and lone ones: with a prefix (pT2), with a subcategory (T1c) or beside words that say so ("classée T2", "M1 disease").
Words around lone ones stand in ``lexicons/tnm.yaml``. N+ and N- have no category and are passed over; M+ is M1.

Measured on E3C layer 3 (simulated annotators, by value): French T, N, M F1 1.00, 1.00, 1.00 (n = 20, 20, 17); English
1.00, 0.99, 1.00 (n = 42, 33, 29), after its errors were read; on the English test half before 0.98, 0.92, 0.97 (n =
22, 19, 17). Edition on the test half of the challenge set, *not real notes*, before it was read: F1 0.86 French (n =
20), 0.89 English (n = 18); on the whole set, after reading it, 0.97 (n = 34) and 1.00 (n = 24).
Limits: no table whose heads are T, N and M; a lone
T2 is found only beside words that say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.columns import in_columns
from medomicslab_nb.text.rules.phrases import phrases
from medomicslab_nb.text.rules.places import search, stretches
from medomicslab_nb.text.rules.statements import stated

_ATTRIBUTES = {"t": "t_category", "n": "n_category", "m": "m_category"}
# The letters o, l, i and | are what a scanner makes of 0 and 1.
_T = r"(?P<t>is|x|a|[0-4oli|])(?P<t_sub>\s?\(?mic?\)?|[a-d](?:[1-3]|i{1,3})?(?:\s?\(?mi\)?)?)?"
_N = r"(?P<n>[0-3xoli|]|\+|-(?!\s?[0-3]))(?P<n_sub>\s?\(?mic?\)?|[a-d](?:[1-3]|i{1,3}v?|iv)?)?"
_M = r"(?P<m>[01xoli|]|\+)(?P<m_sub>[a-e][1-3]?|l(?=\s?\())?"
_SPACED_SUB = r"(?P<spaced_sub>\s[a-d](?=\s*(?:[,;./)]|$)|\s+[cpyr]{0,2}[nm]\s?[0-3x]))?"
_RANGE = (r"(?:(?:\s?-\s?|/|\s(?:a|ou|or|to|et|and)\s)(?P<upto>[0-4][a-d]?)(?![^\W_])"
          r"(?!\s?[/%+°]|[.,]\d|\s?\(\d|\s(?:mm|cm|mois|month|jour|day|an|year|semaine|week|h|node|ganglion)))?")
_PREFIX = r"(?:(?P<prefix>(?:[yr]\s?)?[cp](?=\s?[tnm])|y?(?:[ru]|mr|us)(?=[tnm])|(?:[ya]|mp)(?=[tnm]))\s?)?"
_COMPONENT = (_PREFIX + r"(?:t(?P<t_gap>\s?[:=]\s?|\s?)" + _T + r"|n(?P<n_gap>\s?[:=]\s?|\s?)" + _N
              + r"|m(?P<m_gap>\s?[:=]\s?|\s?)" + _M + ")" + _SPACED_SUB + _RANGE)
_OTHER_SIGNS = r"[lvr]\s?[0-2x]|pn\s?[01x]|g\s?[1-4x]|s[0-3]"
_END = r"(?![^\W_]|[.,]\d|\s?[%°])"
_NEXT = rf"(?={_PREFIX.replace('?P<prefix>', '?:')}[nm]\s?[0-3xoli|+]|{_OTHER_SIGNS})"
_WHOLE = _COMPONENT + f"(?:{_END}|{_NEXT})"
_GAP = (rf"(?:[\s,;:/.&()\[\]_-]{{1,4}}|\([^()\n]{{1,25}}\)|(?:{_OTHER_SIGNS})(?![0-9])"
        r"|(?<=[\s,)])(?:et|and|ou|or|to|a|avec|with)(?=\s)){0,6}?")
_HEAD_AT = re.compile(r"(?<![^\W_])(?<![\w][-'])" + _WHOLE)
_FOLLOWING = re.compile(_GAP + _WHOLE)
_SUFFIX = re.compile(r"(?:\s?\(\s?(?:m|s|is|\d{1,2}|sn|sent|f|i[+-]|mol[+-]|sn[^()\n]{1,12})\s?\))+|(?<=\d)m(?![^\W_])")
_GRADED = re.compile(r"[\s,]{0,2}(?:g\s?[1-3]|[lh]g|(?:low|high|bas|haut)[ -])")
# A cheap look for where one may stand: nearly every T, N or M of a note begins none.
_QUICK = re.compile(r"[tnm](?<![bd-lnoqtv-xz0-9].)(?:\s?[:=]?\s?(?:[0-4]|x(?![^\W_]))|\+|is(?![^\W_])|isn|"
                    r"a(?:(?![^\W_])|[ng][0-4xo])"
                    r"|[oli|][a-d]?\s?[nm][0-3oxli])")


_CLOSE = 5  # characters between two categories of one chain


@dataclass(frozen=True)
class Category:
    """One category as written, in folded offsets; the prefix stands before ``start``."""

    letter: str
    number: str
    sub: str
    start: int
    end: int
    prefix: str
    prefix_start: int
    tight: bool
    """Whether nothing stands between prefix, letter and number."""

    @property
    def scanned(self) -> bool:
        """Whether a letter stands for the number."""
        return self.number in tuple("oli|")

    @property
    def value(self) -> str:
        """The category of the catalogue, empty where there is none (N+)."""
        number = {"x": "X", "o": "0", "l": "1", "i": "1", "|": "1"}.get(self.number, self.number)
        if self.number in "+-":
            return "M1" if self.letter == "m" else ""
        sub = re.sub(r"[\s()l]", "", self.sub).replace("mic", "mi")
        return self.letter.upper() + number + sub


def find(note: Note) -> Iterator[Found]:
    """The categories of a note and the edition."""
    yield from stated(note, dict.fromkeys([*_edition(note), *in_columns(note, "uicc_edition")]))
    chains = list(_chains(note))
    if found := [each for chain in chains for each in _categories_of(note, _accepted(note, chain, chains))]:
        yield from _together(stated(note, found))


def _categories_of(note: Note, chain: Sequence[Category]) -> Iterator[Found]:
    prefix = ""
    for category in chain:
        prefix = category.prefix or prefix
        if category.value:
            found = _found(note, category, prefix)
            yield replace(found, context=("negated",)) if len(chain) == 1 and _is_denied(note, category) else found


def _is_denied(note: Note, category: Category) -> bool:
    """Whether a lone category is denied right before it; a whole TNM after "without" is not (without nodes, T2N0M0)."""
    begin = max(note.sentence_at(category.start)[0], category.start - 40)
    return _denied().search(note.folded[begin:category.start]) is not None


@cache
def _denied() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){phrases('tnm', 'denied')}\s(?:\w+\s)?[cp]?$")


def _together(mentions: Iterable[Found]) -> Iterator[Found]:
    """The categories of one chain are earlier ones together: "initially cT3N1, now ypT0"."""
    last: Found | None = None
    for mention in sorted(mentions, key=lambda each: each.start):
        if last and last.context and mention.start - last.end < _CLOSE and mention.attribute != last.attribute:
            mention = replace(mention, context=last.context)
        last = mention
        yield mention


def _found(note: Note, category: Category, prefix: str) -> Found:
    suffix = _SUFFIX.match(note.folded, category.end)
    said = re.sub(r"\s", "", suffix[0]) if suffix else ""
    value = category.value
    if category.letter == "n" and value in ("N0", "N1"):
        value += _node_suffix(value, said)
    elif category.letter == "m" and value == "M0" and "(i+)" in said:
        value += "(i+)"
    many = re.search(r"\(?m\)?$|\(\d+\)", said)
    end = suffix.end() if suffix else category.end
    return Found(_ATTRIBUTES[category.letter], category.start, end, value,
                 qualifier=prefix + ("(m)" if many and category.letter == "t" else ""))


def _node_suffix(value: str, said: str) -> str:
    """What the catalogue keeps of the signs behind N0 and N1."""
    found = next((mark for mark in ("(i+)", "(mol+)") if mark in said), "") if value == "N0" else ""
    return found or ("(sn)" if "(sn" in said else "")


def _chains(note: Note) -> Iterator[list[Category]]:
    """Runs of categories with nothing but signs between them."""
    folded, at = note.folded, 0
    while quick := _QUICK.search(folded, at):
        head = _head(folded, quick.start(), at)
        at = quick.end() if head is None else head.end()
        if head is not None:
            matches = [head]
            while following := _FOLLOWING.match(folded, matches[-1].end()):
                matches.append(following)
            at = matches[-1].end()
            yield [category for match in matches for category in _categories(match)]


def _head(folded: str, letter: int, after: int) -> re.Match[str] | None:
    """The category whose T, N or M stands there, with the longest prefix before it."""
    for start in range(max(letter - 5, after), letter + 1):
        match = _HEAD_AT.match(folded, start)
        if match and match.end() > letter and _letter_at(match) == letter:
            return match
    return None


def _letter_at(match: re.Match[str]) -> int:
    kind = _kind(match)
    return match.start(f"{kind}_gap") - 1


def _kind(match: re.Match[str]) -> str:
    return next(letter for letter in "tnm" if match[letter])


def _categories(match: re.Match[str]) -> Iterator[Category]:
    """The category of a match, and the second of a range such as T1-2."""
    kind, start = _kind(match), _letter_at(match)
    sub = match[f"{kind}_sub"] or match["spaced_sub"] or ""
    end = max(match.end(kind), match.end(f"{kind}_sub"), match.end("spaced_sub"))
    before = start if match["prefix"] is None else match.start("prefix")
    prefix = re.sub(r"\s", "", match["prefix"] or "")
    tight = not match[f"{kind}_gap"] and start - before == len(prefix)
    yield Category(kind, match[kind], sub, start, end, prefix, before, tight)
    if match["upto"]:
        upto = match["upto"]
        yield Category(kind, upto[0], upto[1:], match.start("upto"), match.end("upto"), prefix, before, tight)


def _accepted(note: Note, chain: Sequence[Category], chains: Sequence[Sequence[Category]]) -> list[Category]:
    """The categories of a chain that are ones of a TNM."""
    chain = [each for each in chain if not _perineural(note, each) and not _misread(note, each, chain)]
    letters = {each.letter for each in chain}
    if len(letters) > 1 and ("t" in letters or all(_capital(note, each) for each in chain)):
        return list(chain)
    if not chain or any(each.scanned for each in chain) or _is_other(note, chain):
        return []
    if _says_so(note, chain) or _plain_alone(note, chain[0]) or _has_partner(note, chain, chains):
        return list(chain)
    return []


def _perineural(note: Note, category: Category) -> bool:
    """Whether this is the Pn1 of perineural invasion, not a pN1."""
    return category.letter == "n" and category.prefix == "p" and _written(note, category)[:2] == "Pn"


def _misread(note: Note, category: Category, chain: Sequence[Category]) -> bool:
    """Whether a letter that would have to be a number is none: words such as "to", "no" and "mi"."""
    if category.prefix in ("a", "r", "u", "m") and not _prefix_shows(note, category, chain):
        return True
    if category.number == "a" and len({each.letter for each in chain}) == 1:
        graded = _GRADED.match(note.folded, category.end) is not None
        return not (_written(note, category).endswith("Ta") and (category.prefix or graded or _cued(note, chain)))
    if not category.scanned:
        return False
    joined = any(category.end == other.prefix_start or category.prefix_start == other.end for other in chain)
    sure = any(not other.scanned for other in chain) or len({other.letter for other in chain}) == 3
    spaced = category.number == "o" and _written(note, category).endswith("O") and category.tight
    whole = len({other.letter for other in chain}) == 3 and category.number == "o"
    apart = whole or (spaced and len(chain) > 1 and not _word_follows(note, chain))
    return not (_capital(note, category) and sure and (joined or apart))


def _prefix_shows(note: Note, category: Category, chain: Sequence[Category]) -> bool:
    """Whether a, r and u are prefixes: aT3, or in a chain at3n1, but not the end of a word or AT 3."""
    written = _written(note, category)
    return category.tight and (len(chain) > 1 or (written[0].islower() and _capital(note, category)))


def _word_follows(note: Note, chain: Sequence[Category]) -> bool:
    """Whether the last category is followed by a word, as the NO of "T2 NO METASTASIS" is."""
    return chain[-1].scanned and re.match(r"\s[^\W\d_]{2}", note.folded[chain[-1].end:]) is not None


def _written(note: Note, category: Category) -> str:
    """Prefix, letter and number with their capitals."""
    start, end = note.source(category.prefix_start, category.end)
    return note.text[start:end]


def _capital(note: Note, category: Category) -> bool:
    start, _ = note.source(category.start, category.start + 1)
    return note.text[start].isupper()


def _plain_alone(note: Note, category: Category) -> bool:
    """Whether a lone category cannot well be anything else by the way it is written."""
    if category.number == "a":
        return True  # it would have been misread otherwise
    if not category.tight or not (category.number.isdigit() or category.prefix or category.value == "M1"):
        return False
    written = _written(note, category)
    if category.prefix:
        return ((written[:len(category.prefix)].islower() and _capital(note, category))
                or (category.prefix in ("p", "yp", "yc") and category.letter == "t" and category.number != "x"))
    if category.number == "+":
        return _capital(note, category)
    sub = category.sub.strip()
    return bool(sub) and _capital(note, category) and written[-1].islower() and not _pictures(note, category)


def _pictures(note: Note, category: Category) -> bool:
    start, end = note.sentence_at(category.start)
    return re.search(rf"\b{phrases('tnm', 'pictures')}\b", note.folded[start:end]) is not None


def _is_other(note: Note, chain: Sequence[Category]) -> bool:
    """Whether the words beside say that a lone T, N or M is something else."""
    if any(each.prefix and each.prefix != "m" and each.tight for each in chain):
        return False
    before, after = _around(note, chain)
    return bool(_beside("other_before", "other_between").search(before)
                or re.match(rf"(?:\s|-)?{phrases('tnm', 'other_after')}\b", after)
                or re.match(r"\s?(?:[-/,]|\bet\b|\band\b|\bto\b|\ba\b)\s?(?:[dlcs]\d|t(?:[5-9]|1[0-2])|flair|stir)|"
                            r"\s?:\s?\d|\s?-\s?t\d\s(?:level|vert)", after)
                or re.search(r"(?:\b[cdls]\d{1,2}|\bt(?:[5-9]|1[0-2]))\s?(?:[-/,]|et|and|to|a)\s?$", before))


def _says_so(note: Note, chain: Sequence[Category]) -> bool:
    """Whether the words beside say that it is a category."""
    _, after = _around(note, chain)
    few = r"(?:(?!(?:in|of|and|with|on|et|de|avec|dans|sur|en|a|showed|was|is)\b)[^\W\d_]+\s){0,3}"
    return (_cued(note, chain) or re.match(rf"[\s-]?\(?{phrases('tnm', 'after')}\b", after) is not None
            or re.match(rf"\s{few}{phrases('tnm', 'tumours')}\b", after) is not None)


def _cued(note: Note, chain: Sequence[Category]) -> bool:
    if chain[0].letter != "t" and not _capital(note, chain[0]):
        return False
    before, _ = _around(note, chain)
    return _beside("before", "between").search(before) is not None


def _around(note: Note, chain: Sequence[Category]) -> tuple[str, str]:
    start, end = note.sentence_at(chain[0].start)
    first, last = chain[0].prefix_start, chain[-1].end
    return note.folded[max(start, first - 60):first], note.folded[last:min(max(end, last), last + 45)]


@cache
def _beside(words: str, between: str) -> re.Pattern[str]:
    """A pattern of words that end a text, with at most three small words and signs after them."""
    small = phrases("tnm", between) + r"|(?:du|de la|de l'|des|of the|of)\s?\w+"
    return re.compile(rf"\b{phrases('tnm', words)}[\s:=(,\"'-]{{0,3}}(?:(?:{small})[\s:=(,\"'-]{{1,3}}){{0,3}}$")


def _has_partner(note: Note, chain: Sequence[Category], chains: Sequence[Sequence[Category]]) -> bool:
    """Whether the sentence has another letter of the TNM: "a T3 tumour with N1 nodes"."""
    start, end = note.sentence_at(chain[0].start)
    if not all(each.tight and _capital(note, each) and each.number.isdigit() for each in chain):
        return False
    return any(other is not chain and start <= other[0].start < end and other[0].letter != chain[0].letter
               and other[0].tight and not other[0].scanned and _capital(note, other[0])
               and not _is_other(note, other) for other in chains)


_EDITIONS = {"sixth": "6", "seventh": "7", "eighth": "8", "ninth": "9", "sixieme": "6", "septieme": "7",
             "huitieme": "8", "neuvieme": "9", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_YEARS = {"2002": "6", "2003": "6", "2009": "7", "2010": "7", "2016": "8", "2017": "8", "2018": "8", "2024": "9",
          "2025": "9"}
_NAMES = r"(?:p?tnm|uicc|ajcc|iaslc)"
_EDITION = re.compile(
    r"\b(?P<ordinal>[6-9]|" + "|".join(_EDITIONS) + rf")\s?(?:th|st|nd|rd|e|eme|ieme)?[\s-](?:{_NAMES}\s)?(?:ed\b\.?|"
                                                    rf"edition|version|revision)"
    rf"|\b(?P<before>[5-9])(?:th|e|eme|ieme)\s{_NAMES}\b"
    r"|\b(?:edition|ed\.?|version|v\.?)\s?(?:[:=]\s?)?(?:(?:20\d\d\s?[/(]\s?)|n\s?°\s?|numero\s|number\s)?(?P<named>[5-9]|viii|vii|"
    r"vi|ix)(?:th|e|eme)?\b"
    rf"|{_NAMES}[\s,(:-]{{0,2}}(?:v\.?\s?)?(?P<short>[5-9])(?:th|e|eme)?\b(?![.,/]\d|\s(?:nodes?|gangl|lymph|mm|cm))"
    rf"|{_NAMES}[\s,(:-]{{0,2}}(?:edition\s|version\s)?(?P<year>20\d\d)\b(?!\s?/)")
_NAMED_BEHIND = re.compile(r"[\s,(]{1,3}[6-9](?:th|e|eme|ieme)?\s?ed")
_NAME_NEAR = re.compile(rf"(?<![^\W_])(?:{_NAMES}|stades?\b|"
                        r"stages?\b|stag(?:ed|ing)|[cpy]{0,2}t[0-4])")


def _edition(note: Note) -> Iterator[Found]:
    for match in search(note, _EDITION, stretches(note, ("tnm", "ptnm", "ctnm", "uicc", "ajcc", "iaslc", "edition", "ed"))):  # noqa: E501
        start, end = note.sentence_at(match.start())
        before = note.folded[max(start, match.start() - 60):match.start()].rpartition(";")[2]
        after = note.folded[match.end():min(end, match.end() + 70)].partition(";")[0]
        said = match["before"] or match["ordinal"] or match["named"] or match["short"]
        value = _YEARS.get(match["year"], "") if match["year"] else _EDITIONS.get(said, said)
        if match["year"] and _NAMED_BEHIND.match(note.folded, match.end()):
            continue  # the edition of that year
        if value and (_NAME_NEAR.search(before + after) or _NAME_NEAR.search(match[0])):
            yield Found("uicc_edition", match.start(), match.end(), value)
