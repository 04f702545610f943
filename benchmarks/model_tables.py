"""Write the public tables of ``models.py`` as CSV: GBSG2, TRANSBIG, METABRIC, GBSG, TCGA breast, heart, HN.

And ``heart_hospitals.csv`` for ``federated.py``.

``--data`` is the folder of real data, ``--out`` that of the tables; prints the arguments of ``models.py`` for each.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

_SURVIVAL = "--time time --event event"

# Patients, and where predictors, events and times begin: the files are plain arrays, and h5py is no dependency.
_DEEPSURV = {
    "metabric": ("metabric_IHC4_clinical_train_test.h5", 9, {"train": (1523, 2144, 59020, 65112),
                                                              "test": (381, 71204, 86968, 88492)}),
    "gbsg": ("gbsg_cancer_train_test.h5", 7, {"train": (1546, 2144, 47480, 53664), "test": (686, 59848, 81104, 83848)}),
}
_HEART = ("age sex cp trestbps chol fbs restecg thalach exang oldpeak slope ca thal num").split()
_HEART_FILES = ("cleveland", "hungarian", "switzerland", "va")
_CATEGORIES = ["sex", "cp", "fbs", "restecg", "exang", "slope", "thal"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, frame, arguments in tables(options.data):
        frame.to_csv(options.out / f"{name}.csv", index=False)
        if arguments:
            print(f"--csv {options.out / name}.csv --id patient {arguments.format(out=options.out)}")


def tables(data: Path) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Name, table and the arguments beside --csv and --id; a test table has none."""
    yield "gbsg2", gbsg2(), _SURVIVAL
    yield "transbig", transbig(), _SURVIVAL
    for name in _DEEPSURV:
        yield f"{name}_test", deepsurv(data, name, "test"), ""
        yield name, deepsurv(data, name, "train"), f"{_SURVIVAL} --test {{out}}/{name}_test.csv"
    yield "breast_tcga", breast_tcga(data), "--outcome subtype"
    yield "heart", heart(data), "--outcome disease"
    yield "heart_hospitals", heart_hospitals(data), ""
    yield "hn", hn(data), ("--time death_time_days --event death_event --centre hospital "
                           "--features age_years,t_stage,n_stage,tnm_stage,tumour_site")


def gbsg2() -> pd.DataFrame:
    """German Breast Cancer Study Group 2: 686 patients, recurrence-free survival."""
    from sksurv.datasets import load_gbsg2

    predictors, outcome = load_gbsg2()
    return _with_outcome(predictors, outcome["cens"], outcome["time"])


def transbig() -> pd.DataFrame:
    """TRANSBIG: 198 patients, 76 genes and four clinical columns, distant metastasis-free survival."""
    from sksurv.datasets import load_breast_cancer

    predictors, outcome = load_breast_cancer()
    return _with_outcome(predictors.astype({"er": str, "grade": str}), outcome["e.tdm"], outcome["t.tdm"])


def deepsurv(data: Path, name: str, part: str) -> pd.DataFrame:
    """The fixed splits of DeepSurv."""
    file, width, parts = _DEEPSURV[name]
    n, *starts = parts[part]
    content = (data / "deepsurv" / file).read_bytes()
    x, event, time = (np.frombuffer(content, kind, n * columns, start) for kind, columns, start in zip(
        ("<f4", "<i4", "<f4"), (width, 1, 1), starts, strict=True))
    predictors = pd.DataFrame(x.reshape(n, width).astype(float), columns=[f"x{i}" for i in range(width)])
    return _with_outcome(predictors, event, time)


def breast_tcga(data: Path) -> pd.DataFrame:
    """TCGA breast: 150 patients, mRNA, miRNA and protein, three subtypes."""
    folder = data / "breast_tcga"
    parts = [pd.read_csv(folder / f"train_{block}.csv.gz", index_col=0).add_prefix(f"{block} ")
             for block in ("mrna", "mirna", "protein")]
    subtype = pd.read_csv(folder / "train_subtype.csv")["subtype"]  # in the order of the other tables
    frame = pd.concat(parts, axis=1)
    return frame.assign(subtype=subtype.to_numpy()).rename_axis("patient").reset_index()


def heart(data: Path) -> pd.DataFrame:
    """UCI heart disease, four hospitals: disease yes or no."""
    frame = heart_hospitals(data).drop(columns="hospital")
    # A cholesterol or blood pressure of 0 stands for one that was not measured.
    frame[["chol", "trestbps"]] = frame[["chol", "trestbps"]].replace(0, np.nan)
    return frame


def heart_hospitals(data: Path) -> pd.DataFrame:
    """The same with the hospital, and zeros as they are: for ``federated.py``, which has to notice them."""
    parts = [pd.read_csv(data / "heart" / f"processed.{name}.data", header=None, names=_HEART, na_values="?")
             .assign(hospital=name) for name in _HEART_FILES]
    frame = pd.concat(parts, ignore_index=True)
    disease = (frame.pop("num") > 0).astype(int)
    for name in _CATEGORIES:
        frame[name] = frame[name].map(lambda value: f"c{value:g}", na_action="ignore")
    return frame.assign(disease=disease).rename_axis("patient").reset_index()


def hn(data: Path) -> pd.DataFrame:
    """Head and neck, two hospitals."""
    return pd.read_csv(data / "hn" / "hn_train_hospitals.csv").rename(columns={"patient_id": "patient"})


def _with_outcome(predictors: pd.DataFrame, event: np.ndarray, time: np.ndarray) -> pd.DataFrame:
    frame = predictors.reset_index(drop=True).assign(event=np.asarray(event).astype(int), time=np.asarray(time))
    frame.insert(0, "patient", [f"P{i:04d}" for i in range(len(frame))])
    return frame


if __name__ == "__main__":
    main()
