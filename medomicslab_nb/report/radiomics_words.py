"""What a radiomics run did, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from medomicslab_nb.report.wording import count, listed, number

Tables = Mapping[str, pd.DataFrame]
_LESIONS = {"largest": "the largest one's features stand for the patient",
            "sum": "each feature is their sum", "max": "each feature is their maximum",
            "mean": "each feature is their mean"}


def summary(tables: Tables) -> str:
    """The one sentence to read if only one is read."""
    lesions, engine = tables["lesions"], tables["engine"]
    failed = len(tables["failures"]) if "failures" in tables else 0
    parts = ", ".join(f"{n} {name}" for name, n in lesions["modality"].value_counts(sort=False).items())
    lost = f"; {failed} could not be measured" if failed else "; none was lost"
    return f"{count(len(lesions), 'ROI')} measured ({parts}) with {engine['engine'].iloc[0]}{lost}."


def done(settings: Mapping[str, Any], tables: Tables) -> list[str]:
    """What was done, a sentence each."""
    versions = [f"{line.distribution} {line.version}" for line in tables["engine"].itertuples()] \
        if "engine" in tables else []
    sentences = [f"Features by {settings['engine']} ({listed(versions)}); images: {listed(settings['filters'])}."]
    if "preprocessing" in tables:
        sentences += [f"Preprocessing of {line.modality}: {line.what}" for line in tables["preprocessing"].itertuples()]
    if "definitions" in tables:
        deviating = tables["definitions"][tables["definitions"]["deviation"] != ""]
        names = listed(dict.fromkeys(deviating["feature"].str.replace("_", " ")))
        if names:
            which = "IBSI's values stand in the table" if settings.get("definitions") == "ibsi" \
                else "the library's values stand in the table"
            sentences.append(f"The library defines {names} otherwise than IBSI does: {which}; the long table has both.")
    sentences.append(f"Where a patient has several lesions, {_LESIONS[settings['lesions']]}.")
    if settings.get("perturbations"):
        sentences.append(f"Perturbed for robustness: {listed(settings['perturbations'])}; the values per patient are "
                         "published, and agreement is computed later on training patients only.")
    return sentences


def captions(pictures: pd.DataFrame, lesions: pd.DataFrame) -> list[str]:
    """What each picture of a contour shows; no patient is named."""
    keys = [name for name in ("modality", "lesion", "roi") if name in pictures]
    sizes = pictures.merge(lesions, how="left", on=[name for name in pictures.columns if name in lesions.columns])
    return [f"{', '.join(f'lesion {line[key]}' if key == 'lesion' else str(line[key]) for key in keys)}: "
            f"{number(line.get('volume_ml'), 1)} mL"
            for line in sizes.to_dict("records")]
