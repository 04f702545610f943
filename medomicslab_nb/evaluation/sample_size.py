"""Sample size for a prediction model, before fitting it: how many patients it needs, and what fewer will do to it.

The criteria of Riley and colleagues [1]_, [2]_, [3]_, and of Pate and colleagues for several classes [4]_. All rest on
the Cox-Snell R2 that the model is expected to have in new patients; where nothing is known of it, 15 % of its maximum
is the recommended assumption for predictors that are not measurements of the outcome itself [3]_. They assume that all
parameters are estimated by unpenalised regression: penalties and selection do not make a small sample large, their
amount is then itself uncertain [5]_.

References
----------
.. [1] Riley RD, Snell KIE, Ensor J, et al. Minimum sample size for developing a multivariable prediction model: part I,
   continuous outcomes. Stat Med 2019;38:1262-1275.
.. [2] Riley RD, Snell KIE, Ensor J, et al. Part II, binary and time-to-event outcomes. Stat Med 2019;38:1276-1296.
.. [3] Riley RD, Ensor J, Snell KIE, et al. Calculating the sample size required for developing a clinical prediction
   model. BMJ 2020;368:m441.
.. [4] Pate A, Riley RD, Collins GS, et al. Minimum sample size for developing a multivariable prediction model using
   multinomial logistic regression. Stat Methods Med Res 2023;32:555-571.
.. [5] Riley RD, Snell KIE, Martin GP, et al. Penalization and shrinkage methods produced unreliable clinical prediction
   models especially when sample size was small. J Clin Epidemiol 2021;132:88-96.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, log, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, norm, t as student

from medomicslab_nb.errors import DataError, SettingsError
from medomicslab_nb.evaluation.endpoints import Endpoint, Kind

SHRINKAGE = 0.9
"""Least expected shrinkage: effects overestimated by 10 % at most."""

OPTIMISM = 0.05
"""Largest expected difference between apparent and true Nagelkerke R2 (continuous: R2)."""

MARGIN = 0.05
"""Largest distance of a 95 % confidence limit from the overall risk."""

RATIO = 1.1
"""Largest ratio between a 95 % confidence limit and the residual standard deviation or the mean (continuous)."""

SHARE = 0.15
"""Share of the maximal R2 that is assumed where nothing is known."""

_Z = float(norm.ppf(0.975))
_MOST = 10**9  # patients; a criterion that asks for more asks for the impossible


@dataclass(frozen=True)
class SampleSize:
    """What a model needs and what the study has.

    Attributes
    ----------
    kind : str
        Kind of the endpoint.
    parameters : int
        Candidate parameters: columns after coding of categories, spline terms and interactions, *before* any selection.
    r2 : float
        Anticipated Cox-Snell R2 (continuous: R2) in new patients.
    criteria : dict of str to int
        Patients that each criterion asks for.
    share : float
        Events (smallest class, or for a continuous outcome patients) per patient.
    n, events : int
        Patients and events of the study.
    shrinkage : float
        Expected with ``n`` patients: the factor by which effects, as estimated, must be multiplied to be right in new
        patients; for several classes the smallest over pairs of classes.
    """

    kind: Kind
    parameters: int
    r2: float
    criteria: dict[str, int]
    share: float
    n: int
    events: int
    shrinkage: float

    @property
    def needed(self) -> int:
        """Patients that all criteria together ask for."""
        return max(self.criteria.values())

    @property
    def needed_events(self) -> int:
        return ceil(self.needed * self.share)

    @property
    def events_per_parameter(self) -> float:
        return self.events / self.parameters

    @property
    def enough(self) -> bool:
        return self.n >= self.needed

    def sentences(self) -> list[str]:
        """Plain words for a report."""
        strictest = max(self.criteria, key=lambda name: self.criteria[name])
        expected = f"Expected shrinkage {self.shrinkage:.2f}"
        words = {"continuous": "patients", "multiclass": "patients in it"}.get(self.kind, "events")
        said = [
            f"A model with {_count(self.parameters, 'candidate parameter')} needs {self.needed:,} patients"
            f"{self._of_them(self.needed_events)}, if it explains R2 = {self.r2:.3g} in new patients; the strictest "
            f"criterion is {strictest}.",
            f"This study has {self.n:,}{self._of_them(self.events)}: {_ratio(self.events_per_parameter)} "
            f"{words} per parameter."]
        if self.enough:
            return [*said, f"That is enough. {expected}."]
        if self.shrinkage >= SHRINKAGE:
            return [*said, f"{expected}: effects will be about right, but not every criterion is met."]
        if self.events <= self.parameters or self.shrinkage < 0.05:
            return [*said, f"{expected}: an unpenalised model would say next to nothing about new patients. A "
                           "penalised one may, but how much it must be shrunk is then itself uncertain."]
        return [*said, f"{expected}: an unpenalised model's effects will be overestimated by about a factor "
                       f"{1 / self.shrinkage:.2g}, and its predictions will be too extreme."]

    def _of_them(self, events: int) -> str:
        words = {"binary": "with the event", "survival": "with the event", "multiclass": "in the smallest class"}
        return f" ({events:,} {words[self.kind]})" if self.kind in words else ""


def sample_size(endpoint: Endpoint, parameters: int, *, r2: float | None = None,
                horizon: float | None = None) -> SampleSize:
    """The criteria for an endpoint's own frequency of events, against the patients that it has.

    Parameters
    ----------
    parameters : int
        Candidate parameters, at least 1.
    r2 : float, optional
        Anticipated Cox-Snell R2 (continuous: R2) in new patients; 15 % of its maximum unless given. Of several
        classes, the Nagelkerke R2, in each pair and overall.
    horizon : float, optional
        Survival: time at which the overall risk must be precise; the median follow-up unless given.

    Raises
    ------
    DataError
        No events, an empty class, or a continuous outcome with one value.
    SettingsError
        An R2 that is not possible.
    """
    n = len(endpoint)
    if not endpoint.events or (endpoint.kind != "survival" and len(np.unique(endpoint.outcome)) < 2):
        raise DataError("the outcome is the same in all patients, or one of its classes is empty", where="sample size",
                        todo="Check how the outcome is coded")
    if endpoint.kind == "continuous":
        r2 = SHARE if r2 is None else r2
        criteria = continuous_criteria(parameters, r2, mean=float(endpoint.outcome.mean()),
                                       deviation=float(endpoint.outcome.std(ddof=1)))
        return SampleSize("continuous", parameters, r2, criteria, 1.0, n, n, linear_shrinkage(n, parameters, r2))
    if endpoint.kind == "multiclass":
        counts = np.bincount(endpoint.outcome, minlength=len(endpoint.classes))
        nagelkerke = SHARE if r2 is None else r2
        return SampleSize("multiclass", parameters, nagelkerke * maximal_r2(counts / n),
                          multiclass_criteria(parameters, counts, nagelkerke), float(counts.min() / n), n,
                          int(counts.min()), multiclass_shrinkage(parameters, counts, nagelkerke))
    share = endpoint.events / n
    if endpoint.kind == "binary":
        r2 = SHARE * maximal_r2([share, 1 - share]) if r2 is None else r2
        criteria = binary_criteria(parameters, r2, share)
    else:
        assert endpoint.time is not None
        follow_up = endpoint.time if endpoint.entry is None else endpoint.time - endpoint.entry
        r2 = SHARE * maximal_r2_survival(share) if r2 is None else r2
        criteria = survival_criteria(
            parameters, r2, rate=endpoint.events / float(follow_up.sum()), follow_up=float(follow_up.mean()),
            horizon=float(np.median(endpoint.time)) if horizon is None else horizon)
    return SampleSize(endpoint.kind, parameters, r2, criteria, share, n, endpoint.events,
                      expected_shrinkage(n, parameters, r2))


def binary_criteria(parameters: int, r2: float, prevalence: float) -> dict[str, int]:
    """Patients by criterion for a binary outcome.

    Parameters
    ----------
    r2 : float
        Cox-Snell R2, below :func:`maximal_r2`.
    prevalence : float
        Share of patients with the event, between 0 and 1.
    """
    return {"shrinkage": size_for_shrinkage(parameters, r2, SHRINKAGE),
            "optimism": _size_for_optimism(parameters, r2, maximal_r2([prevalence, 1 - prevalence])),
            "overall risk": ceil((_Z / MARGIN) ** 2 * prevalence * (1 - prevalence))}


def survival_criteria(parameters: int, r2: float, *, rate: float, follow_up: float, horizon: float) -> dict[str, int]:
    """Patients by criterion for a survival outcome.

    Parameters
    ----------
    rate : float
        Events per unit of follow-up.
    follow_up : float
        Mean follow-up.
    horizon : float
        Time at which the overall risk, of a constant rate, must be precise.
    """
    risk = -np.expm1(-rate * horizon)

    def distance(n: int) -> float:
        width = _Z * sqrt(rate / (n * follow_up))
        limits = -np.expm1(-np.maximum(rate + np.array([-width, width]), 0) * horizon)
        return float(np.abs(limits - risk).max())

    return {"shrinkage": size_for_shrinkage(parameters, r2, SHRINKAGE),
            "optimism": _size_for_optimism(parameters, r2, maximal_r2_survival(rate * follow_up)),
            "overall risk": _smallest(lambda n: distance(n) <= MARGIN, 1)}


def continuous_criteria(parameters: int, r2: float, *, mean: float, deviation: float) -> dict[str, int]:
    """Patients by criterion for a continuous outcome.

    The fourth criterion asks that the limits of the mean be within 10 % of it. It depends on where the scale has its
    zero, and is left out where that says nothing: for a mean within half a standard deviation of it.

    Parameters
    ----------
    r2 : float
        Adjusted R2, between 0 and 1.
    mean, deviation : float
        Of the outcome.
    """
    def residual_ratio(n: int) -> float:
        freedom = n - parameters - 1
        limits = chi2.ppf([0.025, 0.975], freedom) / freedom
        return float(np.sqrt(max(1 / limits[0], limits[1])))

    def mean_ratio(n: int) -> float:
        error = sqrt(deviation**2 * (1 - r2) / n)
        return float(1 + student.ppf(0.975, n - parameters - 1) * error / abs(mean))

    least = parameters + 2
    criteria = {"shrinkage": _smallest(lambda n: linear_shrinkage(n, parameters, r2) >= SHRINKAGE, least),
                "optimism": ceil(1 + parameters * (1 - r2) / OPTIMISM),
                "residual deviation": _smallest(lambda n: residual_ratio(n) <= RATIO, least)}
    if abs(mean) > deviation / 2:
        criteria["mean"] = _smallest(lambda n: mean_ratio(n) <= RATIO, least)
    return criteria


def multiclass_criteria(parameters: int, counts: Sequence[int] | np.ndarray, nagelkerke: float = SHARE, *,
                        pairs: Sequence[float] | None = None) -> dict[str, int]:
    """Patients by criterion for several classes.

    Parameters
    ----------
    parameters : int
        Of each of the K - 1 equations.
    counts : sequence of int, shape (K,)
        Patients, or shares, by class.
    nagelkerke : float
        Anticipated Nagelkerke R2 of the model, and of logistic regression between two classes.
    pairs : sequence of float, shape (K (K - 1) / 2,), optional
        Cox-Snell R2 of logistic regression between two classes, in the order (0, 1), (0, 2), ... (1, 2), ...
    """
    shares = np.asarray(counts, dtype=float) / np.sum(counts)
    ceiling = maximal_r2(shares)
    shrinkage = max(size_for_shrinkage(parameters, r2, SHRINKAGE) / both
                    for both, r2 in _pairs(shares, nagelkerke, pairs))
    # All shares are to be precise at once (Bonferroni).
    width = chi2.ppf(1 - 0.05 / len(shares), 1) / MARGIN**2
    return {"shrinkage": ceil(shrinkage),
            "optimism": _size_for_optimism((len(shares) - 1) * parameters, nagelkerke * ceiling, ceiling),
            "overall risk": ceil(max(width * shares * (1 - shares)))}


def multiclass_shrinkage(parameters: int, counts: Sequence[int] | np.ndarray, nagelkerke: float = SHARE) -> float:
    """Smallest expected shrinkage over the pairs of classes, with ``counts`` patients in each."""
    n = int(np.sum(counts))
    shares = np.asarray(counts, dtype=float) / n
    return min(expected_shrinkage(n * both, parameters, r2) for both, r2 in _pairs(shares, nagelkerke, None))


def size_for_shrinkage(parameters: int, r2: float, shrinkage: float) -> int:
    """Patients for an expected shrinkage: ``P / ((S - 1) log(1 - R2 / S))``, rounded up.

    Raises
    ------
    SettingsError
        R2 not between 0 and ``shrinkage``.
    """
    _check(parameters, r2)
    if r2 >= shrinkage:
        raise SettingsError(f"an R2 of {r2:.3g} cannot be had with a shrinkage of {shrinkage:.3g}", where="sample size",
                            todo="Give the R2 that is expected in new patients")
    return ceil(parameters / ((shrinkage - 1) * log(1 - r2 / shrinkage)))


def expected_shrinkage(n: float, parameters: int, r2: float) -> float:
    """Shrinkage to expect with n patients: the inverse of :func:`size_for_shrinkage`, between ``r2`` and 1.

    The formula is asymptotic and kind to small samples: logistic regression on 15 parameters with 400 patients, half of
    them with the event, has a slope of .79 in new patients where .83 is expected, with 150 patients .54 instead of .66.

    Parameters
    ----------
    r2 : float
        Anticipated Cox-Snell R2 in new patients, not the apparent one.
    """
    _check(parameters, r2)

    def surplus(shrinkage: float) -> float:
        return float((shrinkage - 1) * log(1 - r2 / shrinkage) * n - parameters)

    # It falls from infinity at r2 to -parameters at 1: one root. Next to r2 the logarithm runs out of digits.
    lowest = r2 * (1 + 1e-12)
    return float(brentq(surplus, lowest, 1.0, xtol=1e-14)) if surplus(lowest) > 0 else r2


def linear_shrinkage(n: int, parameters: int, r2: float) -> float:
    """Shrinkage of linear regression to expect with n patients, cut at 0.

    ``1 + (P - 2) / (n log(1 - R2_app))`` with ``R2_app = (R2 (n - P - 1) + P) / (n - 1)``, of part I; 0 without degrees
    of freedom, 1 with up to two parameters.
    """
    _check(parameters, r2)
    if n <= parameters + 1:
        return 0.0
    apparent = (r2 * (n - parameters - 1) + parameters) / (n - 1)
    return float(min(1.0, max(0.0, 1 + (parameters - 2) / (n * log(1 - apparent)))))


def maximal_r2(shares: Sequence[float] | np.ndarray) -> float:
    """Largest possible Cox-Snell R2 of a model for classes with these shares, which add up to 1."""
    present = np.asarray(shares, dtype=float)
    present = present[present > 0]
    return float(-np.expm1(2 * np.sum(present * np.log(present))))


def maximal_r2_survival(events: float) -> float:
    """Largest possible Cox-Snell R2 of a survival model with this many events per patient.

    From the exponential likelihood of no effects, ``log L = E log(E / n) - E``, with time in units of the mean
    follow-up; R2's maximum would otherwise depend on the unit of time. So does Riley's own program.
    """
    return float(-np.expm1(2 * (events * log(events) - events)))


def _size_for_optimism(parameters: int, r2: float, ceiling: float) -> int:
    """Patients for a difference of apparent and true Nagelkerke R2 of 0.05."""
    if r2 > ceiling:
        raise SettingsError(f"an R2 of {r2:.3g} is above its maximum of {ceiling:.3g} for this frequency of events",
                            where="sample size", todo="Give a Cox-Snell R2, or multiply a Nagelkerke R2 by its maximum")
    return size_for_shrinkage(parameters, r2, r2 / (r2 + OPTIMISM * ceiling))


def _pairs(shares: np.ndarray, nagelkerke: float, given: Sequence[float] | None) -> list[tuple[float, float]]:
    """Share of all patients, and Cox-Snell R2, of each pair of classes."""
    found = []
    for number, (one, other) in enumerate(combinations(shares, 2)):
        both = float(one + other)
        r2 = nagelkerke * maximal_r2([one / both, other / both]) if given is None else given[number]
        found.append((both, r2))
    return found


def _smallest(enough: Callable[[int], bool], least: int) -> int:
    """The first n from ``least`` on that is enough; what is enough stays so with more."""
    high = least
    while not enough(high):
        high *= 2
        if high > _MOST:
            return _MOST
    low = least - 1 if high == least else high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(parameters: int, r2: float) -> None:
    if parameters < 1:
        raise ValueError(f"{parameters} parameters, below 1")
    if not 0 < r2 < 1:
        raise SettingsError(f"an R2 of {r2} is not between 0 and 1", where="sample size",
                            todo="Give the R2 that is expected in new patients")


def _ratio(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
