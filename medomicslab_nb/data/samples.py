"""Public sample data: what ships with installed packages, what is generated, and what is fetched by name.

``MEDOMICSLAB_DATA`` names a folder that is looked in first (an offline mirror); its files are checked like
downloaded ones. Nothing is fetched by anything but :func:`get_sample`.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from medomicslab_nb.data.dictionary import guess_columns
from medomicslab_nb.errors import DataError
from medomicslab_nb.progress import Progress
from medomicslab_nb.study import Study
from medomicslab_nb.tables import Column, TableInfo

MIRROR = "MEDOMICSLAB_DATA"
_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = 60


@dataclass(frozen=True)
class SampleFile:
    """One file of a sample set."""

    path: str
    """Path inside the mirror folder."""
    sha256: str
    address: str = ""
    """Public address; empty when the file as we use it has none."""


@dataclass(frozen=True)
class SampleTable:
    """One table of a sample set, as it goes into a study."""

    name: str
    frame: pd.DataFrame
    """Index = patient."""
    columns: Mapping[str, Column]
    block: str = "clinical"
    omics: bool = False
    """Stored as float32, one row a feature."""


@dataclass(frozen=True)
class Sample:
    """One entry of the registry."""

    name: str
    patients: int
    what: str
    licence: str
    source: str
    build: Callable[[Mapping[str, bytes]], tuple[SampleTable, ...]] | None = None
    """Makes the tables from the files' contents by path (empty for sets that ship with a package)."""
    files: tuple[SampleFile, ...] = ()
    package: str = ""
    """Package that it ships with."""
    dicom: str = ""
    """Folder of DICOM files inside the mirror; it is imported where it lies."""
    generate: Callable[[Study, Progress], tuple[TableInfo, ...]] | None = None
    """Adds a set that is generated, in place of ``build``."""

    @property
    def where(self) -> str:
        """Where it comes from when it is asked for, in words."""
        if self.generate is not None:
            return "generated on this machine"
        if self.package:
            return f"ships with {self.package}"
        return "download or mirror" if all(file.address for file in self.files) else f"mirror only ({MIRROR})"


def list_samples() -> pd.DataFrame:
    """The sample sets: name, patients, what, licence, source, where."""
    rows = [(s.name, s.patients, s.what, s.licence, s.source, s.where) for s in SAMPLES.values()]
    return pd.DataFrame(rows, columns=["name", "patients", "what", "licence", "source", "where"])


def get_sample(name: str, study: Study, progress: Progress | None = None) -> tuple[TableInfo, ...]:
    """Add a sample set's tables to a study; fetches its files when it does not ship with a package.

    Raises
    ------
    DataError
        The name is unknown, the set can be had only from a mirror, the download failed, or a checksum is wrong.
        Nothing is added then, and nothing that is stored changes.
    """
    sample, progress = find_sample(name), progress or Progress()
    if sample.generate is not None:
        return sample.generate(study, progress)
    contents = {file.path: fetch(file, progress) for file in sample.files}
    tables = sample.build(contents) if sample.build is not None else ()
    if sample.dicom:
        _add_images(study, _mirrored(sample.dicom), progress)
    return tuple(_add(study, table, source=sample.name) for table in tables)


def find_sample(name: str) -> Sample:
    """The entry of that name.

    Raises
    ------
    DataError
        The name is unknown; the message gives the nearest one.
    """
    if name in SAMPLES:
        return SAMPLES[name]
    near = difflib.get_close_matches(name, SAMPLES, n=1)
    raise DataError(f"there is no sample set '{name}'",
                    todo=f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(SAMPLES)}")


