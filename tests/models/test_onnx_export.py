"""The exported graph and its JSON give what the model gives, computed without this package's code."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.learners import searched, trees
from medomicslab_nb.models.model_file import load, save
from medomicslab_nb.models.onnx_export import export_onnx
from tests.models.handed_over import BLOCKS, KINDS, fitted, predictors

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(autouse=True)
def small_searches(monkeypatch):
    monkeypatch.setattr(trees, "TREES", 40)
    for name, value in (("trees", 10), ("learning_rate", 0.1), ("depth", 2)):
        monkeypatch.setitem(searched.BOOSTING.grid, name, (value,))


def prepared(part: dict, frame: pd.DataFrame) -> np.ndarray:
    """What the JSON document says, read by hand."""
    columns = []
    for rule in part["columns"]:
        cells = [None if pd.isna(cell) else cell for cell in frame[rule["column"]]]
        if rule["rule"] == "number":
            values = [rule["missing"] if cell is None else cell for cell in cells]
        elif rule["rule"] == "was missing":
            values = [float(cell is None) for cell in cells]
        elif rule["rule"] == "zero":
            values = [0.0] * len(cells)
        else:
            values = [category(rule, cell) for cell in cells]
        columns.append((np.array(values, dtype=float) - rule["mean"]) / rule["scale"])
    return np.column_stack(columns)


def category(rule: dict, cell) -> float:
    if cell is None:
        return float(rule["kind"] == "missing") if rule["missing_known"] else rule["unknown"]
    if cell not in rule["names"]:
        return float(rule["kind"] == "other") if rule["rest"] else rule["unknown"]
    return float(rule["kind"] == "is" and cell == rule["value"])


def computed(exported, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    document = json.loads(exported.json())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(exported.graph, options, providers=["CPUExecutionProvider"])
    feed = {}
    for part in document["parts"]:
        feed[part["input"]] = prepared(part, frame)
        feed[part["present_input"]] = frame[part["present"]].notna().any(axis=1).to_numpy(dtype=float)[:, None]
    return dict(zip(document["outputs"], session.run(document["outputs"], feed), strict=True))


def strange_patients() -> pd.DataFrame:
    """New patients, some with gaps, without a block, or of a category that is new."""
    frame = predictors(300, 5)
    frame.loc[frame.index[:20], list(BLOCKS["genes"])] = np.nan
    frame.loc[frame.index[20:40], "stage"] = None
    frame.loc[frame.index[40:50], "stage"] = "9"
    frame.loc[frame.index[50:60], "age"] = np.nan
    return frame


@pytest.mark.parametrize(("kind", "learner"), [
    (kind, learner) for kind in KINDS for learner in (DEFAULT, "ridge", "lasso", "forest", "boosting", "plain")
    if (kind, learner) != ("survival", "boosting")])  # which is refused: see below
def test_the_graph_gives_the_models_numbers(kind, learner):
    file, _ = fitted(kind, learner)
    file = load(save(file))
    frame = strange_patients()
    found = computed(export_onnx(file), frame)
    score = file.model.score(frame)
    scale = max(1.0, np.abs(score).max())
    assert found["score"].shape == score.shape
    assert np.abs(found["score"] - score).max() <= 1e-5 * scale
    assert np.abs(found["probability"] - file.model.probability(score)).max() <= 1e-5 * (
        scale if kind == "continuous" else 1.0)


def test_the_same_model_gives_the_same_bytes_and_names_nobody():
    file, frame = fitted("binary")
    one, other = export_onnx(file), export_onnx(file)
    assert one == other
    text = one.json().decode() + one.graph.decode("latin1")
    assert not [patient for patient in frame.index if patient in text]


@pytest.mark.parametrize(("kind", "learner"), [("binary", "svm"), ("survival", "boosting")])
def test_what_does_not_convert_is_named_with_what_to_use_instead(kind, learner):
    file, _ = fitted(kind, learner)
    with pytest.raises(DataError, match=rf"'{learner}' cannot be converted to ONNX.*medomicslab predict"):
        export_onnx(file)


def test_harmonised_models_are_refused():
    file, _ = fitted("binary")
    file.model.parts[0].preparation.combat_ = object()
    with pytest.raises(DataError, match="harmonisation between centres cannot be exported"):
        export_onnx(file)


def test_under_competing_events_only_the_score_is_exported():
    file, frame = fitted("survival")
    hazard = file.model.hazard
    file.model.hazard = {**hazard, "competing": hazard["event"], "competing_slope": 0.0}
    exported = export_onnx(file)
    assert exported.document["outputs"] == ["score"]
    assert computed(exported, frame)["score"] == pytest.approx(file.model.score(frame))
