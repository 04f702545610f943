"""Several lesions of a patient become one row.

``largest`` keeps the features of the lesion with the largest volume (mesh volume, or voxel volume where there is none;
of equals the one with the lowest number). ``sum``, ``max`` and ``mean`` apply to each feature by itself: a sum is a
quantity of the patient only for features that are amounts (volume, integrated intensity, energy), not for texture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.radiomics.pet import spread_mm

Aggregation = Literal["largest", "sum", "max", "mean"]

COUNT = "lesion_count"
"""Feature (family ``lesions``, filter ``original``) that counts a patient's lesions."""

_OWNER = ["patient", "modality"]
_FEATURE = ["filter", "family", "feature", "aggregation"]
_NUMBERS = ["value", "ibsi_value", "wide"]
_OF_A_LESION = ["lesion", "roi"]
_VOLUMES = ("RNU0", "YEKZ")  # IBSI codes, in the order of preference
_WHERE = "features of lesions"
_SUMMED = ("volume_ml", "mtv_41_ml", "tlg_41", "mtv_4_ml", "tlg_4")
_HIGHEST = ("suv_max", "suv_peak_global")
_CENTROID = ["centroid_x_mm", "centroid_y_mm", "centroid_z_mm"]


def aggregate(features: pd.DataFrame, how: Aggregation) -> pd.DataFrame:
    """Features of patients from those of their lesions.

    Parameters
    ----------
    features : DataFrame
        One row a value: ``patient``, ``lesion``, ``filter``, ``family``, ``feature``, ``ibsi_code``, ``aggregation``,
        ``value``, ``ibsi_value``; optionally ``modality`` (its lesions stay apart), ``column`` and ``wide`` (name and
        value in the wide table), and others, of which the largest lesion's, or the first one's, are kept.

    Returns
    -------
    DataFrame
        One row a value, without ``lesion`` and ``roi``, patients and features in the order of their first appearance;
        and for each patient and modality a row with the feature ``lesion_count``. A feature that is missing in one of
        several lesions has no sum, maximum or mean: it is NaN.

    Raises
    ------
    DataError
        A lesion has a feature twice (it was measured on two images of one modality), or, for ``largest``, no volume.
    """
    owner = [name for name in _OWNER if name in features]
    of_owner = _codes(features, owner)
    of_lesion = _codes(features, ["lesion"], of_owner)
    of_feature = _codes(features, _FEATURE)
    cell = of_lesion * (of_feature.max(initial=0) + 1) + of_feature
    _check_distinct(cell, of_lesion)
    if how == "largest":
        rows = np.flatnonzero(_largest(features, of_owner, of_lesion)[of_lesion])
        patients = features.iloc[rows]
    else:
        cell = of_owner * (of_feature.max(initial=0) + 1) + of_feature
        rows, patients = _combined(features, cell, how)
    counts = _counts(features, owner, of_owner, of_lesion)
    together = pd.concat([patients.drop(columns=_OF_A_LESION, errors="ignore"), counts], ignore_index=True)
    order = np.argsort(np.concatenate([of_owner[rows], np.arange(len(counts))]), kind="stable")
    return together.iloc[order].reset_index(drop=True)


def aggregate_pet(metrics: pd.DataFrame) -> pd.DataFrame:
    """PET metrics of patients from those of their lesions (:func:`medomicslab_nb.radiomics.pet.pet_metrics`).

    Parameters
    ----------
    metrics : DataFrame
        One row a lesion: ``patient``, ``lesion``, the metrics, optionally ``date``. A patient's lesions must lie in
        one frame of reference.

    Returns
    -------
    DataFrame
        One row a patient: ``lesion_count``; volume, MTV and TLG summed over lesions (the 41 % refer to each lesion's
        own maximum); SUVmax and global SUVpeak of the hottest lesion, local SUVpeak of the lesion with the highest
        SUVmax; SUVmean over all voxels; ``dmax_mm``, the largest distance between two centroids, 0 for one lesion.
    """
    rows = [_pet_row(lesions) for _, lesions in metrics.groupby("patient", sort=False)]
    return pd.DataFrame(rows)


def _pet_row(lesions: pd.DataFrame) -> dict[str, object]:
    first, hottest = lesions.iloc[0], lesions.loc[lesions["suv_max"].idxmax()]
    row = {name: first[name] for name in ("patient", "date") if name in lesions} | {COUNT: len(lesions)}
    row |= {name: lesions[name].max() for name in _HIGHEST}
    row["suv_peak_local"] = hottest["suv_peak_local"]
    row["suv_mean"] = float(np.average(lesions["suv_mean"], weights=lesions["volume_ml"]))
    row |= {name: lesions[name].sum() for name in _SUMMED}
    return row | {"dmax_mm": spread_mm(lesions[_CENTROID].to_numpy())}


