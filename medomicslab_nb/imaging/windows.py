"""Windows of grey values: with which an image begins, and those that are offered for its modality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medomicslab_nb.imaging.display import Displayed, preview

_CT = (("soft tissue", -160.0, 240.0), ("lung", -1350.0, 150.0), ("bone", -450.0, 1050.0), ("brain", 0.0, 80.0),
       ("mediastinum", -125.0, 225.0), ("liver", -45.0, 105.0), ("head and neck", -115.0, 185.0))
_PERCENTILES = ((1, 99), (0.1, 99.9), (5, 95))
_COLOURS = {"PT": "inverse", "RTDOSE": "viridis"}


@dataclass(frozen=True)
class Window:
    """Values shown as black and white, with the window's name in English; empty where the numbers say all."""

    name: str
    low: float
    high: float


def windows_of(shown: Displayed, modality: str) -> tuple[Window, ...]:
    """Windows for an image, the first of which it begins with.

    CT in HU has those of clinical use; PET in SUV 0 to 5, 10, 20 and its maximum; every other image percentiles of its
    values.
    """
    if modality == "CT" and shown.unit in ("", "HU"):
        return tuple(Window(*one) for one in _CT)
    if modality == "PT" and shown.unit.startswith("SUV"):
        return *(Window("", 0.0, high) for high in (5.0, 10.0, 20.0)), Window("maximum", 0.0, _above(0.0, shown.high))
    if modality in ("PT", "RTDOSE"):
        return Window("maximum", 0.0, _above(0.0, shown.high)), *_by_percentiles(shown, _PERCENTILES[:1])
    return *_by_percentiles(shown, _PERCENTILES), Window("whole range", shown.low, _above(shown.low, shown.high))


def colours_of(modality: str, *, overlay: bool = False) -> str:
    """The colours of an image: PET is black on white, and hot over another image."""
    if overlay:
        return "hot" if modality in ("PT", "RTDOSE") else "viridis"
    return _COLOURS.get(modality, "grey")


def _by_percentiles(shown: Displayed, pairs: Sequence[tuple[float, float]]) -> tuple[Window, ...]:
    sample = preview(shown)[0]
    known = sample[np.isfinite(sample)]
    if not known.size:
        return ()
    limits = [np.percentile(known, pair) for pair in pairs]
    return tuple(Window(f"{low:g}-{high:g} %", float(lower), _above(float(lower), float(upper)))
                 for (low, high), (lower, upper) in zip(pairs, limits, strict=True))


def _above(low: float, high: float) -> float:
    return high if high > low else low + 1.0