def fetch(file: SampleFile, progress: Progress) -> bytes:
    """A file's content from the mirror, else from its public address; its checksum is right.

    Raises
    ------
    DataError
    """
    mirror = os.environ.get(MIRROR)
    stored = Path(mirror) / file.path if mirror else None
    if stored is not None and stored.is_file():
        content, where = stored.read_bytes(), f"file {file.path} in {MIRROR}"
    elif file.address:
        content, where = _download(file, progress), f"download of {Path(file.path).name}"
    else:
        raise DataError("this set has no public address in the form used here", where=f"file {file.path}",
                        todo=f"Set {MIRROR} to a folder that holds it")
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DataError("the checksum is wrong: the file is damaged or another version; it is not used and nothing "
                        "stored was changed", where=where, todo="Try again later, or use a mirror with the right file")
    return content


def _download(file: SampleFile, progress: Progress) -> bytes:
    name = Path(file.path).name
    try:
        with urllib.request.urlopen(file.address, timeout=_TIMEOUT_S) as answer:  # noqa: S310 (addresses of this module)
            length = answer.headers.get("Content-Length")
            with progress.task(f"downloading {name} (bytes)", total=int(length) if length else None) as step:
                parts = []
                while part := answer.read(_CHUNK_BYTES):
                    parts.append(part)
                    step(len(part))
    except (urllib.error.URLError, OSError) as error:
        raise DataError(f"the file cannot be fetched ({type(error).__name__})", where=f"download of {name}",
                        todo=f"Check the network, or set {MIRROR} to a folder that holds {file.path}") from None
    return b"".join(parts)


def _mirrored(folder: str) -> Path:
    """A folder of the mirror.

    Raises
    ------
    DataError
        There is none.
    """
    mirror = os.environ.get(MIRROR)
    if not mirror or not (Path(mirror) / folder).is_dir():
        raise DataError("this set's images can be had only from a mirror", where=f"folder {folder}",
                        todo=f"Set {MIRROR} to a folder that holds it")
    return Path(mirror) / folder


def _add_images(study: Study, folder: Path, progress: Progress) -> None:
    from medomicslab_nb.data.images import import_dicom

    import_dicom(study, folder, progress=progress)


def _add(study: Study, table: SampleTable, source: str) -> TableInfo:
    frame = table.frame.rename_axis(study.id_column)
    if table.omics:
        return study.add_table(table.name, frame, block=table.block, columns=table.columns, default_column=Column(),
                               source=source, transposed=True)
    frame = frame.reset_index()
    columns = {**guess_columns(frame, study.id_column), **table.columns}
    return study.add_table(table.name, frame, block=table.block, columns=columns, source=source)


