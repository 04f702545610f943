"""Volumes that share one series (echoes, time points, phases, a localiser) told apart before each is validated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from medomicslab_nb.imaging.dicom_headers import Header
from medomicslab_nb.imaging.slices import times_each

_TELLING = ("AcquisitionNumber", "TemporalPositionIdentifier", "EchoTime", "InversionTime", "DiffusionBValue",
            "TriggerTime", "FlipAngle", "ImageType", "FrameReferenceTime", "AcquisitionTime")
"""Tags by which volumes of one place are told apart: time points, echoes, b values, phases."""


def split_volumes(headers: Sequence[Header]) -> list[tuple[str, tuple[Header, ...]]]:
    """The volumes that share one series, each with what tells it from the others ("" for an only one).

    Localisers are set apart. Where every place occurs equally often, the slices are told apart by one tag, e.g. the
    echo time; where no tag does, they stay together, and the validator refuses them.
    """
    scouts = [header for header in headers if _is_localiser(header)]
    slices = [header for header in headers if not _is_localiser(header)]
    if not scouts or not slices:
        return _by_tag(headers)
    return [*_by_tag(slices), ("localiser", tuple(scouts))]


def _is_localiser(header: Header) -> bool:
    return "LOCALIZER" in header.values.get("ImageType", ())


def _by_tag(headers: Sequence[Header]) -> list[tuple[str, tuple[Header, ...]]]:
    whole = [("", tuple(headers))]
    times = _times_each_place(headers)
    if times < 2:
        return whole
    for keyword in _TELLING:
        groups: dict[Any, list[Header]] = defaultdict(list)
        for header in headers:
            groups[header.values.get(keyword)].append(header)
        if len(groups) == times and all(_times_each_place(group) == 1 for group in groups.values()):
            return [(f"{keyword} {_shown(value)}", tuple(group)) for value, group in _sorted(groups)]
    return whole


def _times_each_place(headers: Sequence[Header]) -> int:
    places = [header.values.get("ImagePositionPatient", ()) for header in headers]
    directions = {header.values.get("ImageOrientationPatient", ()) for header in headers}
    if any(len(place) != 3 for place in places) or len(directions) != 1 or len(direction := directions.pop()) != 6:
        return 0
    return times_each(np.array(places) @ np.cross(direction[:3], direction[3:]))


def _sorted(groups: dict[Any, list[Header]]) -> list[tuple[Any, list[Header]]]:
    return sorted(groups.items(), key=lambda pair: (pair[0] is None, pair[0]))


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "/".join(value) if isinstance(value, tuple) else str(value)
