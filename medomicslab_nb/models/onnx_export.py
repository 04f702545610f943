"""A model as ONNX and JSON, for programs that know neither Python nor this package.

The ONNX graph takes prepared rows and gives score and probability; how rows are prepared (imputed, encoded, scaled)
stands in the JSON document, as numbers. Linear members, forests (survival forests too) and scikit-learn's boosting
convert, because each is a few sums over numbers that ONNX has an operator for; others are refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sksurv.ensemble import RandomSurvivalForest

from medomicslab_nb.errors import DataError, MissingExtraError
from medomicslab_nb.files import FORMAT_PREFIX
from medomicslab_nb.models.learners.linear import is_linear, linear_coefficients
from medomicslab_nb.models.learners.problem import raw_score
from medomicslab_nb.models.model_file import ModelFile

FORMAT = FORMAT_PREFIX + "onnx"
FORMAT_VERSION = 1

_OPSET, _ML_OPSET, _IR = 18, 3, 10
_FORESTS = (RandomForestClassifier, RandomForestRegressor, RandomSurvivalForest)
_BOOSTING = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


@dataclass(frozen=True)
class OnnxModel:
    """A model for other programs.

    Attributes
    ----------
    graph : bytes
        ONNX. Inputs: ``prepared_0``, ``present_0``, ``prepared_1``, ... (float64; see ``document["parts"]``); outputs:
        ``score`` and, except under competing events, ``probability`` (float64), shape (n,) or (n, n_classes).
    document : dict
        JSON types: how columns are prepared, what each input and output is.
    """

    graph: bytes
    document: dict[str, Any]

    def json(self) -> bytes:
        """The document as bytes."""
        return (json.dumps(self.document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def export_onnx(model_file: ModelFile) -> OnnxModel:
    """Convert a model.

    ``present_k`` is 1 where a patient has any value in the columns of part k and 0 where not, so that a missing block
    counts as it does in the model; ``prepared_k`` is then not looked at, and may be zeros.

    Raises
    ------
    MissingExtraError
        ONNX is not installed.
    DataError
        A member of the model, or its preparation, cannot be converted; the message names it and what to use instead.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError:
        raise MissingExtraError("the export to ONNX", "onnx") from None
    model = model_file.model
    preparations, documents = _preparations(model)
    graph = _Graph(helper, numpy_helper, TensorProto)
    shares = []
    for number, part in enumerate(model.parts):
        source = preparations[number]
        raw = _member(graph, part, f"prepared_{source}")
        moved = graph.op("Sub", raw, graph.constant(np.atleast_2d(np.asarray(part.centre, dtype=float))))
        share = graph.op("Mul", moved, graph.constant(np.array([[part.weight / part.scale]])))
        absent = graph.constant(np.atleast_2d(np.asarray(part.absent, dtype=float)))
        beyond = graph.op("Mul", graph.op("Sub", share, absent), f"present_{source}")
        shares.append(graph.op("Add", beyond, absent))
    total = shares[0]
    for share in shares[1:]:
        total = graph.op("Add", total, share)
    outputs = {"score": _shaped(graph, total, model.kind)}
    probability = _probability(graph, model, total)
    if probability is not None:
        outputs["probability"] = _shaped(graph, probability, model.kind)
    content = graph.build({**{f"prepared_{k}": part["columns"] for k, part in enumerate(documents)},
                           **{f"present_{k}": [""] for k in range(len(documents))}}, outputs, model)
    checker.check_model(content, full_check=True)
    return OnnxModel(content.SerializeToString(deterministic=True), _document(model_file, documents, list(outputs)))


