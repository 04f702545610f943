"""What travels comes out as it went in, has one form, and cannot carry anything but numbers and JSON."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Letter, Question, Reply, only, pack, unpack

NUMBERS = st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(endianness="?"), hnp.floating_dtypes(endianness="?"))
ARRAYS = hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=0, min_side=0, max_side=5))
TEXT = st.text(max_size=8)
JSON = st.recursive(st.none() | st.booleans() | st.integers(-2**53, 2**53) | st.floats(allow_nan=False) | TEXT,
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8)


@given(st.dictionaries(TEXT, ARRAYS | JSON, max_size=5))
def test_what_goes_in_comes_out(values) -> None:
    content = pack(values)
    found = unpack(content)
    assert found.keys() == values.keys()
    assert pack(found) == content == pack(dict(reversed(values.items())))
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            assert found[name].shape == value.shape and found[name].dtype.kind == value.dtype.kind
            np.testing.assert_array_equal(found[name], value)
            assert found[name].flags.writeable
        else:
            assert found[name] == value


@given(st.binary(max_size=200))
def test_other_bytes_are_no_message(content) -> None:
    with pytest.raises(DataError, match="no message"):
        unpack(content)


@given(st.data())
def test_a_message_that_was_cut_or_prolonged_is_none(data) -> None:
    content = pack({"a": np.arange(5.0), "b": [1, 2], "c": np.ones((2, 2), dtype=bool)})
    end = data.draw(st.integers(0, len(content) - 1))
    for wrong in (content[:end], content + b"\0"):
        with pytest.raises(DataError, match="no message"):
            unpack(wrong)


@pytest.mark.parametrize("kind", ["O", "V8", "U3", "S3", "M8[s]", "c16"])
def test_no_array_of_anything_but_numbers_is_read(kind) -> None:
    head = json.dumps({"values": {}, "arrays": [["x", kind, [1]]]}).encode()
    with pytest.raises(DataError, match="no message"):
        unpack(len(head).to_bytes(8, "little") + head + pickle.dumps(object) * 5)


@pytest.mark.parametrize("shape", [[-1], [2**62, 2**62], ["3"], [10**9]])
def test_no_shape_takes_memory_that_was_not_sent(shape) -> None:
    head = json.dumps({"values": {}, "arrays": [["x", "<f8", shape]]}).encode()
    with pytest.raises(DataError, match="no message"):
        unpack(len(head).to_bytes(8, "little") + head + bytes(16))


@pytest.mark.parametrize("value", [np.array(["a"]), np.array([object()]), object(), {1, 2}, 1j])
def test_only_numbers_and_json_are_sent(value) -> None:
    with pytest.raises(DataError, match="message"):
        pack({"x": value})


def test_letters_and_replies_keep_their_parts() -> None:
    letter = Letter("run", 3, "logistic", "Newton step 3", "{}", "c0de", {"coef": np.arange(3.0), "part": "all"})
    found = Letter.unpack(letter.pack())
    assert (found.run, found.round, found.step, found.values["part"]) == ("run", 3, "logistic", "all")
    reply = Reply("Basel", {"n": 5}, "a count", 5, "", "c0de", "da7a")
    assert Reply.unpack(reply.pack()) == reply


def test_a_question_is_sent_with_what_is_for_one_site_only() -> None:
    question = Question("combat", {"a": 1, "b": 2}, each={"Basel": {"b": 3}})
    assert question.for_site("Basel") == {"a": 1, "b": 3}
    assert question.for_site("Bern") == {"a": 1, "b": 2}


def test_a_task_of_some_sites_keeps_the_rest_of_its_questions() -> None:
    def task():
        answers = yield Question("s", {"a": 1}, "label", {"A": {"b": 2}}, ("A", "C"), {"loss": 1.0})
        return answers

    asked = only(task(), ("A", "B"))
    question = next(asked)
    assert question == Question("s", {"a": 1}, "label", {"A": {"b": 2}}, ("A",), {"loss": 1.0})
    with pytest.raises(StopIteration) as end:
        asked.send({"A": {}})
    assert end.value.value == {"A": {}}
