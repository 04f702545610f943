"""Tests and their results within a sentence: which result belongs to which test.

"ER and PR positive, HER2 negative", "negative for ER and PR", "RE: 90 %  RP: -", "no HER2 amplification": the sentence
is read from left to right as names and results. A result belongs to the names before it that have none yet, unless it
leads to the names after it ("negative for", "absence of", "EGFR mutation" the other way round). What stands between is
measured in words that mean something else (``results.yaml`` lists those that do not count).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.lexicon import Hit, Term, lexicon
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, spoken_pattern
from medomicslab_nb.text.rules.phrases import alternation, listed
from medomicslab_nb.text.rules.tables import cells

Kind = Literal["pos", "neg", "noun", "lack", "no", "none", "sought", "low", "normal", "equivocal", "ish", "ihc",
               "ratio", "hscore", "eighths", "twelfths", "percent", "score", "variant"]

_AROUND = 110  # characters before the first and after the last test of a sentence in which results are looked for
_LEADING = frozenset(("no", "lack", "pos", "neg", "noun", "sought", "variant", "low"))
_MEASURED_KINDS = ("ratio", "hscore", "eighths", "twelfths", "percent", "score", "variant")
_FOREIGN_WORDS = 3  # between a test and its result
_JOINING = frozenset("and et or ou ni nor the les des aux a la le l de du d au pour for both status statut as well e y "
                     "ainsi que gene genes in".split())
_BREAK = re.compile(r"(?<!i\.e)[;.\n]\s|[;]|\b(?:but|mais|while|whereas|tandis|alors)\b")
_LEADS = re.compile(r"(?:^|\s)(?:for|pour|of|de|des|du|d'|aux?|in)\s*(?:la|les?|l'|the|both|le gene|the gene|gene|"
                    r"proteine|"
                    r"status|statut)?\s*(?:gene\s+)?$|^\s+(?:\w+ment\s+|strongly\s+|weakly\s+)?(?:(?:les?|la|l'|des|"
                    r"un|the|both)\s*)?$")
_CODE = re.compile(r"(?:,|;|and|et)\s+(?!(?:exon|codon)?\d)(?:[a-z]{1,6}\d+[a-z]*|[a-z]+-\d+)(?![^\W_])(?![\s-]?\+)")
_EXPRESSED = re.compile(r"(?:^|\s)(?:exprim|express|surexprim|over-?\s?express)")
_TOUCHES = re.compile(r"[\s-]*(?:\(|d'|de )?$")
_WORD = re.compile(r"[^\W\d_]+")
_BESIDE = re.compile(r"[\s:=()\[/,-]*(?:(?:was|were|is|are|status|statut|staining|receptors?|both|est|sont|etaient|"
                     r"etait|revenus?|"
                     r"tous|deux|les|a|strongly|weakly|strong|weak|fortement|faiblement|score|in|dans|allred|expression|tumou?rs?|"
                     r"taux|very|tres|diffusely|the|cancers?|de|focally|focalement|stables?|moderately|moderement|"
                     r"toujours|still|inchanges?|diffusement|at|to|\d{1,3} ?%)[\s:=(/,-]*){0,3}$")
_COMPARED = r"(?P<compare>[<>≤≥~]\s?=?|less than|more than|moins de|plus de|superieure? a|inferieure? a|at least)?\s*"
_MEASURES = (
    rf"(?P<ratio>ratio[^.;\d]{{0,20}}(?:her-?2\s?/\s?c(?:ep|en)[- ]?17)?[^.;\d]{{0,12}}(?P<ratio_n>{NUMBER}))",
    r"(?P<hscore>(?:h|histo)[- ]?score\D{0,12}(?P<hscore_n>\d{1,3})(?:\s?/\s?300)?)",
    r"(?P<eighths>(?:allred\s*)?(?:score\s*)?(?:allred|quick)?\D{0,9}?(?P<eighths_n>\d)\s?/\s?8\b|"
    r"allred\s*(?:score)?\s*(?:of|de|a|:|=)?\s*(?P<allred_n>\d)\b)",
    r"(?P<twelfths>(?:irs|score)?\s*[:=]?\s*(?P<twelfths_n>\d{1,2})\s?/\s?12\b)",
    rf"(?P<percent>(?P<within>between\s|entre\s)?{_COMPARED}(?P<percent_n>{NUMBER})(?:\s*%?\s*(?:-|a|to|(?(within)et|"
    rf"to)|"
    rf"(?(within)and|to))\s*(?P<percent_top>{NUMBER}))?\s*"
    r"(?:%|percent\b|per cent\b|pour ?cent\b|p\.? ?cent\b|p\. ?100))",
    r"(?P<score>(?:\bscore\s*[:=]?\s*(?:a|of|de|at)?\s*)?(?<![\d.,/])\(?(?:(?P<score_n>[0-3])\s?\+(?:\+\+?)?|"
    r"\+\s?(?P<score_p>[0-3])|"
    r"(?P<score_s>\+\+\+?\+?))(?!\s?\d(?!\d{0,2}\s?%))\)?|\b(?:score|ihc|ihch)\s*[:=]?\s*(?:a|of|de|"
    r"at)?\s*(?P<score_b>[0-3])\b(?!\s?[/%.,]\s?\d))",
    r"(?P<variant>(?:(?:deletion|insertion|duplication|mutation)s?\s*(?:(?:of|in|de|de l'|dans l'|du)\s*)?)?\bexons?\s*"
    r"(?:1[1-9]|2[0-2]|[2-4])(?:\s*(?:deletion|insertion|del|ins)s?\b)?|\b(?:del(?:etion)?\s?(?:of\s)?(?:exon\s?)?19|"
    r"19\s?del)\b|"
    r"\bc\.\s?\d{2,5}\S*(?:\s?[acgt]\s?>\s?[acgt]\b)?|\b(?:p\.\s?)?\(?[a-z]{3}\d{2,4}(?:[a-z]{3}|\*)\b|(?:\b|"
    r"(?<=kras)|(?<=braf)|(?<=egfr))(?:p\.\s?)?[a-z]\d{2,3}(?:[a-z]|_\w+)\b(?:\s*/\s*[a-z]\b)?)",
)


@dataclass(frozen=True)
class Said:
    """A result, or a word that turns or suspends one."""

    kind: Kind
    start: int
    end: int
    text: str
    number: str = ""
    compare: str = ""
    top: str = ""


@dataclass
class Statement:
    """Tests and what is said of all of them together."""

    names: list[Hit]
    said: list[Said] = field(default_factory=list)
    forward: bool = False
    """Whether the results stand before the names."""
    own: dict[int, list[Said]] = field(default_factory=dict)
    """What is said of one of the names alone, by its number."""

    def of(self, number: int) -> list[Said]:
        """What is said of a name; of several names and as many measures each has its own."""
        for kinds in (("percent", "eighths", "score"), ("pos", "neg", "normal", "variant", "score")):
            measured = [each for each in self.said if each.kind in kinds]
            if len(self.names) > 1 and len(measured) == len(self.names) and not self.forward:
                return [each for each in self.said if each not in measured] + [measured[number]]
        return self.said + self.own.get(number, [])


@cache
def _pattern() -> re.Pattern[str]:
    order = ("none", "neg", "low", "normal", "equivocal", "lack", "pos", "noun", "no", "sought", "ish", "ihc")
    words = [rf"(?P<{kind}_>(?<![^\W_]){alternation(listed('results', kind))}(?![^\W_]))" for kind in order]
    spoken = rf"(?P<percent_>(?P<spoken>{spoken_pattern()})\s+(?:per ?cent|pour ?cent)(?![^\W_]))"
    slashed = r"(?P<percent__>(?<=%)/(?P<slashed>\d{1,3})(?![\w/]|[.,]\d))"
    return re.compile("|".join((*_MEASURES, spoken, slashed, *words)))


@cache
def _filler() -> frozenset[str]:
    return frozenset(fold(word).folded for word in listed("results", "filler"))


@cache
def _target_before() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{alternation(listed('results', 'target_before'))})[\s'-]*$")


@cache
def _control() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{alternation(listed('results', 'control'))})[\s:]*$")


@cache
def _control_after() -> re.Pattern[str]:
    control = alternation(listed("results", "control"))
    return re.compile(rf"[^.;,+\d]{{0,20}}\b(?:in|of|on|dans|du|sur)\s(?:the |le |la )?{control}(?![^\W_])")


@cache
def _target_after() -> re.Pattern[str]:
    return re.compile(rf"[\s-]*(?:{alternation(listed('results', 'target_after'))})(?![^\W_])")


@lru_cache(maxsize=1)
def statements(note: Note) -> tuple[Statement, ...]:
    """All that a note states of the tests of ``tissue_tests.csv``; kept for the next rule that reads the same note."""
    hits = [hit for hit in _named(note) if _counts(note, hit) and not _is_target(note, hit)]
    by_sentence: dict[tuple[int, int], list[Hit]] = {}
    for hit in hits:
        by_sentence.setdefault(note.sentence_at(hit.start), []).append(hit)
    read = [statement for (start, end), inside in by_sentence.items()
            if any(hit.term.attribute != "other" for hit in inside)
            for statement in _Sentence(note, start, end, inside).read()]
    return tuple(statement for statement in (*read, *_in_tables(note, hits))
                 if any(name.term.attribute != "other" for name in statement.names))


def _in_tables(note: Note, hits: Sequence[Hit]) -> Iterator[Statement]:
    """What the cells under the names say; the name of such a statement stands where its cell does."""
    for cell in cells(note) if hits else ():
        for hit in hits:
            if cell.name_start <= hit.start < cell.name_end:
                name = Hit(hit.term, cell.start, cell.start)
                sign = _sign(note.folded, name) or _digit(note.folded, name)
                yield Statement([name], [sign] if sign else list(_between(note.folded, cell.start, cell.end)))


_GLUED = re.compile(r"(?<![^\W_])(?:v600e|v600)?(?P<name>kras|egfr|braf|alk|her2|re|rp|er|"
                    r"pr)(?=(?<=v600ebraf)(?![^\W_])|(?:wt|mut|neg|pos)(?![^\W_])|[gvlt]\d{2,3}[a-z](?![^\W_])|"
                    r"\d{1,3}\s?%)")


def _named(note: Note) -> list[Hit]:
    """The tests that a note names, those that lack the space before their result too (KRASG12C, RE90%)."""
    hits = list(lexicon("tissue_tests").find(note))
    glued = [Hit(Term(_GENES.get(match["name"], match["name"]), "name", match["name"]), *match.span("name"))
             for match in (note.search(_GLUED) if note.has("kras", "egfr", "braf", "alk", "her2", "%") else ())]
    apart = [each for each in glued if not any(hit.start < each.end and each.start < hit.end for hit in hits)]
    return sorted([*hits, *apart], key=lambda hit: hit.start)


_GENES = {"re": "er", "rp": "pr"}
_OF_RATIO = re.compile(r"\s?[/:]\s?(?:c(?:ep|en|ent)|chr)[\s-]?17")
_ONLY = re.compile(r"(?<![^\W_])(?:only|seuls?|seules?|except|sauf|hormis)\s+(?:the |le |la |l')?(?:gene )?$")
_COPIES = re.compile(r"[\s-]*(?:gene )?cop(?:y|ies)(?: number)?")


def _is_target(note: Note, hit: Hit) -> bool:
    """Whether the name is what a drug acts on (anti-HER2, EGFR inhibitor)."""
    before = note.folded[max(hit.start - 20, 0):hit.start]
    of_ratio = _OF_RATIO.match(note.folded, hit.end) and "her" in note.folded[note.sentence_at(hit.start)[0]:hit.start]
    after = (_target_after(), _COPIES, _control_after())
    return bool(of_ratio or _target_before().search(before) or _control().search(before)
                or any(pattern.match(note.folded, hit.end) for pattern in after))


_BLOOD = re.compile(r"(?:\bgr?oupe?\w*|\bsang\w*|\bblood\b|rhesus|(?<![^\W_])(?<!luminal )(?<!luminale )(?:o|a|b|"
                    r"ab))[\s:=,-]*(?:\w{1,8}[\s:=]*)?$")
_MEASURED = re.compile(r"[\s:=(]{0,3}(?:[<>≤≥]\s?)?(?:\d{1,3}\s?(?:%|-\s?\d{1,3}\s?%)|\+|-(?=\s*[,;)])|(?:neg|"
                       r"pos)(?:atif|itif|ative|itive)?)")


def _counts(note: Note, hit: Hit) -> bool:
    """Whether an abbreviation is in capitals or beside a result, and a part of a name where receptors are spoken of."""
    if hit.term.value in ("name", "score"):
        return True
    if hit.term.text == "rh" and _BLOOD.search(note.folded, max(hit.start - 25, 0), hit.start):
        return False
    if _MEASURED.match(note.folded, hit.end):
        return True
    if hit.term.value == "part":
        start, end = note.sentence_at(hit.start)
        return "recept" in note.folded[start:end]
    start, end = note.source(hit.start, hit.end)
    written = note.text[start:end]
    return written.isupper() or (len(written) > 2 and written[0].isupper() and written[-1].isupper())


class _Sentence:
    """One sentence, read from left to right."""

    def __init__(self, note: Note, start: int, end: int, names: Sequence[Hit]) -> None:
        self._note = note
        self._start, self._end = max(start, names[0].start - _AROUND), min(end, names[-1].end + _AROUND)
        self._items: list[Hit | Said] = sorted([*names, *self._said(names)], key=lambda item: item.start)
        self._read: list[Statement] = []
        self._leading: list[Said] = []

    def read(self) -> list[Statement]:
        for number, item in enumerate(self._items):
            gap = self._gap(number)
            if isinstance(item, Hit):
                self._name(item, gap)
            else:
                self._result(number, item, gap)
        for listed_before, one in pairwise(self._read):
            self._all_but(listed_before, one)
        return self._read

    def _all_but(self, listed_before: Statement, one: Statement) -> None:
        """What a list of tests is where only one of them is said to be altered (of ALK and KRAS, only KRAS is)."""
        before = self._note.folded[max(one.names[0].start - 12, 0):one.names[0].start]
        if listed_before.said or not _ONLY.search(before) or not any(each.kind == "pos" for each in one.said):
            return
        names = {name.term.attribute for name in one.names}
        listed_before.names = [name for name in listed_before.names if name.term.attribute not in names] or (
            listed_before.names)
        end = listed_before.names[-1].end
        listed_before.said = [Said("neg", end, end, "")]

    def _gap(self, number: int) -> str:
        """What stands before an item, from the item before it on."""
        before = self._items[number - 1].end if number else self._start
        return self._note.folded[before:self._items[number].start] if number < len(self._items) else ""

    def _name(self, name: Hit, gap: str) -> None:
        last = self._read[-1] if self._read else None
        if last and last.forward and [each.text for each in self._leading] in (["nor"], ["ni"]):
            last.names.append(name)
            self._leading = []
        elif self._leading:
            if last and last.said and [each.kind for each in self._leading] == ["no"]:
                self._leading = [replace(self._leading[0], kind="lack")]
            self._read.append(Statement([name], self._leading, forward=True))
            self._leading = []
        elif last and (_is_open(last) if last.forward else not last.said) and _joins(gap):
            if name.term.value == "score" and last.names[-1].term.value == "name" and (
                    last.names[-1].term.attribute == name.term.attribute):
                name = replace(name, start=last.names.pop().start)
            last.names.append(name)
        else:
            self._read.append(Statement([name]))

    def _result(self, number: int, said: Said, gap: str) -> None:
        if self._leads(number, said, gap):
            self._leading.append(said)
            return
        self._leading = []
        last = self._read[-1] if self._read else None
        if last is None or not self._near(last, number, gap) or (said.kind == "sought" and "," in gap):
            return
        if said.kind == "no":
            if not re.match(r"\s*(?:$|[,.;)])", self._note.folded[said.end:said.end + 3]):
                return
            said = replace(said, kind="neg")
            self._items[number] = said
        if last.forward and said.kind in ("percent", "score", "eighths", "hscore", "variant"):
            last.own.setdefault(len(last.names) - 1, []).append(said)
        elif (last.forward and len(last.names) > 1 and said.kind in ("pos", "neg", "low")
              and not _goes_on(last, said)):
            self._read.append(Statement([last.names.pop()], [said]))
        else:
            last.said.append(said)

    def _near(self, last: Statement, number: int, gap: str) -> bool:
        """Whether a result still belongs to the statement before it."""
        said = [each for each in last.said if each.start > last.names[-1].start]
        since = said[-1].end if said else last.names[-1].end
        own = _own_again(self._note.folded[since:self._items[number].start])
        if own is not None:
            return _foreign(own) <= _FOREIGN_WORDS
        if _BREAK.search(gap) or _CODE.search(gap):
            return False
        before = self._items[number - 1]
        if self._items[number].kind == "percent" and _foreign(",".join(gap.split(",")[1:])):  # type: ignore[union-attr]
            return _changes(gap)
        kept = (*last.said, *(each for own_said in last.own.values() for each in own_said))
        if isinstance(before, Said) and before.kind != "percent" and before not in kept:
            return False
        if last.names[-1].term.value == "short" and isinstance(before, Hit):
            return bool(_BESIDE.match(gap))
        more = isinstance(before, Hit) or _changes(gap)
        return _foreign(gap) <= (_FOREIGN_WORDS if more else 2)

    def _leads(self, number: int, said: Said, gap: str) -> bool:
        """Whether a result is that of the names that follow it."""
        if number + 1 >= len(self._items) or (said.kind in ("percent", "ihc") and not self._leading):
            following = self._items[number + 1] if number + 1 < len(self._items) else None
            return said.kind == "percent" and isinstance(following, Said) and following.kind == "pos" and (
                self._leads(number + 1, following, self._gap(number + 1))) and _foreign(self._gap(number + 1)) == 0
        after, following = self._gap(number + 1), self._items[number + 1]
        if isinstance(following, Said):
            near = _foreign(after) <= 1 and not _BREAK.search(after) and not after.startswith(",")
            return near and said.kind in _LEADING and self._leads(number + 1, following, after)
        if said.kind in ("no", "lack"):
            return _foreign(after) <= (said.kind == "lack") and not _BREAK.search(after) and "," not in after
        if re.fullmatch(r"\s?:\s?", after) and not self._gap(number).strip(" -*") and said.kind in ("pos", "neg"):
            return True
        if re.search(r"(?:for|pour)\s*(?:the|les?|la|l')?\s*$", after):
            return True
        if said.kind in ("noun", "sought", "variant") or _EXPRESSED.search(said.text):
            leads = _LEADS.search(after) and "," not in after
            return bool(leads) or (bool(_TOUCHES.match(after)) and not self._taken(gap))
        return said.kind in ("pos", "neg", "low", "variant") and bool(_TOUCHES.match(after)) and not self._taken(gap)

    def _taken(self, gap: str) -> bool:
        """Whether the names before a result wait for it."""
        last = self._read[-1] if self._read else None
        if re.search(r"(?<![^\W_])(?:and|et)\s*$", gap):
            return False
        return last is not None and (not last.said or not re.search(r",|;|\b(?:and|et)\b", gap)) and (
            not last.said or _foreign(gap) == 0) and not (last.said and last.forward)

    def _said(self, names: Sequence[Hit]) -> Iterator[Said]:
        """The results of the sentence that lie in no name, signs beside names among them."""
        folded, at = self._note.folded, self._start
        for name in [*names, None]:
            stop = name.start if name else self._end
            if at < stop:
                yield from _merged(list(_between(folded, at, stop)))
            if name:
                sign = _sign(folded, name) or _digit(folded, name)
                if sign:
                    yield sign
                at = sign.end if sign else name.end


def _is_open(statement: Statement) -> bool:
    """Whether names may still be added to those that stand after their result (no EGFR mutation or ALK fusion)."""
    return any(each.kind in ("no", "lack") for each in statement.said) or not any(
        each.kind in ("pos", "neg") and each.start > statement.names[-1].end for each in statement.said)


def _goes_on(statement: Statement, said: Said) -> bool:
    """Whether a result after names is that of them all: tested for A and B, which were negative; no A was found."""
    kinds = {each.kind for each in statement.said}
    return (kinds <= {"sought", "noun"} and "sought" in kinds) or (said.kind == "pos" and bool(kinds & {"no", "lack"}))


_NUMBER_AFTER = re.compile(r"\s+(?:pas\s+|de\s+|of\s+)*[<>]?\s?\d+\s?%")


def _between(folded: str, start: int, stop: int) -> Iterator[Said]:
    for match in _pattern().finditer(folded[start:stop]):
        kind = str(match.lastgroup).rstrip("_")
        kind = next((each for each in _MEASURED_KINDS if match[each]), kind)
        if kind == "no" and _NUMBER_AFTER.match(folded, start + match.end()):
            continue
        groups = match.groupdict()
        parts = (f"{kind}_n", "spoken", "slashed", "score_p", "score_b", "allred_n")
        number = next((groups[name] for name in parts if groups.get(name)), "")
        if match["score_s"]:
            number = str(min(match["score_s"].count("+"), 3))
        begin = start + match.start() + len(match[0]) - len(match[0].lstrip())
        each = Said(kind, begin, start + match.end(), match[0].lstrip(), number,  # type: ignore[arg-type]
                    (match["compare"] or "").strip(), match["percent_top"] or "")
        yield from _with_sign(folded, each)


def _with_sign(folded: str, said: Said) -> Iterator[Said]:
    """In situ hybridisation with the + or - beside it."""
    yield said
    match = _SIGN.match(folded, said.end) if said.kind in ("ish", "variant") else None
    allowed = match and (said.kind == "ish" or match["sign"] == "+")
    if match and allowed and not re.match(r"\s?\w", folded[match.end():match.end() + 2]):
        yield Said("pos" if match["sign"] != "-" else "neg", match.start(), match.end(), match[0].strip())


def _merged(said: list[Said]) -> Iterator[Said]:
    """Results with the word that turns them: "not amplified" and "absence of overexpression" are one negative."""
    waiting: Said | None = None
    for each in said:
        if waiting and each.kind in ("pos", "noun", "variant", "sought") and _near_enough(waiting, each):
            kind: Kind = "none" if each.kind == "sought" else "neg" if each.kind == "pos" else "lack"
            yield Said(kind, waiting.start, each.end, f"{waiting.text} {each.text}")
            waiting = None
            continue
        if waiting:
            yield waiting
        waiting = each if each.kind in ("no", "lack") else None
        if waiting is None:
            yield each
    if waiting:
        yield waiting


def _near_enough(first: Said, second: Said) -> bool:
    return second.start - first.end <= 30


_SIGN = re.compile(r"\s?[:=]?\s?[(\[]?\s?(?P<sign>\+{1,4}|-)(?P<ve>\s?ve\b)?(?:\s?[)\]])?")
_AFTER_MINUS = re.compile(r"\s*(?:$|[,;.)\]/\n]|\(?\d|[a-z0-9]{2,6}\s?[:(]?\s?[+-](?!\w)|"
                          r"her-?2(?:/neu)?\s*[:(]?\s*[0-3+])")
_SUSPENDED = re.compile(r"(?:,\s*[a-z0-9]+-)*,?\s+(?:and|or|et|ou)\s+[a-z0-9]+-[a-z]{3}")


def _sign(folded: str, name: Hit) -> Said | None:
    """The + or - right beside a name, when it is no hyphen."""
    match = _SIGN.match(folded, name.end)
    if match is None:
        return None
    if match["sign"] != "-":
        if folded[match.end("sign"):match.end("sign") + 1].isdigit():
            return None
        number = str(min(len(match["sign"]), 3)) if len(match["sign"]) > 1 else ""
        return Said("score" if number else "pos", match.start(), match.end(), match[0].strip(), number)
    return Said("neg", match.start(), match.end(), match[0].strip()) if _is_minus(folded, name, match) else None


_DIGIT = re.compile(r"(?:\s?[:=(]\s?\(?(?P<marked>[0-3])\b(?!\s?[%/+]|[.,/-]\d)|\s?\(?(?P<bare>[0-3])\)?(?=\s*(?:$|"
                    r"[,;.)\n]|\(|fish|ish|cish|by\s|en\s|par\s|ihc|"
                    r"sish|her|rp|pr|ki))(?![.,]\d))")


def _digit(folded: str, name: Hit) -> Said | None:
    """What stands bare beside its name: the score of a HER2, the 0 of a receptor, a TPS or CPS."""
    if name.term.attribute == "pdl1":
        return _whole(folded, name)
    match = _DIGIT.match(folded, name.end)
    digit = (match["marked"] or match["bare"]) if match else ""
    zero = digit == "0" and name.term.attribute in ("er", "pr", "er;pr", "alk", "p16")
    if match is None or not (name.term.attribute == "her2" or zero):
        return None
    return Said("score", match.start(), match.end(), match[0].strip(), digit)


_WHOLE = re.compile(r"(?P<link>[\s:=(,]*(?:(?:score|was|is|of|at|a|est|etait|de)[\s:=(]+){0,2})"
                    r"(?P<compare>[<>≤≥]\s?=?|greater than|more than|at least|less than|above|below|superieure? a|"
                    r"inferieure? a|au moins|plus de|moins de)?\s?"
                    rf"(?P<whole>{NUMBER})(?![\w%/+]|\s?%|[.,-]\d|-\w|\s(?:mois|months|jours|days|mg|cycles|ans|years|to|a)\b)")


def _whole(folded: str, name: Hit) -> Said | None:
    """A number without a percent sign after the name of a score, or after a sign of equality."""
    match = _WHOLE.match(folded, name.end)
    if match is None or not (name.term.value == "score" or not match["link"].strip(" :=(")):
        return None
    return Said("percent", match.start("whole"), match.end(), match["whole"], match["whole"],
                (match["compare"] or "").strip())


def stages(note: Note, said: Sequence[Said]) -> list[list[Said]]:
    """Results of one test one after the other in time (1+, revised to 3+), each with what belongs to it."""
    found: list[list[Said]] = [[]]
    for each in said:
        before = [other for other in found[-1] if _alike(other, each)]
        if before and not any(other.kind == "ish" for other in said) and (
                _changes(note.folded[before[-1].end:each.start]) or _overtaken(note, before[-1], each)):
            found.append([])
        found[-1].append(each)
    return found


def _alike(one: Said, other: Said) -> bool:
    words = ("pos", "neg", "low", "equivocal", "normal")
    return one.kind == other.kind == "percent" or {one.kind, other.kind} <= {*words, "score"}


def _overtaken(note: Note, one: Said, other: Said) -> bool:
    """Whether a first result is named so before, and what follows it a later one after (initially 3+, 0 at relapse)."""
    after = re.split(r"[;.\n]", note.folded[other.end:other.end + 40])[0]
    first = _words("first").search(note.folded, max(one.start - 30, 0), other.start)
    return first is not None and _words("later").search(after) is not None


@cache
def _words(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){alternation(listed('results', name))}(?![^\W_])")


def _own_again(gap: str) -> str | None:
    """What stands after the word that turns from a rule or an earlier result to the patient's (ours: 5 %)."""
    found = list(_own().finditer(gap))
    return gap[found[-1].end():] if found and _BREAK.search(gap[:found[-1].start()] + " ") else None


