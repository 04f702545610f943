"""A model file gives the same predictions, is the same bytes, names nobody, and nothing foreign gets in."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import FunctionTransformer

from medomicslab_nb.errors import DataError, ProtectionError
from medomicslab_nb.models import model_file as module
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.learners import searched, trees
from medomicslab_nb.models.model_file import column_schema, load, save
from tests.models.handed_over import KINDS, fitted


@pytest.fixture(autouse=True)
def small_searches(monkeypatch):
    monkeypatch.setattr(trees, "TREES", 40)
    for name, value in (("trees", 10), ("learning_rate", 0.1), ("depth", 2)):
        monkeypatch.setitem(searched.BOOSTING.grid, name, (value,))
    monkeypatch.setitem(searched.SUPPORT_VECTORS.grid, "C", (1.0,))


def edited(content: bytes, change) -> bytes:
    """A file with its JSON document changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "schema.json":
                document = json.loads(part)
                change(document)
                part = json.dumps(document).encode()
            new.writestr(name, part)
    return stream.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learner", [DEFAULT, "boosting", "svm", "elastic net"])
def test_a_stored_model_gives_the_same_scores_for_the_same_bytes(kind, learner):
    if (kind, learner) == ("survival", "elastic net"):
        learner = "ridge"
    file, frame = fitted(kind, learner, n=60)
    content = save(file, identifiers=frame.index)
    assert content == save(fitted(kind, learner, n=60)[0])
    again = load(content)
    assert np.array_equal(again.model.score(frame), file.model.score(frame))
    assert np.array_equal(again.model.probability(again.model.score(frame)),
                          file.model.probability(file.model.score(frame)))
    assert (again.columns, again.endpoint, again.run, again.digest) == (file.columns, file.endpoint, file.run, "d")
    assert again.versions["numpy"] == np.__version__
    assert again.applicability.limit == file.applicability.limit
    assert again.blocks == file.blocks


def test_schema_says_what_the_columns_were():
    file, frame = fitted("binary")
    columns = {column.name: column for column in file.columns}
    size, stage = columns["size"], columns["stage"]
    assert (size.kind, size.unit, size.block, size.table) == ("number", "mm", "clinical", "clinical")
    assert (size.lower, size.upper) == (frame["size"].min(), frame["size"].max())
    assert size.missing == frame["size"].isna().mean() > 0
    assert stage.categories == ("1", "2", "3")
    assert stage.lower is None


def test_no_identifier_gets_into_a_file():
    file, frame = fitted("binary")
    columns = [replace(column, categories=(*column.categories, frame.index[3])) if column.name == "stage" else column
               for column in file.columns]
    with pytest.raises(ProtectionError, match="1 patient identifiers would be in the model file") as error:
        save(replace(file, columns=tuple(columns)), identifiers=frame.index)
    assert frame.index[3] not in str(error.value)
    file.model.parts[0].preparation.notes_ = np.array([frame.index[5]])
    with pytest.raises(ProtectionError, match="1 patient identifiers"):
        save(file, identifiers=frame.index)


def test_a_column_with_a_category_for_each_patient_is_refused():
    names = pd.DataFrame({"name": [f"n{i}" for i in range(1001)]}, dtype=object)
    with pytest.raises(ProtectionError, match="'name' has 1001 categories"):
        column_schema(names, categorical=("name",))


class Run:
    """What a pickle can do when it is opened."""

    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_bad_input_83_a_pickle_is_refused_unopened(protocol, capsys):
    with pytest.raises(ProtectionError, match="this is a pickle"):
        load(pickle.dumps(Run(), protocol=protocol))
    assert capsys.readouterr().out == ""


def test_bad_input_83_foreign_types_are_refused():
    class Foreign:
        pass

    Foreign.__module__ = "tests.models.handed_over"
    for thing in (Foreign(), FunctionTransformer(np.log), print, Run(), {"model": Foreign()}):
        with pytest.raises(ProtectionError, match="types that no model of medomicslab_nb is made of"):
            load(bytes(skops.io.dumps({"format": module.FORMAT, "format_version": 1, "model": thing})))


def test_bad_input_83_a_document_that_names_another_class_is_refused():
    content = save(fitted("binary")[0])

    def swap(node):
        if isinstance(node, dict):
            if node.get("__class__") == "RiskModel":
                node["__module__"], node["__class__"] = "os", "system"
            for value in node.values():
                swap(value)
        elif isinstance(node, list):
            for value in node:
                swap(value)

    with pytest.raises(ProtectionError, match="made to run code"):
        load(edited(content, swap))


def test_bad_input_83_a_cut_or_scrambled_file_is_refused():
    content = save(fitted("binary")[0])
    for part in (content[:len(content) // 2], content[:-10], b"", b"PK", b"hello", content[:200] + content[400:]):
        with pytest.raises(DataError, match="model file"):
            load(part)
    random = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content)
        for position in random.integers(0, len(content), 5):
            damaged[position] ^= 0xFF
        try:
            load(bytes(damaged))
        except (DataError, ProtectionError):
            continue


def test_bad_input_83_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10_000_000)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr("1.npy", b"\0" * 20_000_000)
    assert len(stream.getvalue()) < 50_000
    with pytest.raises(DataError, match="it unpacks to more than"):
        load(stream.getvalue())


def test_bad_input_83_deep_nesting_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("schema.json", "[" * 200_000 + "]" * 200_000)
    with pytest.raises(DataError, match="damaged"):
        load(stream.getvalue())


def test_trees_that_point_outside_of_themselves_are_refused():
    file, _ = fitted("binary", "forest", n=60)
    assert isinstance(file.model.parts[0].estimator, RandomForestClassifier)
    for field, value in (("left_child", 9_999), ("left_child", 0), ("feature", 9_999)):
        content = save(file)
        stream = io.BytesIO()
        changed = False
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
            for name in old.namelist():
                part = old.read(name)
                array = np.load(io.BytesIO(part)) if name.endswith(".npy") else np.empty(0)
                if not changed and array.dtype.names and "left_child" in array.dtype.names and len(array) > 1:
                    array[field][0] = value
                    buffer = io.BytesIO()
                    np.save(buffer, array)
                    part, changed = buffer.getvalue(), True
                new.writestr(name, part)
        assert changed
        with pytest.raises(DataError, match="damaged"):
            load(stream.getvalue())


def test_another_format_or_a_newer_version_is_named(tmp_path):
    with pytest.raises(DataError, match="this is no model file of medomicslab_nb"):
        load(bytes(skops.io.dumps({"a": 1})))
    with pytest.raises(DataError, match="format version 99 is newer"):
        load(bytes(skops.io.dumps({"format": module.FORMAT, "format_version": 99})))
    with pytest.raises(DataError, match="damaged"):
        load(bytes(skops.io.dumps({"format": module.FORMAT, "format_version": 1, "model": 3})))
    with pytest.raises(DataError, match=r"nothing\.skops: the model file cannot be read"):
        load(tmp_path / "nothing.skops")
    path = tmp_path / "model.skops"
    file, frame = fitted("continuous")
    path.write_bytes(save(file))
    assert np.array_equal(load(path).model.score(frame), file.model.score(frame))
