"""The slice viewer on a study: images are loaded when a view asks, ROIs and drafts come from the study's table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medomicslab_nb.data.mask_edits import Draft, has_draft, open_draft
from medomicslab_nb.errors import DataError, MedomicsError
from medomicslab_nb.imaging.display import Displayed, displayed
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import DOSE, registration_of
from medomicslab_nb.imaging.orientation import to_lps
from medomicslab_nb.imaging.overlay import laid_over
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.protect import scrub
from medomicslab_nb.views.slice_viewer import SliceViewer
from medomicslab_nb.views.study_images import StudyImage, free_name
from medomicslab_nb.views.viewer_content import BASE, Content, Picture, Region, picture_of, region_of
from medomicslab_nb.views.viewer_source import Source


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
        viewer.fault = scrub("\n".join(faults), image.study.identifiers())
    return viewer


def overlay(image: StudyImage, volume: Volume, fusion: StudyImage) -> Picture:
    """The fusion partner as an overlay, loaded when a view asks.

    Raises
    ------
    DataError
        Its frame of reference is another one, and no registration of the study connects the two.
    """
    base, frame = to_lps(volume).geometry, volume.frame_of_reference
    ways = list({str(row["registration"]): row for row in ({"registration": ""}, *image.rois, *fusion.rois)}.values())
    for place, way in enumerate(ways):
        try:
            path = registration_of(image.study.path, way)
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
        name = free_name(str(row["roi"]), [one.about["name"] for one in regions])
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
