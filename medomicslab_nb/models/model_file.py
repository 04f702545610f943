"""The model file: a model with everything that is needed to apply it to other patients, in one file without code.

The file is skops' (a zip of one JSON document and numpy arrays), never a pickle: reading it runs nothing that is not
on the list of :data:`TRUSTED` types. It holds no patient's identifier. (Support vector machines keep prepared rows of
the training patients, without a name; no other learner does.)
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError, MedomicsError, ProtectionError
from medomicslab_nb.evaluation.conformal import Conformal
from medomicslab_nb.files import FORMAT_PREFIX
from medomicslab_nb.models.blocks import Design
from medomicslab_nb.models.out_of_distribution import Applicability
from medomicslab_nb.protect import distinctive, identifiers_in

FORMAT = FORMAT_PREFIX + "model"
FORMAT_VERSION = 1

TRUSTED = (
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "medomicslab_nb.evaluation.cox.CoxRegression",
    "medomicslab_nb.models.harmonisation.ComBat",
    "medomicslab_nb.models.learners.searched.CoxBoosting",
    "medomicslab_nb.models.preparation.Preparation",
    "medomicslab_nb.models.risk_model.Part",
    "medomicslab_nb.models.risk_model.RiskModel",
    "numpy.dtype",
    "scipy.optimize._optimize.OptimizeResult",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sksurv.ensemble.boosting.GradientBoostingSurvivalAnalysis",
    "sksurv.ensemble.forest.RandomSurvivalForest",
    "sksurv.ensemble.survival_loss.CoxPH",
    "sksurv.functions.StepFunction",
    "sksurv.linear_model.coxnet.CoxnetSurvivalAnalysis",
    "sksurv.linear_model.coxph.BreslowEstimator",
    "sksurv.linear_model.coxph.CoxPHSurvivalAnalysis",
    "sksurv.svm.survival_svm.FastSurvivalSVM",
    "sksurv.tree.tree.SurvivalTree",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
)
"""The types that a model file may hold beside scikit-learn's public estimators and numpy's arrays."""

MAX_BYTES = 2 * 1024**3
"""Unpacked size from which a model file is refused."""
MAX_DOCUMENT_BYTES = 512 * 1024**2
"""Size of the JSON document in it from which it is refused: parsed, it takes many times as much memory."""

# What skops calls the readers of code-like things: functions, methods, partial calls. No model of ours needs one.
_CODE = frozenset({"FunctionNode", "MethodNode", "PartialNode", "OperatorFuncNode"})
_DOCUMENT = "schema.json"
_PACKAGES = ("medomicslab-nb", "numpy", "scipy", "pandas", "scikit-learn", "scikit-survival", "lightgbm", "xgboost-cpu")
_MOST_CATEGORIES = 1_000


@dataclass(frozen=True)
class ColumnSchema:
    """A column that the model needs, as it was among the training patients."""

    name: str
    kind: str
    """``number`` or ``category``."""
    block: str = ""
    table: str = ""
    """Table of the study that it came from."""
    unit: str = ""
    lower: float | None = None
    """Smallest value; None for categories and for a column without any value."""
    upper: float | None = None
    categories: tuple[str, ...] = ()
    missing: float = 0.0
    """Share of the training patients without a value."""


@dataclass(frozen=True)
class EndpointSummary:
    """What the model predicts."""

    name: str
    kind: str
    """``binary``, ``multiclass``, ``continuous`` or ``survival``."""
    classes: tuple[str, ...] = ()
    """Of a multi-class outcome; of a binary one the negative and the positive."""
    horizon: float | None = None
    """Survival: the time to which the risk refers, in ``unit``."""
    unit: str = ""
    event: str = ""
    """Survival: name of the event."""

    @classmethod
    def of(cls, endpoint: Any, *, horizon: float | None = None, positive: str = "") -> EndpointSummary:
        """Of an :class:`~medomicslab_nb.evaluation.endpoints.Endpoint`."""
        classes = tuple(endpoint.classes)
        if endpoint.kind == "binary":
            classes = ("no", positive or "yes")
        event = (endpoint.causes[0] if endpoint.causes else endpoint.name) if endpoint.kind == "survival" else ""
        return cls(endpoint.name, endpoint.kind, classes, horizon, endpoint.unit, event)


@dataclass(frozen=True)
class ModelFile:
    """A model, what its columns must be, what it predicts, and what is needed to judge a prediction.

    Attributes
    ----------
    model : RiskModel
    columns : tuple of ColumnSchema
        In the order in which the model takes them.
    endpoint : EndpointSummary
    applicability : Applicability or None
        By which patients unlike those of the training are flagged.
    conformal : Conformal or None
        By which prediction sets and intervals are made.
    versions : mapping
        Versions of Python and of the packages that the model was fitted with.
    run, digest : str
        Run that made it, and the sha256 of its settings.
    """

    model: Any
    columns: tuple[ColumnSchema, ...]
    endpoint: EndpointSummary
    applicability: Applicability | None = None
    conformal: Conformal | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    run: str = ""
    digest: str = ""

    @property
    def blocks(self) -> dict[str, tuple[str, ...]]:
        """Columns of each block."""
        found: dict[str, tuple[str, ...]] = {}
        for column in self.columns:
            found[column.block] = (*found.get(column.block, ()), column.name)
        return found


def column_schema(frame: pd.DataFrame, *, categorical: Collection[str] = (), block_of: Mapping[str, str] | None = None,
                  table_of: Mapping[str, str] | None = None,
                  units: Mapping[str, str] | None = None) -> tuple[ColumnSchema, ...]:
    """What the columns of the training patients were.

    Parameters
    ----------
    frame : DataFrame, shape (n_patients, n_columns)
        Numeric columns as float, categorical ones as text.
    categorical : collection of str
        Columns that are categories.
    block_of, table_of, units : mapping
        Block, table and unit by column.

    Raises
    ------
    ProtectionError
        A column has so many categories that it may name patients.
    """
    blocks, tables, known_units = block_of or {}, table_of or {}, units or {}
    known = set(categorical)
    missing = frame.isna().mean()
    numeric = frame[[column for column in frame.columns if column not in known]]
    lower, upper = numeric.min(), numeric.max()
    found = []
    for name in frame.columns:
        labels = {"block": blocks.get(name, ""), "table": tables.get(name, ""), "unit": known_units.get(name, "")}
        if name in known:
            found.append(ColumnSchema(str(name), "category", **labels, categories=_categories(frame[name]),
                                      missing=float(missing[name])))
        else:
            found.append(ColumnSchema(str(name), "number", **labels, lower=_finite(lower[name]),
                                      upper=_finite(upper[name]), missing=float(missing[name])))
    return tuple(found)


def design_schema(study: Any, design: Design) -> tuple[ColumnSchema, ...]:
    """What the columns of a design were, with the tables that they came from and their units."""
    tables, units = {}, {}
    for table, columns in design.predictors.items():
        info = study.info(table)
        for column in columns:
            # A name that several tables share has its table's in front.
            name = column if column in design.frame.columns else f"{table}: {column}"
            tables[name], units[name] = table, info.column(column).unit
    return column_schema(design.frame, categorical=design.categorical, block_of=design.block_of, table_of=tables,
                         units=units)


def package_versions() -> dict[str, str]:
    """Versions of the packages that decide a prediction, where they are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def save(model_file: ModelFile, *, identifiers: Collection[str] = ()) -> bytes:
    """The model file as bytes; the same model gives the same bytes.

    Parameters
    ----------
    identifiers : collection of str
        Patient identifiers, none of which may be in the file's texts.

    Raises
    ------
    ProtectionError
        A patient identifier stands in the file's texts (a category, a column's name, ...).
    """
    import skops.io

    content = {"format": FORMAT, "format_version": FORMAT_VERSION, "model": model_file.model,
               "columns": [_plain(asdict(column)) for column in model_file.columns],
               "endpoint": _plain(asdict(model_file.endpoint)),
               "applicability": None if model_file.applicability is None else model_file.applicability.to_dict(),
               "conformal": None if model_file.conformal is None else model_file.conformal.to_dict(),
               "versions": dict(model_file.versions or package_versions()), "run": model_file.run,
               "digest": model_file.digest}
    packed = _canonical(bytes(skops.io.dumps(content)))
    _refuse_identifiers(packed, identifiers)
    return packed


