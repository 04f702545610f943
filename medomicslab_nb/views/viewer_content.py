"""What a slice viewer shows, as plain values that its widget takes as they are: images, ROIs, texts and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.display import Displayed, bounding_box, displayed, matrix_of, packed
from medomicslab_nb.imaging.orientation import Orientation
from medomicslab_nb.imaging.overlay import laid_over
from medomicslab_nb.imaging.roi_values import RoiValues, roi_values
from medomicslab_nb.imaging.three_planes import COLOURS, three_planes
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.imaging.windows import Window, colours_of, windows_of
from medomicslab_nb.views.language import catalogue, text
from medomicslab_nb.views.markup import escape, heading
from medomicslab_nb.views.viewer_source import Source

REMOTE_ABOVE = 600_000_000
"""Images that take more bytes than this are shown slice by slice, as JPEG."""

BASE = "base"
"""Name of the first image in messages."""

Box = tuple[int, int, int, int, int, int]

_OVERLAY_OPACITY = 0.5


@dataclass(frozen=True, eq=False)
class Picture:
    """An image of a viewer: where its voxels come from, and what the widget is told of it."""

    source: Source
    about: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Region:
    """A ROI of a viewer: the bits of its mask within a box of the base image, and what the widget is told of it."""

    bits: np.ndarray
    about: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Content:
    """Images of a viewer, the base first, and its ROIs."""

    pictures: list[Picture]
    regions: list[Region]


def content_of(image: Volume, rois: Mapping[str, Volume], *, overlays: Mapping[str, Volume], modality: str = "",
               name: str = "", remote_above: int = REMOTE_ABOVE) -> Content:
    """What a viewer shows of volumes in memory.

    Raises
    ------
    DataError
        A ROI is on another grid; an overlay has another frame of reference.
    """
    shown, modality = displayed(image), modality or modality_of(image.unit)
    base = picture_of(Source.held(shown), BASE, name or modality or text("image"), modality, remote_above=remote_above)
    over = [overlay_of(volume, shown, f"overlay-{place}", label, remote_above=remote_above)
            for place, (label, volume) in enumerate(overlays.items())]
    regions = [region_of(shown, mask, f"roi-{place}", label, place)
               for place, (label, mask) in enumerate(masks_on(image, rois).items())]
    return Content([base, *over], regions)


def masks_on(image: Volume, rois: Mapping[str, Volume]) -> dict[str, np.ndarray]:
    """Masks in LPS order.

    Raises
    ------
    DataError
        A ROI is on another grid than the image.
    """
    for label, mask in rois.items():
        if not mask.geometry.same_as(image.geometry):
            raise DataError(f"the ROI '{label}' and the image have different grids", where="viewer",
                            todo="Load the mask on this image")
    turn = Orientation.of(image.geometry)  # of the image, for all: a mask's own may round to another one
    return {label: _as_bool(turn.turned(mask.array)) for label, mask in rois.items()}


def _as_bool(array: np.ndarray) -> np.ndarray:
    return array if array.dtype == bool else array != 0


def overlay_of(volume: Volume, base: Displayed, identifier: str, name: str, *, modality: str = "",
               remote_above: int = REMOTE_ABOVE) -> Picture:
    """An image in memory over the base.

    Raises
    ------
    DataError
        Different frames of reference.
    """
    over = displayed(laid_over(volume, base.geometry, base.frame_of_reference))
    return picture_of(Source.held(over), identifier, name, modality or modality_of(volume.unit), overlay=True,
                      remote_above=remote_above)


def modality_of(unit: str) -> str:
    """The modality that a unit tells of; empty where it tells none."""
    return "PT" if unit.startswith("SUV") else {"HU": "CT", "Gy": "RTDOSE"}.get(unit, "")


def picture_of(source: Source, identifier: str, name: str, modality: str, *, overlay: bool = False,
               remote_above: int = REMOTE_ABOVE) -> Picture:
    """An image for a viewer; it is loaded once to describe it."""
    shown = source.get()
    windows = windows_of(shown, modality) or (Window("", shown.low, shown.low + 1.0),)
    about = {"id": identifier, "name": name, "modality": modality, "unit": shown.unit,
             "size": list(shown.geometry.size), "spacing": list(shown.geometry.spacing_mm),
             "matrix": matrix_of(shown.geometry), "dtype": str(shown.dtype), "slope": 1.0, "intercept": 0.0,
             "window": [windows[0].low, windows[0].high],
             "presets": [{"name": preset_name(one), "low": one.low, "high": one.high} for one in windows],
             "colormap": colours_of(modality, overlay=overlay), "opacity": _OVERLAY_OPACITY if overlay else 1.0,
             "remote": shown.n_bytes > remote_above, "range": [shown.low, shown.high],
             "description": _description(shown, name)}
    return Picture(source, about)


def region_of(shown: Displayed, mask: np.ndarray, identifier: str, name: str, number: int) -> Region:
    """A ROI for a viewer.

    Parameters
    ----------
    shown : Displayed
        The base image.
    mask : ndarray of bool, shape (z, y, x)
        On its grid, in LPS order.
    number : int
        Decides on the colour.
    """
    box: Box = bounding_box(mask)
    x, y, z, nx, ny, nz = box
    part = (slice(z, z + nz), slice(y, y + ny), slice(x, x + nx))
    values = roi_values(shown.array[part], mask[part])
    about = {"id": identifier, "name": name, "colour": COLOURS[number % len(COLOURS)], "box": list(box),
             "volume": f"{values.voxels * shown.geometry.voxel_mm3 / 1000:.3g} ml", "visible": True,
             "histogram": _histogram(values, shown.unit)}
    return Region(packed(mask, box), about)


def _histogram(values: RoiValues, unit: str) -> dict[str, Any] | None:
    """Edges and counts, and the lines below them, ready to show."""
    if not values.counts:
        return None
    numbers = {"roi_mean": values.mean, "roi_deviation": values.deviation, "roi_minimum": values.minimum,
               "roi_p10": values.p10, "roi_median": values.median, "roi_p90": values.p90, "roi_maximum": values.maximum}
    lines = [[text(key), f"{value:.5g} {unit}".strip()] for key, value in numbers.items()]
    lines.append([text("roi_voxels"), str(values.voxels)])
    if values.missing:
        lines.append([text("roi_missing"), str(values.missing)])
    return {"edges": list(values.edges), "counts": list(values.counts), "lines": lines, "unit": unit}


def preset_name(window: Window) -> str:
    """What a window is called in the chosen language; its numbers where it has no name."""
    key = f"window_{window.name.replace(' ', '_')}"
    if key in catalogue():
        return text(key)
    return window.name or f"{window.low:g} - {window.high:g}"


def _description(shown: Displayed, name: str) -> str:
    size = " x ".join(str(n) for n in shown.geometry.size)
    spacing = " x ".join(f"{step:.3g}" for step in shown.geometry.spacing_mm)
    return " · ".join(part for part in (name, size, f"{spacing} mm", shown.unit) if part)


def still(shown: Displayed, masks: Mapping[str, np.ndarray], modality: str, title: str = "") -> dict[str, str]:
    """A picture in three planes with contours, as a mime bundle: what stands where no viewer can be.

    Parameters
    ----------
    masks : mapping of name to ndarray of bool, shape (z, y, x)
        In LPS order.
    title : str
        No identifier: it is stored with the notebook.
    """
    import base64

    first = (windows_of(shown, modality) or (Window("", shown.low, shown.low + 1.0),))[0]
    png = base64.b64encode(three_planes(shown, masks, (first.low, first.high))).decode()
    named = "".join(f'<span style="margin-right:12px"><span style="color:{COLOURS[place % len(COLOURS)]};'
                    f'background:#222;padding:0 3px">&#9632;</span> {escape(name)}</span>'
                    for place, name in enumerate(masks))
    words = title or _description(shown, modality)
    markup = f'{heading(words)}<img alt="{escape(text("three_planes", title=words))}" style="max-width:100%" ' \
             f'src="data:image/png;base64,{png}"><div style="font-size:12px">{named}</div>'
    return {"text/html": markup, "text/plain": f"{words}: {', '.join(masks) or '-'}"}
