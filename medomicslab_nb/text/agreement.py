"""How far annotators of the same notes agree: F1 of spans, kappa of what they say of them, kappa of presence.

**Matching.** Mentions are matched within a note and an attribute, one to one. *Exact*: the same begin and end.
*Overlap*: at least one character in common, as many pairs as possible; among those the ones that lie best upon one
another (largest Jaccard index, then the same value).

**F1** is ``2 matched / (mentions of the one + mentions of the other)``: nobody is taken for the truth, so it is the
same whoever comes first. Where nobody marked anything it does not exist (NaN); where only one did it is 0.

**Kappa** is Cohen's [1]_, ``(observed - chance) / (1 - chance)``. Chance is what two annotators who use each category
as often as these two did, without looking at the note, would agree on. For several attributes together it is taken
*within* each attribute and averaged by their numbers: matched spans have the same attribute by construction, and a
chance over all values of all attributes would be far too small. It does not exist (NaN) without a pair, and where both
used one and the same category throughout: the observed agreement beside it is then 1 and says all there is.

- *value*, *context*: of spans matched by overlap; the context is the whole set of names.
- *presence*: of each note, whether it has any mention of the attribute.

**Intervals** are percentiles of bootstrap samples of notes: mentions of one note are not independent.

References
----------
.. [1] Cohen J. A coefficient of agreement for nominal scales. Educ Psychol Meas 1960;20:37-46.
.. [2] Fleiss JL. Measuring nominal scale agreement among many raters. Psychol Bull 1971;76:378-382.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.intervals import Interval, Measure, bootstrap

TOGETHER = ""
"""The attribute of the figures over all attributes."""


class Mention(Protocol):
    """What is compared: a fact, or a span of an annotator."""

    @property
    def attribute(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def value(self) -> str: ...
    @property
    def context(self) -> tuple[str, ...]: ...


Notes = Mapping[str, Sequence[Mention]]
"""One annotator's mentions by note. A note that was read and holds nothing is there, and empty."""


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa with its interval, the observed agreement and the number of pairs that it is of."""

    kappa: Interval
    observed: float
    pairs: int


@dataclass(frozen=True)
class Agreement:
    """Agreement of two annotators on one attribute, or on all (:data:`TOGETHER`).

    Attributes
    ----------
    notes : int
        Notes that both have read.
    first, second : int
        Mentions of each.
    exact, overlapping : int
        Matched pairs.
    f1_exact, f1_overlap : Interval
    value, context, presence : Kappa
    """

    attribute: str
    notes: int
    first: int
    second: int
    exact: int
    overlapping: int
    f1_exact: Interval
    f1_overlap: Interval
    value: Kappa
    context: Kappa
    presence: Kappa


@dataclass(frozen=True)
class _Compared:
    """One attribute in every note: arrays of shape (n_notes,)."""

    first: np.ndarray
    second: np.ndarray
    exact: np.ndarray
    overlapping: np.ndarray
    pairs: list[tuple[int, Mention, Mention]]
    """Number of the note, and the two that were matched by overlap."""


@dataclass(frozen=True)
class _Ratings:
    """Pairs of categories by note: numbers of pairs and of equal ones, and how often each category was used."""

    pairs: np.ndarray  # shape (n_notes,)
    equal: np.ndarray  # shape (n_notes,)
    first: np.ndarray  # shape (n_notes, n_categories)
    second: np.ndarray


def agreement(first: Notes, second: Notes, *, draws: int = 1000, seed: int = 0) -> list[Agreement]:
    """Agreement of two annotators in the notes that both have read: first all attributes together, then each.

    Parameters
    ----------
    first, second : mapping of note to mentions
    draws : int
        Bootstrap samples of notes.

    Raises
    ------
    DataError
        They have no note in common.
    """
    shared = [note for note in first if note in second]
    if not shared:
        raise DataError("the two annotators have no note in common", where="agreement",
                        todo="Let both annotate the same notes")
    compared = _compare([(first[note], second[note]) for note in shared])

    def measured(measure: Measure) -> Interval:
        return bootstrap(measure, len(shared), draws=draws, seed=seed)

    return [_agreement(TOGETHER, list(compared.values()), len(shared), measured),
            *(_agreement(name, [one], len(shared), measured) for name, one in compared.items())]


def agreement_of_pairs(annotators: Mapping[str, Notes], *, draws: int = 1000, seed: int = 0
                       ) -> dict[tuple[str, str], list[Agreement]]:
    """Agreement of every two of several annotators, by their names; pairs without a common note are left out."""
    return {(one, other): agreement(annotators[one], annotators[other], draws=draws, seed=seed)
            for one, other in combinations(annotators, 2) if annotators[one].keys() & annotators[other].keys()}


def fleiss_presence(annotators: Iterable[Notes], attribute: str) -> float:
    """Fleiss' kappa [2]_ of several annotators: whether a note has any mention of the attribute.

    Chance is the agreement of two annotators drawn at random who both say yes as often as all said it together. Of the
    notes that all have read; NaN without one, with fewer than two annotators, or where all say the same of all notes.
    """
    everybody = list(annotators)
    shared = [note for note in everybody[0] if all(note in one for one in everybody)] if everybody else []
    if not shared or len(everybody) < 2:
        return float("nan")
    yes = np.array([sum(_has(one[note], attribute) for one in everybody) for note in shared], dtype=float)
    n = len(everybody)
    observed = float(np.mean((yes * (yes - 1) + (n - yes) * (n - yes - 1)) / (n * (n - 1))))
    share = float(yes.mean()) / n
    chance = share**2 + (1 - share) ** 2
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")


def match_spans(first: Sequence[Mention], second: Sequence[Mention]) -> list[tuple[int, int]]:
    """Pairs of places in the two lists: same attribute and overlapping, one to one, as many as possible.

    Among the largest matchings the one whose spans lie best upon one another, then of the most equal values.
    """
    if not first or not second:
        return []
    weights = np.array([[_likeness(one, other) for other in second] for one in first])
    # More than all likenesses together may add up to: one more pair is always better.
    weights[weights > 0] += 2.0 * (min(weights.shape) + 1)
    rows, columns = linear_sum_assignment(weights, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if weights[row, column] > 0]


def _likeness(one: Mention, other: Mention) -> float:
    """0 for spans that do not match, else the Jaccard index of their characters, a little more for equal values."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    if one.attribute != other.attribute or shared <= 0:
        return 0.0
    jaccard = shared / (max(one.end, other.end) - min(one.start, other.start))
    return jaccard + 1e-6 * (one.value == other.value) + 1e-7 * (one.context == other.context)


