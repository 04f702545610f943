"""Features against the reference values of IBSI 1: matched / covered for every data set and engine.

    python benchmarks/ibsi.py --images DIR --reference CSV --configs JSON [--engine E] [--json FILE]

DIR holds digital_phantom/ and ct_phantom/, each with image.nii.gz and mask.nii.gz; JSON describes the preprocessing of
every data set in the words of IBSI's configurations; CSV has the values and tolerances. A row of the CSV is covered
when it has a value and the engine offers that feature with that aggregation, and matched when the value as IBSI
defines it lies within the tolerance (none given: half a unit of the third significant digit, to which the reference is
rounded). Below each line stand the rows that do not match and the library's deviations from IBSI's definitions.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd

from medomicslab_nb.errors import MedomicsError, MissingExtraError
from medomicslab_nb.imaging.volumes import Volume, read_labels, read_volume
from medomicslab_nb.radiomics.discretisation import Discretisation
from medomicslab_nb.radiomics.engines import ENGINES, get_engine
from medomicslab_nb.radiomics.nomenclature import FAMILIES, nomenclature
from medomicslab_nb.radiomics.preprocessing import Preprocessing, prepare

_SIGNIFICANT = 3
_KEYS = ["family", "feature", "aggregation"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--configs", type=Path, required=True)
    parser.add_argument("--engine", choices=list(ENGINES), help="default: every installed one")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    engines = [options.engine] if options.engine else list(installed())
    reference = read_reference(options.reference)
    configurations = {name: content for name, content in json.loads(options.configs.read_text()).items()
                      if isinstance(content, dict)}
    figures = {}
    try:
        for name, content in configurations.items():
            for engine in engines:
                rows = compare(options.images, content, reference[reference["dataset"] == name], name, engine)
                figures[f"{name} {engine}"] = report(name, engine, rows)
    except MissingExtraError as error:
        sys.exit(str(error))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def installed() -> Iterator[str]:
    for name in ENGINES:
        try:
            yield get_engine(name).name
        except MissingExtraError:
            continue


def read_reference(path: Path) -> pd.DataFrame:
    """Reference rows with a value: dataset, family and feature by our names, aggregation, reference, tolerance."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table["reference"] = pd.to_numeric(table["value"], errors="coerce")
    table = table[table["reference"].notna()]
    short = {title: family for family, title in FAMILIES.items()}
    known = nomenclature()
    by_code = {(row.family, row.ibsi_code): row.feature for row in known.itertuples() if row.ibsi_code}
    # Codes of the intensity-volume histogram stand for several features each; their labels tell them apart.
    by_tag = {(row.family, row.mirp): row.feature for row in known.itertuples() if row.mirp}
    family = table["family"].map(short).fillna(table["family"])
    feature = [by_tag.get((name, tag)) or by_code.get((name, code), "") for name, tag, code in
               zip(family, table["tag"], table["ibsi_code"], strict=True)]
    tolerance = pd.to_numeric(table["tolerance"], errors="coerce").fillna(0.0)
    rounding = table["reference"].map(half_unit)
    return pd.DataFrame({"dataset": table["dataset"], "family": family, "feature": feature,
                         "aggregation": table["aggregation"], "reference": table["reference"],
                         "tolerance": tolerance.where(tolerance > 0, rounding)})


def half_unit(value: float) -> float:
    """Half a unit of the last digit of a number that is rounded to three significant ones."""
    return 0.0 if value == 0 else 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) - _SIGNIFICANT + 1)


def preprocessing_of(content: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing that a configuration describes.

    >>> preprocessing_of({"dim": "2D", "interpolation": "bilinear 2x2", "texture_ih": "FBN 32"}).spacing_mm
    (2.0, 2.0, None)
    """
    interpolation = content.get("interpolation") or ""
    spacing = [float(step) for step in re.findall(r"\d+(?:\.\d+)?", interpolation)] or None
    if spacing and len(spacing) == 2:
        spacing.append(None)
    partial = re.search(r"pv (\d*\.\d+)", content.get("roi") or "")
    if partial and float(partial[1]) != 0.5:
        raise SystemExit(f"the ROI's threshold is 0.5, a configuration asks for {partial[1]}")
    outliers = re.search(r"(\d+(?:\.\d+)?) ?sigma", content.get("outliers") or "")
    limits = content.get("resegment_range")
    return Preprocessing(
        dimension="2D" if content.get("dim") == "2D" else "3D",
        spacing_mm=tuple(spacing) if spacing else None,
        interpolation="spline" if "cubic" in interpolation or "spline" in interpolation else "linear",
        rounded=True,  # the phantoms hold whole numbers, and every configuration rounds after interpolation
        range=tuple(float(end) for end in limits) if limits else None,
        outliers=float(outliers[1]) if outliers else None,
        discretisation=bins_of(content.get("texture_ih")) or Discretisation("fixed_bin_size", 1),
        ivh=bins_of(content.get("ivh")),
    )


def bins_of(text: str | None) -> Discretisation | None:
    """The discretisation in words such as ``FBS 25``, ``FBN 32`` and ``none (or FBS 1)``."""
    found = re.search(r"(FBS|FBN) (\d+(?:\.\d+)?)", text or "")
    if not found:
        return None
    return Discretisation("fixed_bin_size" if found[1] == "FBS" else "fixed_bin_number", float(found[2]))


def compare(images: Path, content: Mapping[str, Any], reference: pd.DataFrame, name: str, engine: str) -> pd.DataFrame:
    """Covered reference rows with the engine's values; empty, with the reason in ``attrs``, where it has none."""
    image, mask = read_phantom(images / (name if (images / name).is_dir() else f"{name.split('_')[0]}_phantom"))
    measure = get_engine(engine).load()
    try:
        measured = measure(prepare(image, mask, preprocessing_of(content)))
    except MedomicsError as error:
        empty = reference.head(0).assign(value=0.0, ibsi_value=0.0, deviation="")
        empty.attrs["problem"] = str(error)
        return empty
    columns = [*_KEYS, "value", "ibsi_value", "deviation"]
    offered = measured.loc[(measured["ibsi_code"] != "") & measured["ibsi_value"].notna(), columns]
    return reference[reference["feature"] != ""].merge(offered, on=_KEYS, how="inner", validate="one_to_one")


def read_phantom(folder: Path) -> tuple[Volume, Volume]:
    labels = read_labels(folder / "mask.nii.gz")
    return read_volume(folder / "image.nii.gz"), labels.with_array(labels.array > 0)


def report(name: str, engine: str, rows: pd.DataFrame) -> dict[str, int]:
    """Print the line and what stands below it."""
    error = (rows["ibsi_value"] - rows["reference"]).abs()
    within = error <= rows["tolerance"] * (1 + 1e-9)
    print(f"{name} {engine} {int(within.sum())}/{len(rows)}")
    if "problem" in rows.attrs:
        print(f"    {rows.attrs['problem']}")
    for row in rows[~within].itertuples():
        print(f"    {row.family} {row.feature} {row.aggregation}: {row.ibsi_value:.6g}, reference {row.reference:.6g} "
              f"+- {row.tolerance:.2g}")
    for row in rows[rows["deviation"] != ""].itertuples():
        print(f"    {row.family} {row.feature}: the library gives {row.value:.6g}, IBSI's is {row.ibsi_value:.6g} "
              f"({row.deviation})")
    as_library = (rows["value"] - rows["reference"]).abs() <= rows["tolerance"] * (1 + 1e-9)
    return {"matched": int(within.sum()), "covered": len(rows), "matched_as_the_library_defines":
            int(np.sum(as_library))}


if __name__ == "__main__":
    main()