def _numbered(prefix: str, n: int) -> pd.Index:
    """Identifiers such as ``TB-001``: the sources give row numbers only."""
    width = max(3, len(str(n)))
    return pd.Index([f"{prefix}-{i:0{width}d}" for i in range(1, n + 1)], dtype="str")


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories as text."""
    texts = {name: "str" for name, kind in frame.dtypes.items() if isinstance(kind, pd.CategoricalDtype)}
    return frame.astype(texts)


def _endpoint(name: str, event: str, time: str, unit: str = "days") -> dict[str, Column]:
    return {event: Column(role="event", type="boolean", endpoint=name),
            time: Column(role="time", type="number", unit=unit, endpoint=name)}


def _transbig(_: Mapping[str, bytes]) -> tuple[SampleTable, ...]:
    from sksurv.datasets import load_breast_cancer

    predictors, outcome = load_breast_cancer()
    predictors.index = _numbered("TB", len(predictors))
    clinical = _plain(predictors[["age", "size", "grade", "er"]])
    clinical["grade"] = clinical["grade"].mask(clinical["grade"] == "unkown")  # as the source spells it
    clinical["e.tdm"] = np.asarray(outcome["e.tdm"], dtype=bool)
    clinical["t.tdm"] = outcome["t.tdm"]
    columns = {"age": Column(unit="years", description="age at diagnosis"),
               "size": Column(unit="cm", description="size of the tumour"),
               "grade": Column(type="category", description="histological grade"),
               "er": Column(type="category", description="oestrogen receptor"),
               **_endpoint("dmfs", "e.tdm", "t.tdm")}
    genes = predictors.filter(regex="^X").astype("float32")
    return (SampleTable("clinical", clinical, columns),
            SampleTable("genes", genes, {}, block="genes", omics=True))


def _gbsg2(_: Mapping[str, bytes]) -> tuple[SampleTable, ...]:
    from sksurv.datasets import load_gbsg2

    predictors, outcome = load_gbsg2()
    clinical = _plain(predictors)
    clinical.index = _numbered("GB", len(clinical))
    clinical["cens"] = np.asarray(outcome["cens"], dtype=bool)
    clinical["time"] = outcome["time"]
    columns = {"age": Column(unit="years"), "estrec": Column(unit="fmol/mg", description="oestrogen receptor"),
               "progrec": Column(unit="fmol/mg", description="progesterone receptor"),
               "horTh": Column(type="category", description="hormonal therapy"),
               "menostat": Column(type="category", description="menopausal status"),
               "pnodes": Column(type="integer", description="positive lymph nodes"),
               "tgrade": Column(type="category", description="grade of the tumour"),
               "tsize": Column(unit="mm", description="size of the tumour"), **_endpoint("rfs", "cens", "time")}
    return (SampleTable("clinical", clinical, columns),)


def _hn(contents: Mapping[str, bytes]) -> tuple[SampleTable, ...]:
    (content,) = contents.values()
    frame = pd.read_csv(BytesIO(content), dtype={"patient_id": str}).set_index("patient_id")
    return (SampleTable("clinical", frame, {}),)


_HEART_COLUMNS = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope",
                  "ca", "thal", "num")
_HEART_SITES = {"cleveland": "CL", "hungarian": "HU", "switzerland": "CH", "va": "VA"}


def _heart(contents: Mapping[str, bytes]) -> tuple[SampleTable, ...]:
    parts = []
    for path, content in contents.items():
        site = path.split(".")[-2]
        part = pd.read_csv(BytesIO(content), header=None, names=list(_HEART_COLUMNS), na_values="?")
        part.index = _numbered(_HEART_SITES[site], len(part))
        part.insert(0, "site", site)
        parts.append(part)
    frame = pd.concat(parts)
    # Grades 1 to 4 of disease are one class, as in the publications; the grade itself would give it away.
    frame.insert(1, "disease", frame.pop("num") > 0)
    columns = {"site": Column(role="centre", type="category"),
               "disease": Column(role="outcome", type="boolean", description="narrowing of a vessel by 50% or more"),
               "age": Column(unit="years", type="integer"),
               "cp": Column(type="category", description="type of chest pain"),
               "trestbps": Column(unit="mmHg", description="resting blood pressure"),
               "chol": Column(unit="mg/dL", description="serum cholesterol; 0 means missing (every Swiss patient)"),
               "restecg": Column(type="category", description="resting electrocardiogram"),
               "thalach": Column(unit="beats/min", description="highest heart rate reached"),
               "oldpeak": Column(unit="mm", description="ST depression by exercise"),
               "slope": Column(type="category", description="slope of the ST segment at exercise"),
               "ca": Column(type="integer", description="vessels coloured by fluoroscopy"),
               "thal": Column(type="category", description="thallium scan")}
    return (SampleTable("clinical", frame, columns),)


def _sts(contents: Mapping[str, bytes]) -> tuple[SampleTable, ...]:
    (content,) = contents.values()
    frame = pd.read_csv(BytesIO(content), dtype={"patient_id": str}).set_index("patient_id")
    frame["lung_metastasis"] = frame["lung_metastasis"].astype(bool)
    return (SampleTable("outcome", frame, {"lung_metastasis": Column(role="outcome", type="boolean")}),)


def _synthetic(*, null: bool) -> Callable[[Study, Progress], tuple[TableInfo, ...]]:
    def generate(study: Study, progress: Progress) -> tuple[TableInfo, ...]:
        # Its images need libraries that nothing else here does.
        from medomicslab_nb.data.synthetic import PATIENTS, draw_cohort
        from medomicslab_nb.data.synthetic_study import add_cohort

        return add_cohort(study, draw_cohort(PATIENTS, null=null), progress)

    return generate


def _hospitals(study: Study, _: Progress) -> tuple[TableInfo, ...]:
    from medomicslab_nb.data.synthetic_hospitals import COLUMNS, draw_hospitals

    return (_add(study, SampleTable("clinical", draw_hospitals(), COLUMNS), source="hospitals"),)


def _uci(site: str, sha256: str) -> SampleFile:
    address = "https://archive.ics.uci.edu/ml/machine-learning-databases/heart-disease/"
    return SampleFile(f"heart/processed.{site}.data", sha256, f"{address}processed.{site}.data")


SAMPLES: dict[str, Sample] = {
    sample.name: sample
    for sample in (
        Sample("transbig", 198, "node-negative breast cancer: clinical data and 76 genes, distant metastasis-free "
               "survival (51 events)", "public data (GEO GSE7390), as shipped with scikit-survival (GPL-3.0)",
               "Desmedt et al. 2007, doi 10.1158/1078-0432.CCR-06-2765", _transbig, package="scikit-survival"),
        Sample("gbsg2", 686, "node-positive breast cancer: clinical data, recurrence-free survival (299 events)",
               "public data, as shipped with scikit-survival (GPL-3.0)",
               "Schumacher et al. 1994, doi 10.1200/JCO.1994.12.10.2086", _gbsg2, package="scikit-survival"),
        Sample("heart", 920, "coronary disease in four hospitals: clinical data (cholesterol 0 means missing)",
               "CC BY 4.0", "UCI Heart Disease (Janosi, Steinbrunn, Pfisterer, Detrano 1988), doi 10.24432/C52P4X",
               _heart, files=(
                   _uci("cleveland", "a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8"),
                   _uci("hungarian", "d1ad108f785768cd3d7e82dc522e6f5a61eea93cccfb3a46ee8076f73fc3d796"),
                   _uci("switzerland", "834a405ccf5b66ab4056bb77794adc8df0b7125186454c0a1d002d33c6c3b314"),
                   _uci("va", "e7c93d8d0d2acdadfa4c5e8de768e2191e7f618b952e29623f1f0d5949ff6b8f"))),
        Sample("hn", 194, "head and neck cancer in two hospitals: clinical data, three survival endpoints (death: 32 "
               "events)", "stated by the source", "Vallieres et al. 2017, doi 10.1038/s41598-017-10371-5", _hn,
               files=(SampleFile("hn/hn_train_hospitals.csv",
                                 "0370fab7e18953798bb4d0d58d81e31ffcb6053c44cfe3e9a192ee9b64b42237"),)),
        Sample("sts", 51, "soft-tissue sarcoma: PET of all, CT and MR of ten, as DICOM with contours; lung metastasis "
               "(19 patients). Images are cropped 5 cm around the contour", "CC BY 3.0",
               "Vallieres et al. 2015, doi 10.1088/0031-9155/60/14/5471; IBSI validation set", _sts,
               dicom="sts/dicom", files=(SampleFile(
                   "sts/outcome.csv", "01f31ec4887b5bd86d79d85a19f51ff2856a3f051ee94d90f092b65bc862188a"),)),
        Sample("synthetic", 60, "generated cancer of the oropharynx with known truth: CT and PET (DICOM with contours, "
               "NIfTI), clinical data, 500 genes, notes in French and English, survival with five true "
               "predictors", "CC0 1.0", "docs/synthetic.md", generate=_synthetic(null=False)),
        Sample("synthetic-null", 60, "its zero-effect twin: the same patients, with survival that depends on nothing",
               "CC0 1.0", "docs/synthetic.md", generate=_synthetic(null=True)),
        Sample("hospitals", 1760, "generated patients of four hospitals, for federated learning: one true model, other "
               "patients and other gaps in each; recurrence within three years", "CC0 1.0", "docs/synthetic.md",
               generate=_hospitals),
    )
}