class _Graph:
    """Nodes of a graph under construction; every value has a name of its own."""

    def __init__(self, helper: Any, numpy_helper: Any, types: Any) -> None:
        self.helper, self.numpy_helper, self.types = helper, numpy_helper, types
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(self.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return name

    def cast(self, value: str, kind: int) -> str:
        return self.op("Cast", value, to=kind)

    def build(self, inputs: Mapping[str, list[str]], outputs: Mapping[str, str], model: Any) -> Any:
        """The model; outputs get their public names."""
        helper, double = self.helper, self.types.DOUBLE
        for name, value in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        shape = ["n", len(model.classes)] if model.kind == "multiclass" else ["n"]
        graph = helper.make_graph(
            self.nodes, "medomicslab_nb",
            [helper.make_tensor_value_info(name, double, ["n", len(columns)]) for name, columns in inputs.items()],
            [helper.make_tensor_value_info(name, double, shape) for name in outputs], self.constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="medomicslab_nb")


# -- members ----------------------------------------------------------------------------------------------------------


def _member(graph: _Graph, part: Any, rows: str) -> str:
    """The member's raw score, shape (n, 1) or (n, n_classes)."""
    estimator, width = part.estimator, len(part.preparation.columns_)
    if is_linear(estimator):
        return _linear(graph, estimator, rows, width)
    if isinstance(estimator, _FORESTS):
        # Trees compare in single precision.
        single = graph.cast(graph.cast(rows, graph.types.FLOAT), graph.types.DOUBLE)
        return _forest(graph, estimator, single)
    if isinstance(estimator, _BOOSTING):
        return _boosting(graph, estimator, rows)
    raise DataError(f"'{part.kind}' cannot be converted to ONNX", where=f"model, block {part.block}",
                    todo="Use the .skops file with 'medomicslab predict', or fit ridge, lasso, forest or boosting")


def _linear(graph: _Graph, estimator: Any, rows: str, width: int) -> str:
    coefficients = np.asarray(linear_coefficients(estimator), dtype=float).reshape(-1, width)
    constant = np.atleast_2d(raw_score(estimator, np.zeros((1, width))))
    product = graph.op("MatMul", rows, graph.constant(coefficients.T))
    return graph.op("Add", product, graph.constant(constant))


@dataclass(frozen=True)
class _Tree:
    """Nodes of one tree as arrays; ``values`` of shape (n_nodes, n_outputs), counted at leaves only."""

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    leaf: np.ndarray
    values: np.ndarray


def _forest(graph: _Graph, forest: Any, rows: str) -> str:
    """Mean over trees of what their leaves say: share of each class, mean, or sum of cumulative hazards."""
    trees = []
    for member in forest.estimators_:
        tree = member.tree_
        values = tree.value[:, 0, :]
        if isinstance(forest, RandomForestClassifier):
            values = values / values.sum(axis=1, keepdims=True)
            values = values[:, 1:] if values.shape[1] == 2 else values
        leaf = tree.children_left == tree.children_right
        trees.append(_Tree(tree.children_left, tree.children_right, tree.feature, tree.threshold, leaf,
                           values / len(forest.estimators_)))
    if isinstance(forest, RandomSurvivalForest) and trees[0].values.shape[1] != 1:
        raise DataError("a survival forest that keeps whole curves cannot be converted to ONNX", where="model",
                        todo="Use the .skops file with 'medomicslab predict'")
    return _ensemble(graph, trees, rows)


def _boosting(graph: _Graph, boosting: Any, rows: str) -> str:
    """Baseline and the sum of the leaves; of several classes one tree each in every step."""
    trees = []
    steps = boosting._predictors
    outputs = len(steps[0])
    for step in steps:
        for output, predictor in enumerate(step):
            nodes = predictor.nodes
            values = np.zeros((len(nodes), outputs))
            values[:, output] = nodes["value"]
            trees.append(_Tree(nodes["left"].astype(int), nodes["right"].astype(int), nodes["feature_idx"].astype(int),
                               nodes["num_threshold"], nodes["is_leaf"].astype(bool), values))
    baseline = np.asarray(boosting._baseline_prediction, dtype=float).reshape(1, -1)
    return graph.op("Add", _ensemble(graph, trees, rows), graph.constant(baseline))


def _ensemble(graph: _Graph, trees: list[_Tree], rows: str) -> str:
    """The sum over trees as ONNX's own operator, shape (n, n_outputs)."""
    counts = [len(tree.left) for tree in trees]
    tree_ids, node_ids = np.repeat(np.arange(len(trees)), counts), np.concatenate([np.arange(n) for n in counts])
    left, right, feature, threshold, leaf = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("left", "right", "feature", "threshold", "leaf"))
    values = np.concatenate([tree.values for tree in trees])
    outputs = values.shape[1]
    at = np.flatnonzero(leaf)
    tensor = graph.numpy_helper.from_array
    found = graph.op(
        "TreeEnsembleRegressor", rows, domain="ai.onnx.ml", n_targets=outputs, aggregate_function="SUM",
        post_transform="NONE", nodes_treeids=tree_ids.tolist(), nodes_nodeids=node_ids.tolist(),
        nodes_featureids=np.where(leaf, 0, feature).tolist(),
        nodes_modes=["LEAF" if end else "BRANCH_LEQ" for end in leaf],
        nodes_values_as_tensor=tensor(np.where(leaf, 0.0, threshold).astype(float), "nodes_values"),
        nodes_truenodeids=np.where(leaf, 0, left).tolist(), nodes_falsenodeids=np.where(leaf, 0, right).tolist(),
        target_treeids=np.repeat(tree_ids[at], outputs).tolist(),
        target_nodeids=np.repeat(node_ids[at], outputs).tolist(),
        target_ids=np.tile(np.arange(outputs), len(at)).tolist(),
        target_weights_as_tensor=tensor(values[at].ravel().astype(float), "target_weights"))
    return graph.cast(found, graph.types.DOUBLE)


# -- what the score means ---------------------------------------------------------------------------------------------