def load(source: bytes | Path) -> ModelFile:
    """Read what :func:`save` wrote.

    Raises
    ------
    DataError
        The file is missing, damaged, too large when unpacked, no model file or written by a newer program.
    ProtectionError
        It holds a type that no model of ours is made of: it may have been made to run code.
    """
    content = _unpacked(source)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError("this is no model file of medomicslab_nb", where=_WHERE,
                        todo="Use the file in the folder 'models' of a run")
    version = content.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise DataError(f"format version {version} is newer than this program reads ({FORMAT_VERSION})",
                        where=_WHERE, todo="Update medomicslab_nb")
    try:
        found = _from_content(content)
        _check_model(found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"the model file is damaged ({type(error).__name__})", where=_WHERE,
                        todo="Get it again from its source") from None
    return found


_WHERE = "model file"


def _from_content(content: Mapping[str, Any]) -> ModelFile:
    columns = tuple(ColumnSchema(**{**column, "categories": tuple(column["categories"])})
                    for column in content["columns"])
    endpoint = EndpointSummary(**{**content["endpoint"], "classes": tuple(content["endpoint"]["classes"])})
    applicability, conformal = content["applicability"], content["conformal"]
    return ModelFile(content["model"], columns, endpoint,
                     None if applicability is None else Applicability.from_dict(applicability),
                     None if conformal is None else Conformal.from_dict(conformal),
                     {str(name): str(version) for name, version in content["versions"].items()},
                     str(content["run"]), str(content["digest"]))


