"""The radiomics stage: from the study's images and ROIs to a table of features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.files import sha256_of
from medomicslab_nb.imaging.loading import DOSE
from medomicslab_nb.parallel import CaseResult, map_cases
from medomicslab_nb.radiomics.cases import PICTURES, Case, key_of, measure_case
from medomicslab_nb.radiomics.cohort import KEYS, Chosen, case_names, choose
from medomicslab_nb.radiomics.description import describe
from medomicslab_nb.radiomics.engines import get_engine
from medomicslab_nb.radiomics.lesions import aggregate, aggregate_pet
from medomicslab_nb.radiomics.perturbation import draw
from medomicslab_nb.radiomics.preprocessing import preprocessing_for
from medomicslab_nb.radiomics.settings import RadiomicsSettings
from medomicslab_nb.radiomics.wide import column_names, values_of, widen
from medomicslab_nb.stages import StageResult

CROPPED_MM = 60.0
"""Images that end within this distance of the ROI on every side count as cropped around it."""


def run(study: Any, settings: RadiomicsSettings, progress: Any) -> StageResult:
    """Measure every chosen ROI; a case that fails is reported and the others finish.

    Returns
    -------
    StageResult
        Tables ``features`` (one row a patient), ``features_long`` (one row a value), ``lesions`` (one row a ROI),
        ``failures``, ``engine``, and where they apply ``pet``, ``dose``, ``perturbed`` and ``pictures``.

    Raises
    ------
    DataError
        No image fits the settings, or none could be measured.
    MissingExtraError
        The engine is not installed.
    """
    engine = get_engine(settings.engine)
    settings = _with_parameter_file(study, settings)
    chosen = choose(study, settings)
    rows = chosen.rows
    results = _measured(study, settings, rows, progress)
    failures = _failures(chosen, results, rows)
    if all(result.error is not None for result in results.values()):
        raise DataError(f"none of {len(results)} ROIs could be measured; the first: {failures['reason'].iloc[0]}",
                        where=f"table {settings.images}", todo="Correct the images or the settings")
    tables = _tables(results, rows, settings, study.id_column)
    tables |= {"preprocessing": _preprocessing(settings, rows["modality"]),
               "failures": failures.rename(columns={"patient": study.id_column}),
               "engine": pd.DataFrame([{"engine": engine.name, "distribution": name, "version": version}
                                       for name, version in engine.versions().items()])}
    return StageResult(tables, _metrics(tables, settings, study.id_column),
                       warnings=(*_failure_warnings(failures, len(results) + len(chosen.failures)), *chosen.warnings,
                                 *_lesion_warnings(rows, failures, settings),
                                 *_image_warnings(tables["lesions"], settings),
                                 *_unit_warnings(tables["lesions"], settings),
                                 *_perturbation_warnings(tables, settings)))


def _preprocessing(settings: RadiomicsSettings, modalities: pd.Series) -> pd.DataFrame:
    """What was done to the images of each modality, in words."""
    if settings.parameter_file:
        rows = [("all images", "as the pyradiomics parameter file says, by pyradiomics' own rules.")]
    else:
        rows = [(name, describe(preprocessing_for(settings, name))) for name in sorted(set(modalities) - {DOSE})]
    return pd.DataFrame(rows, columns=["modality", "what"], dtype="str")


def _with_parameter_file(study: Any, settings: RadiomicsSettings) -> RadiomicsSettings:
    """The same settings with the parameter file as a full path, noted as read."""
    if not settings.parameter_file:
        return settings
    return settings.model_copy(update={"parameter_file": str(study.file(settings.parameter_file))})


def _measured(study: Any, settings: RadiomicsSettings, rows: pd.DataFrame, progress: Any) -> dict[str, CaseResult]:
    names = case_names(rows)
    repeated = len(names) - len(set(names))
    if repeated:
        raise DataError(f"{repeated} rows name an image and ROI that another row names too",
                        where=f"table {settings.images}", todo="Add the images again")
    records = rows.to_dict("records")
    cases = {name: Case(study.path, row, settings, picture=place < PICTURES)
             for place, (name, row) in enumerate(zip(names, records, strict=True))}
    parameters = sha256_of(Path(settings.parameter_file)) if settings.parameter_file else ""
    return map_cases(measure_case, cases, cache=study.cache("radiomics"), jobs=settings.jobs, cluster=settings.cluster,
                     keys={name: key_of(case, parameters) for name, case in cases.items()}, progress=progress,
                     label="measuring ROIs")


def _failures(chosen: Chosen, results: Mapping[str, CaseResult], rows: pd.DataFrame) -> pd.DataFrame:
    errors = pd.Series([result.error for result in results.values()], index=rows.index, dtype=object)
    failed = rows.loc[errors.notna(), KEYS].assign(reason=errors[errors.notna()].astype(str))
    both = pd.concat([chosen.failures, failed], ignore_index=True) if len(chosen.failures) else failed
    return both.astype({"reason": "str"}).reset_index(drop=True)


def _tables(results: Mapping[str, CaseResult], rows: pd.DataFrame, settings: RadiomicsSettings,
            id_column: str) -> dict[str, pd.DataFrame]:
    """The published tables, from those of the cases."""
    found = _gathered(results, rows[[*KEYS, "repeat"]])
    published = {"lesions": found["roi"].drop(columns="picture")}
    pictures = found["roi"].loc[found["roi"]["picture"].map(len) > 0, [*KEYS, "repeat", "picture"]]
    if len(pictures):
        published["pictures"] = pictures.reset_index(drop=True)
    if "features" in found:
        published |= _feature_tables(found, settings)
    if "pet" in found:
        first = found["pet"][found["pet"]["repeat"] == ""]
        published["pet"] = aggregate_pet(first.drop(columns="repeat"))
    if "dose" in found:
        published["dose"] = found["dose"][found["dose"]["repeat"] == ""].drop(columns="repeat")
    return {name: table.rename(columns={"patient": id_column}) for name, table in published.items()}


def _gathered(results: Mapping[str, CaseResult], keys: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of all cases, each below the other, with the keys of its case in front."""
    parts: dict[str, list[pd.DataFrame]] = {}
    cases: dict[str, list[int]] = {}
    for case, result in enumerate(results.values()):
        for name, table in result.tables.items():
            parts.setdefault(name, []).append(table)
            cases.setdefault(name, []).extend([case] * len(table))
    return {name: pd.concat([keys.iloc[cases[name]].reset_index(drop=True), pd.concat(tables, ignore_index=True)],
                            axis=1) for name, tables in parts.items()}


