"""Images of a study for the slice viewer: loaded when they are looked at, with their ROIs, an overlay, and drafts.

Labels and names here say who a patient is: they are for the person who looks, never for what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.data.image_table import IMAGE_COLUMNS, stored
from medomicslab_nb.data.mask_edits import Draft, has_draft, open_draft
from medomicslab_nb.errors import DataError, MedomicsError
from medomicslab_nb.imaging.display import Displayed, displayed
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import DOSE, load_image, resolve
from medomicslab_nb.imaging.masks import load_mask
from medomicslab_nb.imaging.orientation import to_lps
from medomicslab_nb.imaging.overlay import laid_over
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.study import Study
from medomicslab_nb.tables import IMAGES
from medomicslab_nb.views.slice_viewer import SliceViewer
from medomicslab_nb.views.viewer_content import BASE, Content, Picture, Region, picture_of, region_of
from medomicslab_nb.views.viewer_source import Source

_OF_ROI = ("roi", "mask", "mask_sha256", "label", "lesion", "registration", "registration_sha256", "problem")


@dataclass(frozen=True, eq=False)
class StudyImage:
    """One image of a study.

    Attributes
    ----------
    study : Study
    label : str
        Modality and date.
    row : dict
        Of the table of images, without a ROI.
    rois : tuple of dict
        Rows with a ROI that can be loaded.
    """

    study: Study
    label: str
    row: Mapping[str, Any]
    rois: tuple[Mapping[str, Any], ...]

    @property
    def modality(self) -> str:
        return str(self.row["modality"])

    def load(self) -> Volume:
        """The image.

        Raises
        ------
        DataError
            A file is missing or changed.
        """
        return load_image(self.study.path, str(self.row["image"]), sha256=str(self.row["image_sha256"]),
                          unit=str(self.row["unit"]))

    def mask(self, row: Mapping[str, Any], image: Volume) -> Volume:
        """A ROI on the image's grid.

        Raises
        ------
        DataError
        """
        moved = resolve(self.study.path, str(row["registration"])) if row["registration"] else None
        return load_mask(resolve(self.study.path, str(row["mask"])), str(row["label"]), image, registration=moved)

    def masks(self, image: Volume) -> tuple[dict[str, Volume], list[str]]:
        """ROIs by name as far as they can be loaded, and why others cannot."""
        found: dict[str, Volume] = {}
        faults = []
        for row in self.rois:
            try:
                found[_free_name(str(row["roi"]), found)] = self.mask(row, image)
            except MedomicsError as error:
                faults.append(str(error))
        return found, faults


def images_of(study: Study) -> dict[str, list[StudyImage]]:
    """Images that can be opened, by patient."""
    table = stored(study, IMAGES)
    if table is None:
        return {}
    rows = [_whole(row) for row in table.to_dict("records")]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["image"]:
            groups.setdefault((str(row["patient"]), str(row["series"] or row["image"])), []).append(row)
    found: dict[str, list[StudyImage]] = {}
    for (patient, _), members in groups.items():
        others = found.setdefault(patient, [])
        others.append(_image(study, members, [one.label for one in others]))
    return found


def _whole(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row with every column; what is missing is empty."""
    return {**dict.fromkeys(IMAGE_COLUMNS, ""), **{name: "" if value is None else value for name, value in row.items()}}


def _image(study: Study, rows: Sequence[dict[str, Any]], taken: Sequence[str]) -> StudyImage:
    first = rows[0]
    day = "" if pd.isna(first["date"]) or first["date"] == "" else f" {pd.Timestamp(first['date']):%Y-%m-%d}"
    drawn = () if first["modality"] == DOSE else tuple(row for row in rows if row["mask"] and not row["problem"])
    return StudyImage(study, _free_name(f"{first['modality']}{day}", taken), {**first, **dict.fromkeys(_OF_ROI, "")},
                      drawn)


