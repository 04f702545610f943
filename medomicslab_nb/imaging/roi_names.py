"""Names of ROIs as people write them: accents, case, patterns, and names that occur twice."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from medomicslab_nb.errors import DataError

_NUMBERED = re.compile(r"#\d+$")


def numbered(names: Sequence[str], numbers: Sequence[int]) -> tuple[str, ...]:
    """Names under which each ROI can be told from the others: a name that occurs twice becomes ``name#number``."""
    clean = [unicodedata.normalize("NFC", " ".join(name.split())) for name in names]
    count = Counter(clean)
    return tuple(name if name and count[name] == 1 else f"{name}#{number}"
                 for name, number in zip(clean, numbers, strict=True))


def match_rois(names: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """Names that one of the patterns describes, in the order of ``names``.

    Parameters
    ----------
    names : sequence of str
        As ``list_rois`` gives them, of one file or of a cohort.
    patterns : sequence of str
        Names, or patterns with ``*`` (anything) and ``?`` (one character); case and accents do not matter. Empty: all.

    Raises
    ------
    DataError
        A pattern without ``*`` and ``?`` is a name that occurs twice in its file (``GTV#1``, ``GTV#3``).
    """
    if not patterns:
        return tuple(names)
    chosen = {name for pattern in patterns for name in _matches(names, pattern)}
    return tuple(name for name in names if name in chosen)


def find_roi(names: Sequence[str], wanted: str, where: str) -> str:
    """The one name that is meant; empty means the only one there is.

    Raises
    ------
    DataError
        There is none, or there are several.
    """
    if not wanted and len(names) == 1:
        return names[0]
    if wanted in names:
        return wanted
    fitting = _fitting(names, wanted)
    if len(fitting) > 1:
        raise _ambiguous(wanted, fitting, where)
    if not fitting:
        raise DataError(f"no ROI is called '{wanted}'" if wanted else "no ROI was chosen", where=where,
                        todo=f"It has: {_listed(names)}" if names else "The file holds no ROI")
    return fitting[0]


def _matches(names: Sequence[str], pattern: str) -> Sequence[str]:
    if not re.search(r"[*?]", pattern):
        fitting = _fitting(names, pattern)
        doubles = [name for name in fitting if _plain(name) != _plain(pattern)]
        if len(doubles) > 1:
            raise _ambiguous(pattern, doubles, "ROI names")
        return fitting
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(character) or re.escape(character) for character in _plain(pattern))
    return [name for name in names if re.fullmatch(expression, _plain(name), re.DOTALL)]


def _fitting(names: Sequence[str], wanted: str) -> list[str]:
    """Names that differ from the wanted one in case, accents or the number of a double name only."""
    plain = _plain(wanted)
    return [name for name in names if plain in (_plain(name), _plain(_NUMBERED.sub("", name)))]


def _plain(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", " ".join(name.split()).casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _ambiguous(wanted: str, fitting: Sequence[str], where: str) -> DataError:
    return DataError(f"{len(fitting)} ROIs fit the name '{wanted}'", where=where,
                     todo=f"Name the one that is meant: {_listed(fitting)}")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