def _check_model(found: ModelFile) -> None:
    """Refuse a model that does not fit its own schema, and trees that point outside of themselves."""
    named = [column.name for column in found.columns]
    if len(set(named)) < len(named) or not set(found.model.columns) <= set(named):
        raise ValueError("columns")
    for part in found.model.parts:
        for tree in _trees(part.estimator):
            _check_tree(tree, len(part.preparation.columns_))


def _trees(estimator: Any) -> Iterator[Any]:
    """The trees of a fitted ensemble, scikit-learn's or scikit-survival's."""
    members = getattr(estimator, "estimators_", None)
    members = np.ravel(np.asarray(members, dtype=object)).tolist() if members is not None else [estimator]
    for member in members:
        if hasattr(member, "tree_"):
            yield member.tree_
    for stage in getattr(estimator, "_predictors", ()):
        yield from stage


def _check_tree(tree: Any, width: int) -> None:
    """Children come after their parent, inside of the tree: predicting ends, and reads no foreign memory."""
    if hasattr(tree, "nodes"):
        nodes, count = tree.nodes, len(tree.nodes)
        inner = np.flatnonzero(nodes["is_leaf"] == 0)
        left, right, feature = (nodes[name][inner].astype(int) for name in ("left", "right", "feature_idx"))
        if nodes["is_categorical"].any():
            raise ValueError("tree")
    else:
        count = tree.node_count
        inner = np.flatnonzero(tree.children_left != tree.children_right)
        left, right, feature = tree.children_left[inner], tree.children_right[inner], tree.feature[inner]
    children = np.stack([left, right])
    if not ((children > inner).all() and (children < count).all() and (feature >= 0).all() and (feature < width).all()):
        raise ValueError("tree")


