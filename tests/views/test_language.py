"""The catalogue is complete: every key has both languages, every key used exists, every key is used.

Topics that are found by what they describe (settings, faults, steps, tasks) are followed further in their own tests.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.notebook import find_shipped
from medomicslab_nb.views import language
from medomicslab_nb.views.labels import label
from tests.views.settings_classes import settings_classes

VIEWS = Path(language.__file__).parent
WIDGETS = find_shipped("_widgets", "widgets", "common.css").parent
TOPICS = sorted(path.stem for path in language.CATALOGUE.glob("*.yaml"))
DESCRIBING = {"settings", "faults", "steps", "tasks"}
"""Topics whose keys are made from names in the code."""
WIDGET_NAMES = sorted(path.stem for path in WIDGETS.glob("*.js") if "export default" in path.read_text("utf-8"))
NAMED_BY_DATA = {"completed", "failed", "cancelled", "binary", "continuous", "multiclass", "survival"}
"""Keys that a run's status or an endpoint's kind names."""
BESIDE = {"adjudication": "span_annotator"}
"""Widgets that draw with the modules of another one, and get its texts too."""

PLACE = re.compile(r"{(\w+)}")
_IMPORT = re.compile(r"""from\s*["']\./([\w.-]+)\.js["']""")
_TEXTS_IN_JS = r"(?<![\w.$])(?:(?:this|context)\.)?(?:t|texts)"
_NAMED_IN_JS = re.compile(_TEXTS_IN_JS + r"""(?:\.(\w+)|\[["'](\w+)["']\])""")
_BEGUN_IN_JS = re.compile(_TEXTS_IN_JS + r"\[`(\w+)\$")
_FILLED_IN_JS = re.compile(rf"fill\({_TEXTS_IN_JS}\.(\w+), {{([^}}]*)}}")
_QUOTED_IN_JS = re.compile(r"""["'`](\w+)["'`]""")


@pytest.mark.parametrize("topic", TOPICS)
def test_every_text_is_there_in_both_languages_with_the_same_places(topic: str) -> None:
    for key, words in language.read_topic(topic).items():
        assert isinstance(key, str), f"put the key {key} in quotes: YAML reads it as something else"
        described = topic == "settings" and key.endswith(".help")  # English help is the docstring
        assert set(words) == ({"of", "fr"} if described else {"en", "fr"}), key
        assert all(isinstance(said, str) and said.strip() and said == said.strip(" ") for said in words.values()), key
        english, french = (set(PLACE.findall(words.get(name, ""))) for name in language.LANGUAGES)
        # French of a fault may leave out what pydantic says in English, and what the user wrote.
        assert french == english or (topic == "faults" and french < english), f"{key}: {english} and {french}"


@pytest.mark.parametrize("topic", TOPICS)
def test_french_is_written_in_one_way(topic: str) -> None:
    for key, words in language.read_topic(topic).items():
        if "\n" in words["fr"]:
            continue  # rows of two parts with a colon between them, which the widget draws as a table
        unspaced = re.search(r"\w[;!?»](?!\w)|\w:(?=\s|$)|«\S", words["fr"])
        assert unspaced is None, f"{key}: a space before ; : ! ? and inside « »"
        assert "\N{RIGHT SINGLE QUOTATION MARK}" not in words["fr"], f"{key}: write ' as elsewhere"


def test_keys_are_written_once() -> None:
    times = Counter(key.value for topic in TOPICS for key in _keys_as_written(topic))
    assert [key for key, number in times.items() if number > 1] == []


def test_keys_that_python_asks_for_exist_and_get_their_places() -> None:
    for path, call, key in _asked_in_python():
        where = f"{path.name}, line {call.lineno}: text('{key}')"
        if isinstance(call.args[0], ast.JoinedStr):
            assert any(name.startswith(key) for name in language.catalogue()), where
            continue
        assert key in language.catalogue(), where
        given = {word.arg for word in call.keywords}
        assert None in given or given >= set(PLACE.findall(language.catalogue()[key]["en"])), where


@pytest.mark.parametrize("name", WIDGET_NAMES)
def test_keys_that_a_widget_asks_for_are_in_its_file(name: str) -> None:
    lacking = set(_named_in_javascript(name)) - set(_texts_of_widget(name))
    assert lacking == set(), f"add them to views/texts/{name}.yaml, or correct widgets/{name}.js and what it imports"


@pytest.mark.parametrize("name", WIDGET_NAMES)
def test_places_in_a_widgets_texts_are_filled_in(name: str) -> None:
    for part in sorted(_modules(name)):
        for key, values in _FILLED_IN_JS.findall(_source(part)):
            given = set(re.findall(r"(\w+)(?=\s*[:,}])", f"{values}}}"))
            english = _texts_of_widget(name).get(key, {}).get("en", "")
            assert given >= set(PLACE.findall(english)), f"widgets/{part}.js: {key}"


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic not in DESCRIBING])
def test_every_key_is_used(topic: str) -> None:
    used, made = _used_in_python(topic)
    if topic in WIDGET_NAMES:
        sources = [_source(part) for part in _modules(topic)]
        used |= {*_named_in_javascript(topic), *(key for text in sources for key in _QUOTED_IN_JS.findall(text))}
        made += [f"{begun}.+" for text in sources for begun in _BEGUN_IN_JS.findall(text)]
    unused = [key for key in language.read_topic(topic)
              if key not in used | NAMED_BY_DATA and not any(re.fullmatch(pattern, key) for pattern in made)]
    assert unused == [], f"take them out of views/texts/{topic}.yaml"