def _has(mentions: Iterable[Mention], attribute: str) -> bool:
    return any(mention.attribute == attribute for mention in mentions)


def _compare(notes: Sequence[tuple[Sequence[Mention], Sequence[Mention]]]) -> dict[str, _Compared]:
    """Every attribute that any of the two has marked, by name."""
    names = sorted({mention.attribute for one, other in notes for mention in chain(one, other)})
    split = [(_by_attribute(one), _by_attribute(other)) for one, other in notes]
    return {name: _compare_attribute([(one[name], other[name]) for one, other in split]) for name in names}


def _by_attribute(mentions: Iterable[Mention]) -> defaultdict[str, list[Mention]]:
    found: defaultdict[str, list[Mention]] = defaultdict(list)
    for mention in mentions:
        found[mention.attribute].append(mention)
    return found


def _compare_attribute(notes: Sequence[tuple[list[Mention], list[Mention]]]) -> _Compared:
    matched = [match_spans(one, other) for one, other in notes]
    pairs = [(note, notes[note][0][row], notes[note][1][column])
             for note, found in enumerate(matched) for row, column in found]
    return _Compared(first=_numbers(len(one) for one, _ in notes), second=_numbers(len(other) for _, other in notes),
                     exact=_numbers((_places(one) & _places(other)).total() for one, other in notes),
                     overlapping=_numbers(map(len, matched)), pairs=pairs)


def _places(mentions: Iterable[Mention]) -> Counter[tuple[int, int]]:
    return Counter((mention.start, mention.end) for mention in mentions)


def _numbers(counts: Iterable[int]) -> np.ndarray:
    return np.array(list(counts), dtype=float)


def _agreement(name: str, compared: list[_Compared], notes: int, measured: Callable[[Measure], Interval]) -> Agreement:
    first, second, exact, overlapping = (
        np.sum([getattr(one, field) for one in compared], axis=0) if compared else np.zeros(notes)
        for field in ("first", "second", "exact", "overlapping"))
    return Agreement(
        name, notes, int(first.sum()), int(second.sum()), int(exact.sum()), int(overlapping.sum()),
        measured(_f1(exact, first + second)), measured(_f1(overlapping, first + second)),
        _kappa([_said(one, notes, lambda mention: mention.value) for one in compared], measured),
        _kappa([_said(one, notes, lambda mention: mention.context) for one in compared], measured),
        _kappa([_present(one, notes) for one in compared], measured))


def _f1(matched: np.ndarray, mentions: np.ndarray) -> Measure:
    def measure(weights: np.ndarray) -> np.ndarray:
        return _ratio(2 * weights @ matched, weights @ mentions)
    return measure


def _said(compared: _Compared, notes: int, what: Callable[[Mention], Hashable]) -> _Ratings:
    return _ratings([(note, what(one), what(other)) for note, one, other in compared.pairs], notes)


def _present(compared: _Compared, notes: int) -> _Ratings:
    return _ratings([(note, bool(compared.first[note]), bool(compared.second[note])) for note in range(notes)], notes)


def _ratings(pairs: Sequence[tuple[int, Hashable, Hashable]], notes: int) -> _Ratings:
    columns = {category: place for place, category in
               enumerate(dict.fromkeys(chain.from_iterable((one, other) for _, one, other in pairs)))}
    made = _Ratings(np.zeros(notes), np.zeros(notes), np.zeros((notes, len(columns))), np.zeros((notes, len(columns))))
    for note, one, other in pairs:
        made.pairs[note] += 1
        made.equal[note] += one == other
        made.first[note, columns[one]] += 1
        made.second[note, columns[other]] += 1
    return made


def _kappa(strata: Sequence[_Ratings], measured: Callable[[Measure], Interval]) -> Kappa:
    """Kappa with chance within each stratum."""
    def measure(weights: np.ndarray) -> np.ndarray:
        pairs, equal, chance = np.zeros((3, len(weights)))
        for one in strata:
            n = weights @ one.pairs
            pairs, equal = pairs + n, equal + weights @ one.equal
            by_chance = np.sum((weights @ one.first) * (weights @ one.second), axis=1)
            chance = chance + np.divide(by_chance, n, out=np.zeros_like(n), where=n > 0)
        return _ratio(equal - chance, pairs - chance)

    pairs = sum(float(one.pairs.sum()) for one in strata)
    equal = sum(float(one.equal.sum()) for one in strata)
    return Kappa(measured(measure), equal / pairs if pairs else float("nan"), int(pairs))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """NaN where there is nothing below."""
    quotient: np.ndarray = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return quotient
