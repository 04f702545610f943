"""Kaplan-Meier curves of each site and of all together, from numbers of events and of censored patients in bins.

No time of a patient leaves a site, and no bin with few patients: neighbours are merged until the events of each are
none or as many as the site's policy asks for, and so are bins of censored patients. What bins cannot tell is stated:
beside the curve are the lowest and the highest that the same counts allow, wherever in their bins the patients are, and
the interval is wider by as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Question, Release, Task, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.merged_bins import group_sums, in_words, merged_ends
from medomicslab_nb.federated.tasks.parts import part_of

COLUMNS = ["site", "time", "survival", "lower", "upper", "at_risk", "least", "most"]

_REACH = 3.0  # standard deviations of follow-up above its mean to which the bins reach without a horizon
_NOBODY = 1e-9  # patients that rounding leaves of none
_ROUNDS = 20  # in which events find their places in merged bins
_WHERE = "Kaplan-Meier curve"


@dataclass(frozen=True)
class _Groups:
    """Patients in groups of bins, as positions of edges: a group has the times in ``(start, end]``."""

    start: np.ndarray
    end: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class _Counts:
    """Of one site or of several; whoever is followed beyond the last edge is censored in a bin from there on."""

    events: _Groups
    censored: _Groups

    @property
    def patients(self) -> int:
        return int(self.events.count.sum() + self.censored.count.sum())


def times_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """At the site: how long follow-up is on average, or with ``edges`` how many events and censored per bin."""
    part = part_of(patients, values)
    if part.endpoint.time is None or part.endpoint.entry is not None:
        raise DataError("the curve needs a follow-up time, and all patients under observation from the start",
                        where=_WHERE, todo="Choose an endpoint with follow-up and without times of entry")
    if "edges" not in values:
        time, n = part.endpoint.time, len(part)
        return Release({"patients": n, "time": float(time.sum()), "squares": float((time**2).sum())},
                       f"sum and sum of squares of follow-up over {n} patients", n, (n,))
    return _binned(part.endpoint.event, part.endpoint.time, np.asarray(values["edges"], dtype=float), minimum)


def survival_curve(bins: int, horizon: float | None = None) -> Task:
    """The curve of each site and of all sites together.

    Within a bin events count before censoring, as with times rounded up to its end: where times are that coarse
    already (whole months, and a bin for each), the curve is that of the pooled patients. In merged bins censored
    patients are spread evenly, and events as one hazard for all of them has it: by the patients at risk in each.

    Parameters
    ----------
    bins : int
        Bins of equal width from 0 to the horizon.
    horizon : float, optional
        End of the curve. Without one it is three standard deviations above the mean of follow-up.

    Returns
    -------
    DataFrame
        site ("all" first), time, survival, lower and upper (95 %, log-log, Greenwood's variance, made wider by what
        the bins leave open), at_risk (patients followed beyond the time; at the end of the curve, up to it), least and
        most (what the counts allow the survival at that time to be). Sites have a row where one of their merged bins of
        events ends, "all" where one of any site does, as long as the minimum count of the sites is at risk before.
    """
    if horizon is None:
        horizon = _reach((yield Question("times", {"part": "all"}, "Length of follow-up")))
    edges = np.linspace(0, horizon, bins + 1)
    answers = yield Question("times", {"part": "all", "edges": edges}, "Events and censored patients in bins of time")
    sites = {site: _counts(answer) for site, answer in answers.items()}
    fewest = max(int(answer["minimum"]) for answer in answers.values())
    spread = {site: _spread_out(one, bins) for site, one in sites.items()}
    curves = [_curve("all", _together(sites), np.sum(list(spread.values()), axis=0), edges, fewest),
              *(_curve(site, counts, spread[site], edges, fewest) for site, counts in sites.items())]
    return pd.concat(curves, ignore_index=True)


def _binned(event: np.ndarray, time: np.ndarray, edges: np.ndarray, minimum: int) -> Release:
    bins = len(edges) - 1
    place = np.searchsorted(edges[1:], time, side="left")
    happened = event & (place < bins)
    events = np.bincount(place[happened], minlength=bins)[:, None]
    # Whoever is censored at the very end was at risk all along: where many are, no order of times is open.
    censored = np.bincount(np.where(time < edges[-1], place, bins)[~happened], minlength=bins + 1)[:, None]
    event_ends, censored_ends = merged_ends(events, minimum), _censored_ends(censored, minimum)
    by_group = [group_sums(events, event_ends)[:, 0], group_sums(censored, censored_ends)[:, 0]]
    values = {"event_ends": event_ends, "events": by_group[0], "censored_ends": censored_ends,
              "censored": by_group[1], "minimum": minimum}
    return Release(values, f"numbers of events in {in_words(len(event_ends), minimum)} and of censored patients in "
                   f"{in_words(len(censored_ends), minimum)}, by time, over {len(time)} patients", len(time),
                   tuple(int(count) for counts in by_group for count in counts))


def _censored_ends(censored: np.ndarray, minimum: int) -> np.ndarray:
    """With a group of its own for who was followed beyond the last edge, unless one of the two parts is too small."""
    parts = (int(censored[:-1].sum()), int(censored[-1, 0]))
    if any(0 < part < minimum for part in parts):
        return merged_ends(censored, minimum)
    return np.append(merged_ends(censored[:-1], minimum), len(censored))


def _reach(answers: Mapping[str, Values]) -> float:
    n, total, squares = (sum(answer[name] for answer in answers.values()) for name in ("patients", "time", "squares"))
    mean = total / n
    reach = float(mean + _REACH * np.sqrt(max(squares / n - mean**2, 0.0)))
    if reach > 0:
        return reach
    raise DataError("no patient was followed for any time", where=_WHERE, todo="Choose another endpoint")


def _counts(answer: Values) -> _Counts:
    return _Counts(_groups(answer["event_ends"], answer["events"]),
                   _groups(answer["censored_ends"], answer["censored"]))


def _groups(ends: np.ndarray, count: np.ndarray) -> _Groups:
    return _Groups(np.concatenate([[0], ends[:-1]]).astype(int), ends.astype(int), count.astype(float))


def _together(sites: Mapping[str, _Counts]) -> _Counts:
    return _Counts(_joined([one.events for one in sites.values()]), _joined([one.censored for one in sites.values()]))


def _joined(parts: Sequence[_Groups]) -> _Groups:
    return _Groups(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("start", "end", "count")))


def _curve(site: str, counts: _Counts, per_bin: np.ndarray, edges: np.ndarray, fewest: int) -> pd.DataFrame:
    survival, variance, at_risk = _estimate(counts.patients, *per_bin)
    at = np.unique(np.append(counts.events.end, 0))
    at = at[np.append(True, at_risk[at[:-1]] > fewest - _NOBODY)]
    least, most = np.array([_limits_of_binning(counts, int(position)) for position in at]).T
    lower, upper = _log_log(survival[at], variance[at])
    return pd.DataFrame({"site": site, "time": edges[at], "survival": survival[at],
                         "lower": np.maximum(lower - np.maximum(survival[at] - least, 0), 0),
                         "upper": np.minimum(upper + np.maximum(most - survival[at], 0), 1),
                         "at_risk": at_risk[at], "least": least, "most": most}, columns=COLUMNS)


def _estimate(patients: int, events: np.ndarray, censored: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Survival, variance of its logarithm, and patients left at each edge, from numbers per bin."""
    left = patients - np.cumsum(events + censored)
    before = np.concatenate([[patients], left[:-1]])
    after = np.maximum(before - events, 0.0)
    after[after < _NOBODY] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(events > 0, after / before, 1.0)
        terms = np.where(events > 0, events / (before * after), 0.0)
    return (np.concatenate([[1.0], np.cumprod(share)]), np.concatenate([[0.0], np.cumsum(terms)]),
            np.concatenate([[patients], left]))