@cache
def _own() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){alternation([*listed('results', 'own'), *listed('statements', 'now')])}(?![^\W_])")


def _changes(gap: str) -> bool:
    """Whether words or an arrow say that what follows took the place of what stands before."""
    return bool(_change().search(gap))


@cache
def _change() -> re.Pattern[str]:
    words = [phrase for name, key in (("statements", "now"), ("statements", "changed"), ("statements", "instead"),
                                      ("results", "before_that"), ("results", "own"), ("results", "later"))
             for phrase in listed(name, key)]
    return re.compile(rf"->|→|(?<![^\W_]){alternation(words)}(?![^\W_])")


def _is_minus(folded: str, name: Hit, match: re.Match[str]) -> bool:
    rest = folded[match.end("sign"):match.end("sign") + 20]
    if match["ve"] or rest[:1] in tuple(")]"):
        return True
    if rest[:1].isalnum() or rest[:1] == ">" or re.match(r"\s*(?:not|non)\b", rest) or _SUSPENDED.match(rest):
        return False
    glued = match.start("sign") == name.end or folded[match.start("sign") - 1] in ":=(["
    colon = ":" in match[0] or "=" in match[0]
    return bool(glued or colon or _AFTER_MINUS.match(rest)) and not re.match(r"\s*\d", rest)


def _joins(gap: str) -> bool:
    """Whether two names are said together."""
    return not re.search(r"[:;.\n]", gap.strip(" \n")) and all(word in _JOINING for word in _WORD.findall(gap))


def _foreign(gap: str) -> int:
    """Number of words that are neither about results nor small."""
    return sum(word not in _filler() and word not in _JOINING for word in _WORD.findall(gap))
