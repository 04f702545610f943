"""Which images and ROIs of the study are measured, and which are not, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from medomicslab_nb.errors import DataError, StudyError
from medomicslab_nb.evaluation.dates import index_dates
from medomicslab_nb.imaging.roi_names import match_rois
from medomicslab_nb.radiomics.settings import RadiomicsSettings

KEYS = ["patient", "date", "modality", "lesion", "roi"]
"""What names a case, in tables and in their order."""

_ORDER = ["patient", "modality", "date", "lesion", "roi", "image", "label"]
_TEXTS = ("image", "mask", "label", "registration", "problem", "unit", "repeat", "image_sha256", "mask_sha256",
          "registration_sha256", "grid", "grid_sha256")
_FILES = ("image", "mask", "registration", "grid")
_ROI = ["lesion", "roi", "mask", "mask_sha256", "label"]


@dataclass(frozen=True)
class Chosen:
    """The rows of the image table that the settings choose.

    Attributes
    ----------
    rows : DataFrame
        One row an image and ROI that is measured.
    failures : DataFrame
        Rows that cannot be measured: the keys and ``reason``.
    warnings : tuple of str
        What was left out, counted, without identifiers.
    """

    rows: pd.DataFrame
    failures: pd.DataFrame
    warnings: tuple[str, ...]


def choose(study: Any, settings: RadiomicsSettings) -> Chosen:
    """Choose images by modality, ROI and date.

    One date per patient and modality is measured: the last one that is not after the patient's index date, or, where
    the study has no index date, the first.

    Raises
    ------
    DataError
        There is no table of images, or nothing in it fits.
    """
    index = index_dates(study, study.index_date_columns())
    every = _index(study, settings.images)
    rows = _of_modalities(every, settings)
    if settings.grid:
        rows = _on_grid(rows, every, settings, index)
    rows, no_roi = _of_rois(rows, settings)
    rows, notes = _of_dates(rows, index)
    _check_one_image(rows, settings.images)
    rows = rows.sort_values(_ORDER, kind="stable", na_position="last", ignore_index=True)
    broken = rows["problem"] != ""
    failures = rows.loc[broken, KEYS].assign(reason=rows.loc[broken, "problem"])
    if broken.all():
        raise DataError("no image can be measured: " + (rows["problem"].iloc[0] if len(rows) else "none is left"),
                        where=f"table {settings.images}", todo="See the problems that the import named")
    if no_roi:
        notes.append(f"{no_roi} of {no_roi + rows['patient'].nunique()} patients have no ROI of that name and were "
                     "left out.")
    return Chosen(rows[~broken].reset_index(drop=True), failures.reset_index(drop=True), tuple(notes))


def _index(study: Any, name: str) -> pd.DataFrame:
    """The table of images, with every column that the stage reads."""
    try:
        rows = study.table(name)
    except StudyError as error:
        raise DataError(error.found, where=error.where,
                        todo="Add images first: medomicslab add DIR FOLDER") from None
    rows = rows.reset_index().rename(columns={study.id_column: "patient"})
    missing = {"patient", "modality", "image", "image_sha256", "mask", "mask_sha256", "lesion", "roi"} - {*rows.columns}
    if missing:
        raise DataError(f"the table of images lacks the columns {', '.join(sorted(missing))}", where=f"table {name}",
                        todo="Add images with: medomicslab add DIR FOLDER")
    for column in _TEXTS:
        rows[column] = rows[column].fillna("").astype(str) if column in rows else ""
    if "date" not in rows:
        rows["date"] = pd.NaT
    rows["date"] = pd.to_datetime(rows["date"]).astype("datetime64[us]")
    unsure = pd.concat([(rows[name] != "") & (rows[f"{name}_sha256"] == "") for name in _FILES], axis=1).any(axis=1)
    rows.loc[unsure & (rows["problem"] == ""), "problem"] = "the table has no checksum of one of its files"
    return rows.astype({"lesion": str, "roi": str})


def _of_modalities(rows: pd.DataFrame, settings: RadiomicsSettings) -> pd.DataFrame:
    if not settings.modalities:
        return rows
    wanted = {name.upper() for name in settings.modalities}
    found = rows[rows["modality"].str.upper().isin(wanted)]
    if found.empty:
        raise DataError(f"no image is of modality {', '.join(sorted(wanted))}", where=f"table {settings.images}",
                        todo=f"There are: {', '.join(sorted(rows['modality'].unique()))}")
    return found


def _on_grid(rows: pd.DataFrame, every: pd.DataFrame, settings: RadiomicsSettings,
             index: pd.Series | None) -> pd.DataFrame:
    """Every image with the ROIs that were drawn on the patient's image of the wanted modality, on its grid."""
    on_it = every["modality"].str.upper() == settings.grid.upper()
    drawn, _ = _of_dates(every[on_it & (every["mask"] != "") & (every["problem"] == "")], index)
    if drawn.empty:
        raise DataError(f"no ROI is drawn on an image of modality {settings.grid}", where=f"table {settings.images}",
                        todo="Choose another grid, or none")
    own = rows["modality"].str.upper() == settings.grid.upper()
    images = rows[~own].sort_values("repeat", kind="stable").drop_duplicates(["patient", "modality", "date", "image"])
    source = drawn[["patient", *_ROI, "image", "image_sha256", "repeat"]].rename(
        columns={"image": "grid", "image_sha256": "grid_sha256", "repeat": "reading"})
    others = images.drop(columns=[*_ROI, "grid", "grid_sha256"]).merge(source, on="patient", how="left")
    # A patient without such a ROI stays, without one, and is counted among those.
    others = others.fillna(dict.fromkeys((*_ROI, "grid", "grid_sha256", "reading"), ""))
    others["repeat"] = (others["repeat"] + " " + others["reading"]).str.strip()
    return pd.concat([rows[own], others.drop(columns="reading")], ignore_index=True)