def _probability(graph: _Graph, model: Any, score: str) -> str | None:
    """Calibrated probability, predicted value or risk by the horizon; None under competing events."""
    scaled = graph.op("Mul", score, graph.constant(np.array([[float(model.slope)]])))
    if model.kind == "survival":
        if model.hazard["competing"] is not None:
            return None
        at = int(np.searchsorted(model.hazard["times"], model.horizon, side="right")) - 1
        hazard = float(model.hazard["event"][at]) if at >= 0 else 0.0
        cumulative = graph.op("Mul", graph.op("Exp", scaled), graph.constant(np.array([[hazard]])))
        return graph.op("Sub", graph.constant(np.array([[1.0]])), graph.op("Exp", graph.op("Neg", cumulative)))
    position = graph.op("Add", scaled, graph.constant(np.atleast_2d(np.asarray(model.offset, dtype=float))))
    if model.kind == "continuous":
        return position
    return graph.op("Softmax", position, axis=1) if model.kind == "multiclass" else graph.op("Sigmoid", position)


def _shaped(graph: _Graph, value: str, kind: str) -> str:
    if kind == "multiclass":
        return value
    return graph.op("Squeeze", value, graph.constant(np.array([1], dtype=np.int64)))


# -- preparation ------------------------------------------------------------------------------------------------------


def _preparations(model: Any) -> tuple[list[int], list[dict[str, Any]]]:
    """For each part the number of its preparation, and the preparations as JSON types."""
    numbers: list[int] = []
    documents: list[dict[str, Any]] = []
    known: dict[tuple[int, tuple[str, ...]], int] = {}
    for part in model.parts:
        key = (id(part.preparation), tuple(part.columns))
        if key not in known:
            known[key] = len(documents)
            documents.append(_preparation(part))
        numbers.append(known[key])
    return numbers, documents


def _preparation(part: Any) -> dict[str, Any]:
    """Columns in the order of the input, each by its rule: value, was-missing, or category, then mean and scale."""
    preparation = part.preparation
    if preparation.combat_ is not None or preparation.regressions_:
        what = "harmonisation between centres" if preparation.combat_ is not None else "iterative imputation"
        raise DataError(f"{what} cannot be exported", where=f"model, block {part.block}",
                        todo="Use the .skops file with 'medomicslab predict', or fit without it")
    rules: list[dict[str, Any]] = [
        {"column": column, "rule": "number", "missing": float(median)}
        for column, median in zip(preparation.numeric_, preparation.medians_, strict=True)]
    rules += [{"column": column, "rule": "was missing"} for column in preparation.gaps_]
    for column, levels in preparation.levels_.items():
        rules += [_level(column, levels, place) for place in levels["shown"]]
    kept = [{**rules[position], "mean": float(preparation.means_[position]),
             "scale": float(preparation.scales_[position])} for position in preparation.kept_]
    # When nothing is left, a column of zeros is.
    kept = kept or [{"column": part.columns[0], "rule": "zero", "mean": 0.0, "scale": 1.0}]
    return {"block": part.block, "present": list(part.columns), "columns": kept}


def _level(column: str, levels: Mapping[str, Any], place: int) -> dict[str, Any]:
    """1 for the values of one place, 0 for other known ones, ``unknown`` for a value without a place."""
    names = list(levels["names"])
    rest = len(names) if levels["rest"] else None
    what = names[place] if place < len(names) else ("other" if place == rest else "missing")
    kind = "is" if place < len(names) else what
    return {"column": column, "rule": "category", "kind": kind, "value": names[place] if kind == "is" else None,
            "names": names, "rest": bool(levels["rest"]), "missing_known": bool(levels["missing"]),
            "unknown": float(levels["unknown"])}


def _document(model_file: ModelFile, parts: list[dict[str, Any]], outputs: list[str]) -> dict[str, Any]:
    endpoint, model = model_file.endpoint, model_file.model
    return {"format": FORMAT, "format_version": FORMAT_VERSION, "run": model_file.run, "digest": model_file.digest,
            "endpoint": {"name": endpoint.name, "kind": endpoint.kind, "classes": list(endpoint.classes),
                         "horizon": endpoint.horizon, "unit": endpoint.unit},
            "cut_offs": [float(value) for value in model.cut_offs], "outputs": outputs,
            "parts": [{**part, "input": f"prepared_{k}", "present_input": f"present_{k}"}
                      for k, part in enumerate(parts)],
            "how": "prepared = (value - mean) / scale, column by column. Rules: number (the value, or 'missing' where "
                   "there is none), was missing (1 or 0), zero, category: 1 where kind 'is' and the text equals "
                   "'value', kind 'other' and the text is not in 'names', or kind 'missing' and there is no value; "
                   "else 0. A text that is not in 'names' when 'rest' is false, or a missing value when "
                   "'missing_known' is false, gives 'unknown'. present = 1 where any column of 'present' has a value."}