def _feature_tables(found: Mapping[str, pd.DataFrame], settings: RadiomicsSettings) -> dict[str, pd.DataFrame]:
    """Long and wide features; second readings and perturbations apart, so that no model takes them for patients."""
    long = _with_columns(found["features"], settings)
    first = long[long["repeat"] == ""].drop(columns="repeat")
    tables = {"features_long": first.drop(columns=["column", "wide"]),
              "definitions": first[["family", "feature", "ibsi_code", "aggregation", "deviation"]].drop_duplicates(),
              "features": widen(aggregate(first, settings.lesions), ["patient"])}
    again = long[long["repeat"] != ""]
    parts = [again.assign(perturbation=again["repeat"])]
    if "perturbed" in found:
        parts.append(_with_columns(found["perturbed"], settings))
    perturbed = pd.concat(parts, ignore_index=True)
    if len(perturbed):
        tables["perturbed"] = widen(perturbed, ["patient", "modality", "lesion", "roi", "perturbation"])
    return tables


def _with_columns(long: pd.DataFrame, settings: RadiomicsSettings) -> pd.DataFrame:
    return long.assign(column=column_names(long), wide=values_of(long, settings.definitions))


def _metrics(tables: Mapping[str, pd.DataFrame], settings: RadiomicsSettings, id_column: str) -> dict[str, Any]:
    features, failures = tables.get("features", pd.DataFrame()), tables["failures"]
    measured = set(tables["lesions"][id_column])
    return {"patients": len(measured), "lost": len(set(failures[id_column]) - measured),
            "rois": len(tables["lesions"]), "failures": len(failures), "features": max(features.shape[1] - 1, 0),
            "engine": settings.engine}


def _failure_warnings(failures: pd.DataFrame, total: int) -> tuple[str, ...]:
    if failures.empty:
        return ()
    counts = failures["reason"].value_counts(sort=False)
    most = "; ".join(f"{reason} ({n})" for reason, n in counts.sort_values(ascending=False, kind="stable")
                     .head(3).items())
    return (f"{len(failures)} of {total} ROIs were not measured: {most}. The table 'failures' has "
            "them all.",)


