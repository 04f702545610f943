"""Follow-up: how long patients were, or would have been, observed."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm
from statsmodels.duration.survfunc import SurvfuncRight

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import Interval

_ROUNDING = 1e-9  # of survival probabilities, which are products


def median_follow_up(endpoint: Endpoint, *, confidence: float = 0.95) -> Interval:
    """Median follow-up by the reverse Kaplan-Meier method [1]_, in the endpoint's unit.

    Parameters
    ----------
    endpoint : Endpoint
        With follow-up.

    Returns
    -------
    Interval
        Each number is NaN where it is not reached: no patient censored, or too few to tell.

    Raises
    ------
    DataError
        The endpoint has no follow-up.

    Notes
    -----
    The end of follow-up is the event of the estimate, and the event a censoring, since it hides how long the patient
    would have been followed. Competing events hide it just as well, so they are censorings too. Of an end of
    follow-up and an event at the same time, the patient with the event still counts as at risk.

    With left truncation a patient is at risk after the time of entry only, and time still counts from the anchor. When
    everybody who came in early is gone before others come in, the estimate falls to 0 for good; NaN is returned then.

    The median is the first time at which the estimate is 0.5 or less, its limits those at which the log-log limits [2]_
    of the estimate are.

    References
    ----------
    .. [1] Schemper M, Smith TL. A note on quantifying follow-up in studies of failure time. Control Clin Trials
       1996;17:343-346.
    .. [2] Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29-41.
    """
    if endpoint.time is None:
        raise DataError("it has no follow-up time", where=f"endpoint {endpoint.name}",
                        todo="Choose an endpoint with follow-up")
    ended = ~endpoint.outcome if endpoint.cause is None else endpoint.cause == 0
    if not ended.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    curve = SurvfuncRight(endpoint.time, ended.astype(int), entry=endpoint.entry)
    survival = np.asarray(curve.surv_prob)
    emptied = np.flatnonzero(survival < _ROUNDING)
    if len(emptied) and curve.surv_times[emptied[0]] < endpoint.time.max():
        return Interval(float("nan"), float("nan"), float("nan"))
    lower, upper = _log_log_limits(survival, np.asarray(curve.surv_prob_se), confidence)
    # The lower limit of the estimate is the first to fall to a half: it gives the lower limit of the median.
    return Interval(*(_first_half(curve.surv_times, values) for values in (survival, lower, upper)))


def _log_log_limits(survival: np.ndarray, error: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise limits of a survival function; where it is 0, the lower one is 0 and the upper one NaN."""
    z = norm.ppf((1 + confidence) / 2)
    inside = survival > _ROUNDING
    lower, upper = np.zeros(len(survival)), np.full(len(survival), np.nan)
    log = np.log(survival[inside])
    width = z * error[inside] / (survival[inside] * np.abs(log))
    lower[inside], upper[inside] = np.exp(log * np.exp(width)), np.exp(log * np.exp(-width))
    return lower, upper


def _first_half(times: np.ndarray, survival: np.ndarray) -> float:
    """The first time at which a survival function is 0.5 or less; NaN when there is none."""
    low = np.flatnonzero(survival <= 0.5 + _ROUNDING)
    return float(times[low[0]]) if len(low) else float("nan")
