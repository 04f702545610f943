"""A preprocessing in words, for the report."""

from __future__ import annotations

from medomicslab_nb.radiomics.preprocessing import Preprocessing

_BINS = {"fixed_bin_size": "bins of width {:g}", "fixed_bin_number": "{:g} bins between the ROI's extremes"}


def describe(preprocessing: Preprocessing) -> str:
    """Every step in its order, as one sentence."""
    steps = [
        _if(preprocessing.normalised, "normalisation to (x - mean) / SD x {:g} over the whole image"),
        _interpolation(preprocessing),
        "rounding to whole numbers" if preprocessing.rounded else "",
        _range(preprocessing),
        _if(preprocessing.outliers, "resegmentation to {:g} standard deviations about the ROI's mean"),
        f"texture {'within slices' if preprocessing.dimension == '2D' else 'in three dimensions'} with "
        + _BINS[preprocessing.discretisation.method].format(preprocessing.discretisation.size),
    ]
    text = "; ".join(step for step in steps if step)
    return f"{text[:1].upper()}{text[1:]}."


def _if(value: float | None, words: str) -> str:
    return "" if value is None else words.format(value)


def _interpolation(preprocessing: Preprocessing) -> str:
    if not preprocessing.spacing_mm:
        return "no interpolation"
    spacing = " x ".join("as it is" if value is None else f"{value:g}" for value in preprocessing.spacing_mm)
    how = "cubic spline" if preprocessing.interpolation == "spline" else "linear"
    return f"{how} interpolation to {spacing} mm (ROI: linear, cut at one half)"


def _range(preprocessing: Preprocessing) -> str:
    if preprocessing.range is None:
        return ""
    lower, upper = preprocessing.range
    return f"resegmentation to {lower:g} to {upper:g}"