def _perturbation_warnings(tables: Mapping[str, pd.DataFrame], settings: RadiomicsSettings) -> tuple[str, ...]:
    if not settings.perturbations:
        return ()
    lesions = tables["lesions"]
    rois = int(((lesions["modality"] != DOSE) & (lesions["repeat"] == "")).sum())
    expected = rois * len(draw(settings, []))
    perturbed = tables.get("perturbed", pd.DataFrame({"perturbation": []}))
    found = int((~perturbed["perturbation"].isin(lesions["repeat"])).sum())
    if found >= expected:
        return ()
    return (f"{expected - found} of {expected} perturbed ROIs could not be measured: they vanished or left the image.",)


def _lesion_warnings(rows: pd.DataFrame, failures: pd.DataFrame, settings: RadiomicsSettings) -> tuple[str, ...]:
    """What stands for a patient, where it may not be what the user thinks."""
    warnings = []
    images = rows[(rows["modality"] != DOSE) & (rows["repeat"] == "")]
    names = images.groupby(["patient", "modality"])["roi"].nunique()
    several = names[names > 1].index.get_level_values("patient").nunique()
    if several and not settings.rois:
        warnings.append(f"{several} patients have ROIs of several names, and all of them were taken for lesions "
                        f"(lesions: {settings.lesions}): name those that are, with the setting rois.")
    roi = ["patient", "modality", "lesion", "roi"]
    chosen, lost = (pd.MultiIndex.from_frame(table[roi]) for table in (images, failures))
    measured = chosen[~chosen.isin(lost)].droplevel([2, 3])
    partial = measured[measured.isin(lost.droplevel([2, 3]))].get_level_values("patient").nunique()
    if partial:
        warnings.append(f"Of {partial} patients some ROIs were measured and others not: their features are those of "
                        "the ROIs that were.")
    return tuple(warnings)


def _unit_warnings(lesions: pd.DataFrame, settings: RadiomicsSettings) -> tuple[str, ...]:
    """Intensities and settings that do not mean the same in all images."""
    warnings = []
    images = lesions[lesions["modality"] != DOSE]
    for modality, units in images.groupby("modality")["unit"]:
        if units.nunique() > 1:
            named = ", ".join(sorted({unit or "none" for unit in units}))
            warnings.append(f"The images of {modality} have different units ({named}): their intensities are not "
                            "comparable.")
    is_pet, is_suv = images["modality"] == "PT", images["unit"].str.startswith("SUV")
    if (is_pet & ~is_suv).any():
        warnings.append(f"{int((is_pet & ~is_suv).sum())} ROIs lie on PET images that are not in SUV; the table 'pet' "
                        "has none of them.")
    if settings.grid and settings.grid.upper() != "PT" and (is_pet & is_suv).any():
        warnings.append(f"The table 'pet' was measured on PET that was interpolated onto the grid of {settings.grid}, "
                        "not on its own voxels: SUVmax and SUVpeak are lower there.")
    several, one_for_all = images["modality"].nunique() > 1, (settings.range, settings.bin_width)
    if several and any(value is not None for value in one_for_all):
        warnings.append("range and bin_width were applied to every modality, whose units differ: run the stage once "
                        "for each modality.")
    return tuple(warnings)


def _image_warnings(lesions: pd.DataFrame, settings: RadiomicsSettings) -> tuple[str, ...]:
    """What the images are, where it limits what can be concluded."""
    warnings = []
    images = lesions[lesions["modality"] != DOSE]
    if len(images) and float(np.mean(images["margin_mm"] <= CROPPED_MM)) >= 0.9:
        warnings.append("The images are cropped around the contour: nothing lies further than "
                        f"{CROPPED_MM:.0f} mm from it. The size of such an image alone tells the size of the lesion, "
                        "so nothing that looks at whole images may be validated on them.")
    spacings = images.groupby("modality")[["spacing_x_mm", "spacing_y_mm", "spacing_z_mm"]].agg(np.ptp)
    for modality, span in spacings.iterrows():
        if span.max() > 0.1 and not settings.parameter_file and not preprocessing_for(settings, modality).spacing_mm:
            warnings.append(f"The voxel spacing of {modality} differs between images (by up to {span.max():.1f} mm): "
                            "without interpolation to one spacing, texture is not comparable.")
    return tuple(warnings)
