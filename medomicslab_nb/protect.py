"""Data protection: nothing identifying or secret gets into outputs, logs, errors, file names or shared tables."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from medomicslab_nb.errors import ProtectionError

if TYPE_CHECKING:
    import pandas as pd

REDACTED = "[redacted]"
SMALLEST_CELL = 5

# Words such as "12" or "IV" are everywhere: an identifier is looked for only when a chance match is unlikely.
_MINIMUM_LENGTH = 4
_WORD = re.compile(r"[\w.\-/@]*\w", re.UNICODE)
_SECRETS = (
    re.compile(r"(?i)\b(pass(word|wd|phrase)?|secret|token|api[_-]?key|authorization)\b\s*[:=]\s*\S+"),
    re.compile(r"\b(?:ghp|gho|ghs|github_pat|glpat|sk|pk|xox[abps]|hf)[_-][A-Za-z0-9_\-]{16,}"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"\beyJ[\w\-]{10,}\.[\w\-]{10,}\.[\w\-]{5,}"),
)
_SECRET_NAMES = re.compile(r"(?i)(^|[_.\-])(pass(word|wd|phrase)?|secret|token|api_?key|credentials?)($|[_.\-])")
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n")


def distinctive(identifiers: Iterable[str]) -> frozenset[str]:
    """The identifiers that can be told from ordinary words and numbers: four characters or more, with a digit.

    Shorter ones, such as ``12``, cannot be looked for without false alarms; pseudonyms should be longer.
    """
    return _distinctive(identifiers if isinstance(identifiers, frozenset) else frozenset(map(str, identifiers)))


@lru_cache(maxsize=16)
def _distinctive(identifiers: frozenset[str]) -> frozenset[str]:
    return frozenset(text for text in identifiers
                     if len(text) >= _MINIMUM_LENGTH and any(c.isdigit() for c in text)
                     and not (text.isdigit() and len(text) < 6))


def identifiers_in(text: str, identifiers: Collection[str]) -> tuple[str, ...]:
    """The distinctive identifiers that occur as whole words in ``text``, sorted."""
    return tuple(sorted({found for _, _, found in _matches(text, distinctive(identifiers))}))


def scrub(text: str, identifiers: Collection[str] = ()) -> str:
    """``text`` with identifiers and secrets replaced by ``[redacted]``."""
    pieces, last = [], 0
    for start, end, _ in _matches(text, distinctive(identifiers)):
        pieces += [text[last:start], REDACTED]
        last = end
    text = "".join([*pieces, text[last:]])
    for pattern in _SECRETS:
        text = pattern.sub(REDACTED, text)
    return text


def scrub_all(content: Any, identifiers: Collection[str] = ()) -> Any:
    """A structure of mappings, lists and texts with every text scrubbed, names included; numbers are left alone."""
    if isinstance(content, str):
        return scrub(content, identifiers)
    if isinstance(content, Mapping):
        return {scrub(str(key), identifiers): scrub_all(item, identifiers) for key, item in content.items()}
    if isinstance(content, (list, tuple)):
        return [scrub_all(item, identifiers) for item in content]
    return content


def _matches(text: str, identifiers: Collection[str]) -> Iterator[tuple[int, int, str]]:
    """Whole-word occurrences as (start, end, identifier); also inside words joined by . - / such as paths."""
    if not identifiers:
        return
    for word in _WORD.finditer(text):
        if word.group() in identifiers:
            yield word.start(), word.end(), word.group()
            continue
        for part in _parts(word.group(), identifiers):
            yield word.start() + part[0], word.start() + part[1], part[2]


def _parts(word: str, identifiers: Collection[str]) -> Iterator[tuple[int, int, str]]:
    bounds = [0, *(edge for match in re.finditer(r"[.\-/@_]+", word) for edge in match.span()), len(word)]
    starts, ends = bounds[::2], bounds[1::2]
    first = 0
    while first < len(starts):
        # The longest run of parts that is an identifier wins: "STS-001" before "001".
        for last in range(len(ends) - 1, first - 1, -1):
            candidate = word[starts[first]:ends[last]]
            if candidate in identifiers and not _in_a_number(word, starts[first], ends[last]):
                yield starts[first], ends[last], candidate
                first = last
                break
        first += 1


def _in_a_number(word: str, start: int, end: int) -> bool:
    """Whether the digits at this place are a part of a decimal number, such as the 123456 in 2.123456."""
    if not word[start:end].isdigit():
        return False
    return bool(re.search(r"(^|\W)\d+\.$", word[:start]) or re.match(r"\.\d", word[end:]))


def refuse_secrets(settings: Mapping[str, Any], identifiers: Collection[str] = (), where: str = "settings") -> None:
    """Refuse settings that hold a secret or a patient identifier: they are stored and shared with the run.

    Raises
    ------
    ProtectionError
        Names the setting, never its value.
    """
    known = distinctive(identifiers)
    for raw, value in _leaves(settings):
        name = scrub(raw, known)
        secret = _SECRET_NAMES.search(name) and value not in ("", None)
        if secret or any(pattern.search(str(value)) for pattern in _SECRETS):
            raise ProtectionError(f"'{name}' looks like a secret", where=where,
                                  todo="Settings are stored with the run: keep secrets out of them, "
                                       "and delete any notebook in which this one stands")
        if identifiers_in(f"{raw} {value}", known):
            raise ProtectionError(f"'{name}' holds a patient identifier", where=where,
                                  todo="Settings are stored with the run: name a table or a column instead")


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item, name)
    else:
        yield name, value


def safe_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy for CSV or Excel in which no cell or header starts a spreadsheet formula; numbers are left alone."""
    safe = frame.copy()
    safe.columns = [_defused(str(name)) for name in frame.columns]
    for position, name in enumerate(frame.columns):
        if not _is_numeric(frame[name]):
            cells = frame[name].map(lambda cell: _defused(cell) if isinstance(cell, str) else cell)
            safe.isetitem(position, cells)  # type: ignore[arg-type]  # a Series is what it takes
    return safe


def _is_numeric(column: pd.Series) -> bool:
    return column.dtype.kind in "biufcmM"


def _defused(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_START) else cell


def hide_small(count: int, minimum: int = SMALLEST_CELL) -> str:
    """A count for sharing: those from 1 to ``minimum`` - 1 are shown as ``< minimum``."""
    return f"< {minimum}" if 0 < count < minimum else str(count)
