"""Numbers and electronic addresses that belong to one person: with their label, by their check digit, or by their form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.identifiers.candidate import Candidate
from medomicslab_nb.text.identifiers.lexicons import cues
from medomicslab_nb.text.identifiers.misreading import any_of, as_digits
from medomicslab_nb.text.identifiers.tokens import is_ordinary

# A digit, or a letter that is read for one.
_D = r"[\dOolI]"
_UNIT = (r"(?! ?(?:%|ans?\b|mois\b|jours?\b|years?\b|months?\b|days?\b|[mckµ]?[mgl]\b|m[mgl]3|/ ?[mµul]|mm3|ui\b|iu\b|g/|"
         r"copies|copy|elements|cells|cellules|cfu|ufc|euros?|cycles))")
_VALUE = (rf"(?P<value>[A-Z]{{0,4}}[-/.]?{_D}[\dA-Z]*(?:[-/.][\dA-Z]{{1,10}}){{0,4}}"
          rf"(?: (?=[\dOI]){_D}{{1,10}}(?:(?-i:-?[A-Z]{{2}}))?\b(?![/.,]\d){_UNIT}){{0,6}}(?:(?-i: [A-Z]{{2}}\b))?)")
_BETWEEN = r"[ ]{0,3}(?:number|no|nos|num|numero|nb|nr|id)?[ ]?[.°º#]{0,2}[ ]{0,3}[:=#-]?[ ]{0,4}"
_FEWEST_DIGITS = 4
# Codes of trials and of drugs have the form of numbers.
_NO_CODE = r"(?!NCT|ISRCTN|GSK|PF-?\d|AZD|BMS-|MK-|LY\d|ABT|AMG|BAY|CP-|RO\d|SU\d|TAK|JNJ|ICD|CPT|LOINC)"

_FORMS: dict[str, list[str]] = {
    "email": [r"[\w.+-]+ ?(?:@|\(at\)|\[at\]) ?[\w-]+(?: ?\. ?[\w-]{2,})+", r"(?<![\w.])@[A-Z]\w{2,}"],
    "url": [r"(?:https?|ftp) ?: ?/ ?/ ?[^\s,;)]+[^\s,;).]", r"www\. ?[^\s,;)]+[^\s,;).]",
            r"\b[a-z][\w-]+(?:\.[\w-]+)*\.(?:fr|com|org|net|ca|qc\.ca|uk|gov|edu|eu|be|ch|io)\b(?:/[^\s,;)]*)?"],
    "ip": [r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.]\d)",
           r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", r"\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b"],
    "account": [r"\b[A-Z]{2}\d\d(?: ?[\dA-Z]{4}){3,7}(?: ?[\dA-Z]{1,4})?\b", r"(?<!\d)\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?!\d)"],
    "plate": [r"\b[A-Z]{2}-\d{3}-[A-Z]{2}\b"],
    "phone": [
        rf"(?:\+|\b00) ?33[ .-]*(?:\(0\))?[ .-]*0?[1-9](?:[ .-]?{_D}{_D}){{4}}",
        rf"(?<![\d.,/-])[0O][1-9](?:[ ./-]{{0,3}}{_D}{_D}){{4}}(?![\d])",
        rf"(?<![\d.,])(?:\+?1[ .-]?)?(?:\([2-9]{_D}{_D}\) ?|[2-9]{_D}{_D}[ .-]){_D}{{3}}[ .-]{_D}{{4}}(?!\d)"
        r"(?:,? ?(?:poste|ext\.?|x|#) ?\d{1,6})?",
        rf"(?<![\d.,])\(?0\d{{2,4}}\)?[ -]{_D}{{3,4}}[ -]?{_D}{{3,4}}(?!\d)",
        r"\+ ?\d{1,3}(?:[ .\-()]{0,2}\d){6,13}(?!\d)", r"\b00\d{2}(?:[ .\-()]{0,2}\d){7,12}(?!\d)",
        r"(?<![\d.,])1[ -]8(?:00|44|55|66|77|88)[ -]\d{3}[ -]\d{4}",
    ],
    "national_number": [
        rf"(?<![\w.,])[12lI][ .-]?{_D}{_D}[ .-]?(?:[0O][1-9l]|[1lI][0-2Ol]|[2-9]\d)[ .-]?(?:{_D}{_D}|2[AB])[ .-]?{_D}{{3}}[ .-]?{_D}{{3}}"
        rf"(?:[ .-]?(?:cle)?[ :]*{_D}{_D})?(?!\w)",
        rf"\b[A-Z0158]{{3}}[A-Z][ -]?{_D}{{4}}[ -]?{_D}{{4}}(?!\w)", r"(?<![\w-])\d{3}-\d\d-\d{4}(?![\w-])",
        r"(?<![\d.,])\d{3}[ -]\d{3}[ -]\d{3,4}(?![\d.,]\d|\d)", r"\b[A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D]\b",
        r"(?<![\d.,])\d{4}[ -]\d{3}[ -]\d{3}(?:[ -]?[A-Z]{2}\b)?(?!\d)"],
    "number": [
        rf"(?<![\w.,/+-])\d{{7,18}}(?![\d]|[.,]\d|\w){_UNIT}",
        rf"\b{_NO_CODE}[A-Z]{{1,4}}-?\d{{2,4}}(?:-\d{{3,8}}|/\d{{4,8}})\b", rf"\b{_NO_CODE}[A-Z]{{1,3}}[-/]?\d{{6,}}\b",
        r"\b\d{2}[A-Z]{1,3}[-/]?\d{4,8}\b",
        r"\b(?:19|20)?\d\d[-/]\d{5,8}\b", r"\b[A-Z]{1,4}-(?:19|20)\d\d-\d{3,8}\b",
        rf"(?:\bn ?[°º]|\bno\.|#|\bnumero) ?:? ?(?:[A-Z]{{1,3}}-?)?\d{{5,}}\b{_UNIT}"],
}
_FORM = [(kind, re.compile(form, re.I)) for kind, forms in _FORMS.items() for form in forms]


@cache
def _labelled() -> list[tuple[str, re.Pattern[str]]]:
    """A pattern for each kind: one of its labels, and the number behind it."""
    return [(kind, re.compile(rf"(?<![^\W_]){any_of(labels)}(?![^\W\d_]){_BETWEEN}{_VALUE}",
                              re.I)) for kind, labels in cues()["number_labels"].items()]


def find_numbers(text: str) -> Iterator[Candidate]:
    """Numbers and electronic addresses in a folded text with its capitals."""
    for kind, pattern in _labelled():
        for match in pattern.finditer(text):
            value = match["value"]
            # As many digits as a number needs, and most of it read as digits without help.
            if sum(c.isdigit() for c in as_digits(value)) >= _FEWEST_DIGITS and sum(c.isdigit() for c in value) > 1:
                yield Candidate(kind, *match.span("value"), "label")
    for kind, pattern in _FORM:
        for match in pattern.finditer(text):
            if _is_number(kind, match[0]):
                yield Candidate(kind, *match.span(), "form")


def _is_number(kind: str, text: str) -> bool:
    """Whether what has the form of a number can be one: most of it digits, and no date."""
    if kind in ("email", "url", "ip", "plate"):
        return True
    word = re.match(r"[a-z]+", text)
    if word and is_ordinary(word[0]):
        return False
    digits = sum(character.isdigit() for character in text)
    return digits >= (10 if kind == "account" else 5) and digits * 2 > sum(character.isalnum() for character in text)