def _codes(frame: pd.DataFrame, columns: Sequence[str], within: np.ndarray | None = None) -> np.ndarray:
    """A number for each row, equal where all the columns are equal: 0, 1, ... in the order of first appearance.

    Parameters
    ----------
    within : ndarray of int, optional
        Codes that must be equal too.
    """
    codes = within
    for name in columns:
        own, values = pd.factorize(frame[name], use_na_sentinel=False)
        codes = own if codes is None else pd.factorize(codes * max(1, len(values)) + own)[0]
    return np.zeros(len(frame), dtype=np.int64) if codes is None else codes


def _check_distinct(cell: np.ndarray, of_lesion: np.ndarray) -> None:
    repeated = pd.Series(cell).duplicated().to_numpy()
    if repeated.any():
        lesions = len(np.unique(of_lesion[repeated]))
        raise DataError(f"{lesions} lesions were measured on more than one image of the same modality", where=_WHERE,
                        todo="Choose one image for each patient and modality: name the ROIs, or take images out of the "
                             "table of images")


def _largest(features: pd.DataFrame, of_owner: np.ndarray, of_lesion: np.ndarray) -> np.ndarray:
    """For each lesion (by its code) whether it is its patient's largest one."""
    first = np.unique(of_lesion, return_index=True)[1]
    lesions = pd.DataFrame({"owner": of_owner[first], "volume": _volumes(features, of_lesion)})
    unknown = lesions["volume"].isna() & lesions["owner"].duplicated(keep=False)  # a single lesion is the largest
    if unknown.any():
        raise DataError(f"{int(unknown.sum())} lesions have no volume", where=_WHERE,
                        todo="Combine lesions by sum, max or mean, or measure the original image too")
    names = features["lesion"].iloc[first].astype(str).reset_index(drop=True)
    lesions["number"], lesions["name"] = pd.to_numeric(names, errors="coerce"), names
    ordered = lesions.sort_values(["owner", "volume", "number", "name"], ascending=[True, False, True, True])
    chosen = np.zeros(len(lesions), dtype=bool)
    chosen[ordered.drop_duplicates("owner").index] = True
    return chosen


def _volumes(features: pd.DataFrame, of_lesion: np.ndarray) -> np.ndarray:
    """Volume of each lesion, by its code; NaN where there is none."""
    volumes = np.full(of_lesion.max(initial=-1) + 1, np.nan)
    original = (features["filter"] == "original").to_numpy()
    for code in _VOLUMES:
        rows = np.flatnonzero(original & (features["ibsi_code"] == code).to_numpy())
        found = features["ibsi_value"].fillna(features["value"]).to_numpy(dtype=float)[rows]
        unknown = np.isnan(volumes[of_lesion[rows]])
        volumes[of_lesion[rows[unknown]]] = found[unknown]
    return volumes


def _combined(features: pd.DataFrame, cell: np.ndarray, how: str) -> tuple[np.ndarray, pd.DataFrame]:
    """The first row of each cell, with the numbers of all its rows combined; and which rows these are."""
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    sizes = np.diff(starts, append=len(cell))
    patients = features.iloc[order[starts]].copy()
    for name in (name for name in _NUMBERS if name in features):
        values = features[name].to_numpy(dtype=float)[order]
        reduced = (np.maximum if how == "max" else np.add).reduceat(values, starts)
        patients[name] = reduced / sizes if how == "mean" else reduced
    return order[starts], patients


def _counts(features: pd.DataFrame, owner: Sequence[str], of_owner: np.ndarray, of_lesion: np.ndarray) -> pd.DataFrame:
    """A row for each patient and modality with the number of lesions."""
    first = np.unique(of_lesion, return_index=True)[1]
    lesions = np.bincount(of_owner[first]).astype(float)
    rows = features.iloc[np.unique(of_owner, return_index=True)[1]].drop(columns=_OF_A_LESION, errors="ignore").copy()
    rows = rows.assign(filter="original", family="lesions", feature=COUNT, ibsi_code="", aggregation="", value=lesions,
                       ibsi_value=np.nan)
    if "deviation" in rows:
        rows["deviation"] = ""
    if "wide" in rows:
        rows["wide"] = lesions
    if "column" in rows:
        prefix = rows["modality"] + "_" if "modality" in owner else ""
        rows["column"] = prefix + COUNT
    return rows