def _of_rois(rows: pd.DataFrame, settings: RadiomicsSettings) -> tuple[pd.DataFrame, int]:
    """Rows with a ROI that fits the patterns, and how many patients have none."""
    drawn = rows[(rows["mask"] != "") | (rows["problem"] != "")]
    if settings.rois:
        names = tuple(dict.fromkeys(drawn.loc[drawn["mask"] != "", "roi"]))
        fitting = match_rois(names, settings.rois)
        drawn = drawn[drawn["roi"].isin(fitting) | (drawn["mask"] == "")]
        if not (drawn["mask"] != "").any():
            raise DataError(f"no ROI fits {', '.join(settings.rois)}", where=f"table {settings.images}",
                            todo=f"There are: {', '.join(sorted(names)[:30]) or 'no ROIs'}")
    if drawn.empty:
        raise DataError("no image has a ROI", where=f"table {settings.images}",
                        todo="Add the folder with the RTSTRUCT, SEG or mask files too")
    return drawn, rows["patient"].nunique() - drawn["patient"].nunique()


def _of_dates(rows: pd.DataFrame, index: pd.Series | None) -> tuple[pd.DataFrame, list[str]]:
    """One date per patient and modality; a repeated scan, on a day that has no first reading, stays beside it."""
    notes = []
    if index is not None:
        late = rows["date"] > rows["patient"].map(index)
        if late.any():
            notes.append(f"{int(late.sum())} images are dated after their patient's index date and were left out.")
            rows = rows[~late]
    first = rows["repeat"] == ""
    dates = rows["date"].where(first).groupby([rows["patient"], rows["modality"]])
    chosen = dates.transform("min")
    if index is not None:  # a patient without index date keeps the first
        chosen = dates.transform("max").where(rows["patient"].isin(index.index), chosen)
    read = first.groupby([rows[name] for name in ("patient", "modality", "date")], dropna=False).transform("any")
    other = rows["date"].notna() & (rows["date"] != chosen) & read
    if other.any():
        which = "first" if index is None else "last before the index date"
        notes.append(f"{rows.loc[other, 'patient'].nunique()} patients have images of several dates: the {which} was "
                     "measured.")
    return rows[~other], notes


def _check_one_image(rows: pd.DataFrame, name: str) -> None:
    """Refuse several images of one modality and date: their features would share the columns of the wide table."""
    usable = rows[rows["problem"] == ""]
    images = usable.groupby(["patient", "modality", "repeat"])["image"].nunique()
    several = images[images > 1]
    if len(several):
        modality = several.index[0][1]
        names = sorted(set(usable.loc[usable["modality"] == modality, "roi"]))[:20]
        patients = several.index.get_level_values("patient").nunique()
        raise DataError(f"{patients} patients have several images of modality {modality} on one date",
                        where=f"table {name}",
                        todo=f"Choose one by the name of its ROI (setting rois); there are: {', '.join(names)}")


def case_names(rows: pd.DataFrame) -> list[str]:
    """A name for every row, distinct, and the same whatever other rows there are."""
    parts = rows[["patient", "modality", "image", "mask", "label", "lesion", "grid"]].astype(str)
    return list(parts.agg("\t".join, axis=1)) if len(rows) else []