def _unpacked(source: bytes | Path) -> Any:
    """What the file holds, after every check that can be made before anything is built."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise DataError(f"the model file cannot be read ({type(error).__name__})", where=source.name
                        if isinstance(source, Path) else _WHERE, todo="Check its path") from None
    _check_zip(content)
    try:
        return skops.io.loads(content, trusted=list(TRUSTED))
    except UntrustedTypesFoundException:
        raise _untrusted() from None
    # A file that was cut, changed or made by hand breaks skops, zlib and numpy in many ways; none is a traceback.
    except Exception as error:
        raise _damaged(type(error).__name__) from None


def _check_zip(content: bytes) -> None:
    """Refuse what is no zip, unpacks to too much, or names the readers of functions and methods."""
    if content[:2] != b"PK":
        pickled = content[:1] == b"\x80" or content[:2] in (b"(d", b"(l", b"(i", b"c_", b"co", b"cp")
        if pickled:
            raise ProtectionError("this is a pickle, which can run any code when it is opened", where=_WHERE,
                                  todo="Ask for the model as a .skops file; do not open this one")
        raise _damaged("no zip archive")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            document = archive.getinfo(_DOCUMENT)
            # zipfile never unpacks more of a member than its header says, so that the sum is a limit.
            if sum(member.file_size for member in members) > MAX_BYTES or document.file_size > MAX_DOCUMENT_BYTES:
                raise DataError(f"it unpacks to more than {MAX_BYTES // 1024**3} GB", where=_WHERE,
                                todo="No model of medomicslab_nb is so large: do not open this file")
            _refuse_code(json.loads(archive.read(document)))
    except MedomicsError:
        raise
    except Exception as error:
        raise _damaged(type(error).__name__) from None


def _refuse_code(document: Any) -> None:
    """Refuse a document in which a function, a method or a partial call is named; walks without recursion."""
    todo = [document]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if node.get("__loader__") in _CODE:
                raise _untrusted()
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)


def _untrusted() -> ProtectionError:
    # The names in the file are a stranger's text: they are not repeated.
    return ProtectionError("it holds types that no model of medomicslab_nb is made of", where=_WHERE,
                           todo="It may have been made to run code: use it only if you know who made it, and fit the "
                                "model anew")


def _damaged(why: str) -> DataError:
    return DataError(f"the model file is damaged or no model file ({why})", where=_WHERE,
                     todo="Get it again from its source")


def _canonical(content: bytes) -> bytes:
    """The same file with objects and arrays numbered in order: skops names them by their address in memory."""
    numbers: dict[Any, int] = {}
    names: dict[str, str] = {}

    def renumbered(node: Any) -> Any:
        if isinstance(node, list):
            return [renumbered(item) for item in node]
        if not isinstance(node, dict):
            return node
        found = {}
        for key, value in node.items():
            if key == "__id__":
                # Whether equal texts and small numbers are one object is Python's business.
                if node.get("__loader__") == "JsonNode":
                    continue
                value = numbers.setdefault(value, len(numbers) + 1)
            elif key == "file" and isinstance(value, str):
                value = names.setdefault(value, f"{len(names) + 1}{Path(value).suffix}")
            else:
                value = renumbered(value)
            found[key] = value
        return found

    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        document = renumbered(json.loads(old.read(_DOCUMENT)))
        parts = [(name, old.read(before)) for before, name in names.items()]
        for name, part in [*parts, (_DOCUMENT, json.dumps(document, separators=(",", ":")).encode())]:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, part)
    return stream.getvalue()


def _refuse_identifiers(content: bytes, identifiers: Collection[str]) -> None:
    known = distinctive(identifiers)
    if not known:
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        texts = _texts(json.loads(archive.read(_DOCUMENT)))
        arrays = (np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
                  for name in archive.namelist() if name.endswith(".npy"))
        texts += [str(text) for array in arrays if array.dtype.kind in "US" for text in np.ravel(array)]
    # Numbers among them are sizes, never names.
    found = identifiers_in("\n".join(text for text in texts if not text.isdigit()), known)
    if found:
        raise ProtectionError(f"{len(found)} patient identifiers would be in the model file", where=_WHERE,
                              todo="Give the columns that hold them the role 'ignore' in the data dictionary")


def _texts(document: Any) -> list[str]:
    """Every text of a JSON document."""
    found, todo = [], [document]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            found.extend(node)
            todo.extend(value for key, value in node.items() if key not in ("file", "__id__", "__loader__"))
        elif isinstance(node, list):
            todo.extend(node)
        elif isinstance(node, str):
            found.append(node)
    return found


def _categories(column: pd.Series) -> tuple[str, ...]:
    found = tuple(sorted(str(value) for value in column.dropna().unique()))
    if len(found) > _MOST_CATEGORIES:
        raise ProtectionError(f"'{column.name}' has {len(found)} categories: it may name patients", where=_WHERE,
                              todo="Give it the role 'ignore' in the data dictionary")
    return found


def _finite(value: Any) -> float | None:
    return float(value) if pd.notna(value) else None


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """Tuples as lists, which JSON and skops keep as they are."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in content.items()}
