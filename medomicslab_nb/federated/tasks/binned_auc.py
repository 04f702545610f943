"""The AUC over sites from numbers of patients in bins of scores, and what the bins leave open.

Pairs of two patients of one site are known exactly, from the site's own AUC. Of a pair of two sites the bins tell the
order, unless both bins overlap: then it may be either. How many of those agree is taken from the pairs within sites, of
which the bins leave as much open and the sites' own AUC tells the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medomicslab_nb.evaluation.delong import delong, external_auc_interval


@dataclass(frozen=True)
class Bins:
    """Patients of one class at one site, in groups of neighbouring bins: ``start`` is the first, ``end`` the next one.

    All of shape (n_groups,).
    """

    start: np.ndarray
    end: np.ndarray
    count: np.ndarray

    @property
    def filled(self) -> Bins:
        """Without the groups that hold nobody, most of many bins, in which there are no pairs to look at."""
        rows = self.count > 0
        return Bins(self.start[rows], self.end[rows], self.count[rows])

    @property
    def middle(self) -> np.ndarray:
        """Of each group, on the scale of the bins' positions."""
        return np.asarray((self.start + self.end) / 2)


@dataclass(frozen=True)
class SiteBins:
    """Cases and others of a site, and its exact AUC (NaN with one class only)."""

    cases: Bins
    others: Bins
    auc: float


@dataclass(frozen=True)
class BinnedAuc:
    """An AUC over sites.

    Attributes
    ----------
    estimate : float
        Pairs of one site are exact; of the others that bins leave open, as large a share agrees as within sites.
    standard_error : float
        DeLong's, of patients in the middle of their bins.
    lower, upper : float
        95 % limits, made wider by what the bins leave open.
    least, most : float
        The AUC of the pooled scores is between these, whatever the scores within their bins.
    """

    estimate: float
    standard_error: float
    lower: float
    upper: float
    least: float
    most: float


def auc_of_bins(sites: Mapping[str, SiteBins]) -> BinnedAuc:
    """The AUC of all patients of these sites together; NaN where one class is missing."""
    sites = {name: SiteBins(site.cases.filled, site.others.filled, site.auc) for name, site in sites.items()}
    cases, others = (sum(float(getattr(site, name).count.sum()) for site in sites.values())
                     for name in ("cases", "others"))
    if not cases or not others:
        return BinnedAuc(*[float("nan")] * 6)
    exact = sum(_within(site) for site in sites.values())
    between = sum((_between(site.cases, other.others) for name, site in sites.items()
                   for other_name, other in sites.items() if name != other_name), np.zeros(2))
    least, most = (exact + between) / (cases * others)
    estimate = least + _share(sites) * (most - least)
    observed, middle = _in_the_middle(sites)
    found = external_auc_interval(observed, middle)
    limits = np.clip([found.lower + least - found.estimate, found.upper + most - found.estimate], 0, 1)
    return BinnedAuc(float(estimate), float(np.sqrt(delong(observed, middle)[1][0, 0])), float(limits[0]),
                     float(limits[1]), float(least), float(most))


def _within(site: SiteBins) -> float:
    """Pairs of the site in which the case has the higher score."""
    pairs = float(site.cases.count.sum() * site.others.count.sum())
    return pairs * site.auc if pairs else 0.0


def _share(sites: Mapping[str, SiteBins]) -> float:
    """Of the pairs within sites that bins leave open, how many agree; a half where they leave none open."""
    known = [site for site in sites.values() if site.cases.count.sum() and site.others.count.sum()]
    least, most = sum((_between(site.cases, site.others) for site in known), np.zeros(2))
    exact = sum(_within(site) for site in known)
    return float(np.clip((exact - least) / (most - least), 0, 1)) if most > least else 0.5


def _between(cases: Bins, others: Bins) -> np.ndarray:
    """Pairs in which the case has the higher score, at least and at most."""
    pairs = cases.count[:, None] * others.count
    above = cases.start[:, None] >= others.end
    below = cases.end[:, None] <= others.start
    return np.array([(pairs * part).sum() for part in (above, ~below)])


def _in_the_middle(sites: Mapping[str, SiteBins]) -> tuple[np.ndarray, np.ndarray]:
    """Outcome and position of every patient."""
    parts = [(case, bins) for site in sites.values() for case, bins in ((True, site.cases), (False, site.others))]
    observed = np.concatenate([np.full(int(bins.count.sum()), case) for case, bins in parts])
    return observed, np.concatenate([np.repeat(bins.middle, bins.count.astype(int)) for _, bins in parts])
