"""Numbers and settings as a reader wants to see them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_METRICS = {
    "auc": "AUC", "auc_ovr": "AUC (one class against the rest)", "c_index": "C-index", "r2": "R²",
    "auprc": "area under the precision-recall curve", "brier": "Brier score", "rmse": "root mean squared error",
    "mae": "mean absolute error", "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy",
    "uno_c": "C-index weighted for censoring (Uno)", "auc_at_horizon": "AUC at the horizon",
    "brier_at_horizon": "Brier score at the horizon", "integrated_brier": "integrated Brier score",
    "calibration_slope": "calibration slope (ideal 1)", "calibration_intercept": "calibration intercept (ideal 0)",
    "observed_over_expected": "observed over expected events (ideal 1)", "ppv": "positive predictive value",
    "npv": "negative predictive value", "R2": "R²"}
_SIZES = ("bytes", "kB", "MB", "GB")


def number(value: Any, digits: int = 3) -> str:
    """A number with ``digits`` decimals (whole numbers with none), text as it is, nothing for a missing value."""
    if missing(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.{digits}g}" if abs(value) < 10**-digits else f"{value:.{digits}f}"


def missing(value: Any) -> bool:
    """Whether the value is None, not a number, or pandas' missing value."""
    # By its text, since pandas' own missing value refuses to be compared.
    return value is None or (not isinstance(value, str) and str(value) in ("nan", "<NA>", "NaT"))


def interval(lower: Any, upper: Any) -> str:
    """``0.610 to 0.742``, or nothing when a bound is missing."""
    if missing(lower) or missing(upper):
        return ""
    return f"{float(lower):.3f} to {float(upper):.3f}"


def metric_name(metric: str) -> str:
    """The name of a metric as it is printed."""
    return _METRICS.get(metric, metric.replace("_", " "))


def count(n: int, singular: str, plural: str = "") -> str:
    """``1 table``, ``2 tables``."""
    return f"{n} {singular if n == 1 else plural or singular + 's'}"


def data_size(n_bytes: Any) -> str:
    """``980 bytes``, ``1.2 MB``: decimal units."""
    size, place = float(n_bytes), 0
    while size >= 999.95 and place < len(_SIZES) - 1:
        size, place = size / 1000, place + 1
    return f"{size:.1f} {_SIZES[place]}" if place else f"{size:.0f} {_SIZES[0]}"


def listed(names: Any) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    names = [str(name) for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def sentence(text: str) -> str:
    """The text with a full stop."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def value_text(value: Any) -> str:
    """The value of a setting on one line."""
    if value is None or value == "":
        return "(none)" if value is None else "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False) if value else "(empty)"
    return str(value)


def duration(started: str, finished: str) -> str:
    """The time between two ISO texts, such as ``2 min 05 s``; empty when either is missing."""
    try:
        seconds = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
    except (TypeError, ValueError):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def moment(text: Any) -> str:
    """An ISO time as ``2026-11-22 05:04 UTC``, without fractions."""
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return ""
    return f"{when:%Y-%m-%d %H:%M} {when.tzname() or ''}".strip()
