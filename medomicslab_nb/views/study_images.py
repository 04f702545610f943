"""Images of a study and their ROIs, as somebody looks through them; nothing is loaded before it is asked for.

Names of ROIs may say who a patient is: they are for the person who looks, never for what is stored.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medomicslab_nb.data.image_table import IMAGE_COLUMNS, stored
from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.imaging.loading import DOSE, check_unchanged, load_image, registration_of, resolve
from medomicslab_nb.imaging.masks import load_mask
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.study import Study
from medomicslab_nb.tables import IMAGES

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

    @property
    def key(self) -> tuple[str, str]:
        """What names the image in the study."""
        return _key(self.row)

    @property
    def day(self) -> str:
        """When it was taken, YYYY-MM-DD; empty where that is not known."""
        return day_of(self.row["date"])

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
            A file is missing or changed; what :func:`load_mask` raises.
        """
        path, moved = resolve(self.study.path, str(row["mask"])), registration_of(self.study.path, row)
        check_unchanged({path: str(row["mask_sha256"])})
        return load_mask(path, str(row["label"]), image, registration=moved)

    def masks(self, image: Volume) -> tuple[dict[str, Volume], list[str]]:
        """ROIs by name as far as they can be loaded, and why others cannot."""
        found: dict[str, Volume] = {}
        faults = []
        for row in self.rois:
            try:
                found[free_name(str(row["roi"]), found)] = self.mask(row, image)
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
            groups.setdefault(_key(row), []).append(row)
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
    drawn = () if first["modality"] == DOSE else tuple(row for row in rows if row["mask"] and not row["problem"])
    label = f"{first['modality']} {day_of(first['date'])}".strip()
    return StudyImage(study, free_name(label, taken), {**first, **dict.fromkeys(_OF_ROI, "")}, drawn)


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["patient"]), str(row["series"] or row["image"])


def day_of(date: Any) -> str:
    """A date of a table as YYYY-MM-DD; empty where it is missing."""
    return "" if pd.isna(date) or date == "" else f"{pd.Timestamp(date):%Y-%m-%d}"


def free_name(name: str, taken: Container[str]) -> str:
    """The name, with a number where it is taken."""
    number = 1
    while (free := name if number == 1 else f"{name} ({number})") in taken:
        number += 1
    return free