@pytest.mark.parametrize(("wanted", "expected"), [("fr", "Lancer"), ("fr_CA.UTF-8", "Lancer"), ("en", "Run"),
                                                  ("de", "Run"), ("", "Run")])
def test_environment_chooses(monkeypatch: pytest.MonkeyPatch, wanted: str, expected: str) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", wanted)
    assert language.text("run") == expected


def test_language_can_be_set_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", "en")
    language.set_language("fr")
    assert language.text("stale", inputs="clinical") == "périmé : clinical a changé"
    assert language.texts_of("settings")["stage.data"] == "Données"
    with pytest.raises(SettingsError, match="there is no language 'de'"):
        language.set_language("de")


def test_labels_of_one_class_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    for chosen in language.LANGUAGES:
        monkeypatch.setenv("MEDOMICSLAB_LANG", chosen)
        for cls in settings_classes().values():
            labels = [label(cls, name) for name in cls.model_fields]
            assert len(set(labels)) == len(labels), cls.__name__


def _texts_of_widget(name: str) -> Mapping[str, Mapping[str, str]]:
    return {key: words for topic in (BESIDE.get(name), name) if topic in TOPICS
            for key, words in language.read_topic(topic).items()}


def _keys_as_written(topic: str) -> list[Any]:
    """The keys of a file with those that a later one of the same name would hide."""
    tree = yaml.compose((language.CATALOGUE / f"{topic}.yaml").read_text(encoding="utf-8"))
    return [key for key, _ in tree.value]


@cache
def _python() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in VIEWS.glob("*.py")}


def _asked_in_python() -> Iterator[tuple[Path, ast.Call, str]]:
    """Every call of ``text`` with the key that it names, or the beginning of that key."""
    for path, module in _python().items():
        for call in ast.walk(module):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "text" and call.args:
                yield from ((path, call, key) for key in _keys_of(call.args[0]))


def _keys_of(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.IfExp):
        return [*_keys_of(node.body), *_keys_of(node.orelse)]
    begun = isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant)
    return [str(node.values[0].value)] if begun else []  # type: ignore[attr-defined]


def _used_in_python(topic: str) -> tuple[set[str], list[str]]:
    """Keys that the views' code asks for or may hold, and patterns of keys that are put together there.

    A text with ``_`` may be a key wherever it stands; a plain word is one only where ``text`` asks for it.
    """
    nodes = [(path, node) for path, module in _python().items() for node in ast.walk(module)]
    written = {str(node.value) for _, node in nodes if isinstance(node, ast.Constant) and "_" in str(node.value)}
    written |= {key for _, call, key in _asked_in_python() if not isinstance(call.args[0], ast.JoinedStr)}
    patterns = [(path, "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+"
                               for part in node.values)) for path, node in nodes if isinstance(node, ast.JoinedStr)]
    # One that begins with what is filled in could be nearly anything: it counts for the view's own topic only.
    return written, [pattern for path, pattern in patterns if re.match(r"[a-z]+_", pattern)
                     or (path.stem == topic and re.fullmatch(r"\.\+_[\w.+]+", pattern))]


@cache
def _source(name: str) -> str:
    """A module without its comments."""
    source = (WIDGETS / f"{name}.js").read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/|^\s*//.*?$", "", source, flags=re.DOTALL | re.MULTILINE)


def _modules(name: str) -> set[str]:
    """A widget's module and all that it imports."""
    found, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += _IMPORT.findall(_source(one))
    return found


def _named_in_javascript(name: str) -> Iterator[str]:
    for part in _modules(name):
        for found in _NAMED_IN_JS.findall(_source(part)):
            yield found[0] or found[1]