def _free_name(name: str, taken: Any) -> str:
    number = 1
    while (free := name if number == 1 else f"{name} ({number})") in taken:
        number += 1
    return free


def open_viewer(image: StudyImage, fusion: StudyImage | None = None, *, height: int = 480) -> SliceViewer:
    """A viewer of an image of the study; its voxels are loaded when a view asks, and dropped when it has them.

    Parameters
    ----------
    fusion : StudyImage, optional
        Another image of the same patient, shown over it.

    Raises
    ------
    DataError
        An image cannot be loaded; the fusion partner has another frame of reference, and the study knows no
        registration between them (bad input 90).
    """
    volume = image.load()
    shown = displayed(volume)
    source = Source(lambda: displayed(image.load()), first=shown)
    pictures = [picture_of(source, BASE, image.label, image.modality)]
    if fusion is not None:
        pictures.append(overlay(image, volume, fusion))
    like = Volume(np.broadcast_to(np.float32(0), volume.array.shape), volume.geometry, volume.unit,
                  volume.frame_of_reference)
    regions, rows, faults = _regions(image, like, shown)
    editor = None if image.modality == DOSE or not image.row["series"] else StudyEditor(image, like, rows)
    viewer = SliceViewer(Content(pictures, regions), editor, height=height)
    if fusion is not None:
        viewer.view = {**viewer.view, "overlay": pictures[1].about["id"]}
    if faults:
        viewer.fault = "\n".join(faults)
    return viewer


def overlay(image: StudyImage, volume: Volume, fusion: StudyImage) -> Picture:
    """The fusion partner as an overlay, loaded when a view asks.

    Raises
    ------
    DataError
        Its frame of reference is another one, and no registration of the study connects the two.
    """
    base, frame = to_lps(volume).geometry, volume.frame_of_reference
    ways = [None, *dict.fromkeys(str(row["registration"]) for row in (*image.rois, *fusion.rois)
                                 if row["registration"])]
    for place, way in enumerate(ways):
        path = resolve(image.study.path, way) if way else None
        try:
            first = _laid(fusion, base, frame, path)
            break
        except DataError:
            if place == len(ways) - 1:
                raise
    return picture_of(Source(lambda: _laid(fusion, base, frame, path), first=first), "fusion", fusion.label,
                      fusion.modality, overlay=True)


def _laid(fusion: StudyImage, base: Geometry, frame: str, registration: Path | None) -> Displayed:
    return displayed(laid_over(fusion.load(), base, frame, registration))


def _regions(image: StudyImage, like: Volume,
             shown: Displayed) -> tuple[list[Region], dict[str, Mapping[str, Any]], list[str]]:
    """ROIs for the viewer, their rows by the viewer's names, and why others are not shown."""
    regions: list[Region] = []
    rows: dict[str, Mapping[str, Any]] = {}
    faults = []
    for row in image.rois:
        try:
            mask = to_lps(image.mask(row, like)).array
        except MedomicsError as error:
            faults.append(str(error))
            continue
        identifier = f"roi-{len(regions)}"
        name = _free_name(str(row["roi"]), [one.about["name"] for one in regions])
        regions.append(region_of(shown, mask, identifier, name, len(regions)))
        rows[identifier] = row
    return regions, rows, faults


class StudyEditor:
    """Drafts of an image's ROIs, kept in the study."""

    def __init__(self, image: StudyImage, like: Volume, rows: dict[str, Mapping[str, Any]]) -> None:
        self.identifiers = image.study.identifiers()
        self._study, self._like = image.study, like
        self._rows = {**rows, "": image.row}

    def unfinished(self) -> str | None:
        return next((roi for roi, row in self._rows.items() if has_draft(self._study, row)), None)

    def open(self, roi: str, name: str) -> Draft:
        return open_draft(self._study, self._rows[roi], self._like.geometry, self._like.frame_of_reference, name)

    def saved(self, roi: str, row: Mapping[str, Any]) -> None:
        self._rows[roi] = row
