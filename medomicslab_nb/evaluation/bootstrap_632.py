"""The .632 and .632+ estimates of performance in new patients, from apparent and bootstrap performance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate632:
    """Performance in new patients, on the scale of the measure that was given.

    Attributes
    ----------
    apparent, out_of_bag, no_information : float
        What the estimates are made of.
    overfitting : float
        Relative overfitting rate R, from 0 (none) to 1 (the bootstrap finds nothing but chance).
    point_632, point_632_plus : float
        NaN where a part is.
    notes : tuple of str
        What a reader must know, in whole sentences.
    """

    apparent: float
    out_of_bag: float
    no_information: float
    overfitting: float
    point_632: float
    point_632_plus: float
    notes: tuple[str, ...] = ()


def estimate_632(apparent: float, out_of_bag: float, no_information: float, *, larger_is_better: bool = True,
                 patients: int = 0, predictors: int = 0) -> Estimate632:
    """Estimates of Efron and Tibshirani [1]_.

    With errors ``err`` (apparent), ``Err1`` (out of bag) and ``gamma`` (no information) they are ``.368 err + .632
    Err1`` and, with ``Err1' = min(Err1, gamma)`` and ``R = (Err1' - err) / (gamma - err)`` (0 unless Err1 and gamma
    exceed err), ``.632 + (Err1' - err) .368 .632 R / (1 - .368 R)``. They are linear in the errors, so any measure may
    be used: the error of a measure of which larger is better is one minus it.

    Parameters
    ----------
    apparent : float
        Measure in the patients that the model was fitted on.
    out_of_bag : float
        Mean over bootstrap samples of the measure in the patients that are not in the sample, by a model for which
        *every* step, selection and tuning included, was done in the sample. The paper averages over samples for each
        patient first; a measure of ranks, such as the AUC, exists for groups of patients only.
    no_information : float
        Its value when predictors say nothing about the outcome: 0.5 of an AUC or C-index, 0 of an R2.
    patients, predictors : int
        Candidate predictors, before selection; for the warning where they outnumber patients.

    References
    ----------
    .. [1] Efron B, Tibshirani R. Improvements on cross-validation: the .632+ bootstrap method. J Am Stat Assoc
       1997;92:548-560.
    """
    sign = -1.0 if larger_is_better else 1.0
    error, bootstrap, chance = sign * apparent, sign * out_of_bag, sign * no_information
    bounded = min(bootstrap, chance)
    overfitting = (bounded - error) / (chance - error) if bootstrap > error and chance > error else 0.0
    point = 0.368 * error + 0.632 * bootstrap
    plus = point + (bounded - error) * 0.368 * 0.632 * overfitting / (1 - 0.368 * overfitting)
    return Estimate632(apparent, out_of_bag, no_information, overfitting, sign * point, sign * plus,
                       _notes(patients, predictors, overfitting))


def _notes(patients: int, predictors: int, overfitting: float) -> tuple[str, ...]:
    if predictors > patients > 0:
        return (f"There are more predictors ({predictors:,}) than patients ({patients:,}): the apparent performance is "
                "then perfect whatever the predictors are worth, and estimates that mix it in, .632+ too, may be too "
                "good. Trust the nested cross-validation.",)
    if overfitting > 0.9:
        return ("The model overfits almost completely: the .632 estimate is too good, and .632+ says little more than "
                "the out-of-bag performance.",)
    return ()