def _spread_out(counts: _Counts, bins: int) -> np.ndarray:
    """Events and censored patients of one site per bin, shape (2, bins)."""
    censored = _shared(counts.censored, np.ones(bins + 1))[:bins]
    events = _shared(counts.events, np.ones(bins))
    for _ in range(_ROUNDS):
        before = counts.patients - np.cumsum(events + censored) + events + censored
        events = _shared(counts.events, np.maximum(before, _NOBODY))
    return np.stack([events, censored])


def _shared(groups: _Groups, weight: np.ndarray) -> np.ndarray:
    """Counts of groups per bin, in proportion to the weights of a group's bins."""
    found = np.zeros(len(weight))
    for start, end, count in zip(groups.start, groups.end, groups.count, strict=True):
        found[start:end] = count * weight[start:end] / weight[start:end].sum()
    return found


def _limits_of_binning(counts: _Counts, at: int) -> tuple[float, float]:
    """The lowest and the highest survival at an edge that any times within the groups make.

    Survival falls most when the censored leave as early and events happen as late as they can, but before the edge,
    where few are at risk; and least the other way round, with all that can happen after the edge doing so. A quarter
    stands for just after an edge.
    """
    events, censored, early = counts.events, counts.censored, 0.25
    begun, over = events.start < at, events.end <= at
    least = _survival(np.minimum(events.end, at)[begun], events.count[begun], censored.start + early, censored.count,
                      counts.patients)
    most = _survival(events.start[over] + early, events.count[over], censored.end, censored.count, counts.patients)
    return least, most


def _survival(when: np.ndarray, events: np.ndarray, left: np.ndarray, censored: np.ndarray, patients: int) -> float:
    """Kaplan-Meier's product over events at these positions, with the censored leaving at theirs, after events."""
    survival = 1.0
    for position in np.unique(when[events > 0]):
        at_risk = patients - events[when < position].sum() - censored[left < position].sum()
        survival *= 1 - events[when == position].sum() / at_risk
    return survival


def _log_log(survival: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % limits on the scale of log(-log S); 1 until the first event, and none where nobody survives."""
    width = norm.ppf(0.975) * np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = np.exp(np.where(survival < 1, width / np.abs(np.log(survival)), 0.0))
        lower, upper = survival**factor, survival ** (1 / factor)
    none = survival <= 0
    return np.where(none, np.nan, lower), np.where(none, np.nan, upper)
