"""Modules of widgets: linked without a bundler, found however the package is installed, checked and tested by node."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import pytest

from medomicslab_nb.errors import RunError
from medomicslab_nb.views import widget
from medomicslab_nb.views.widget import Widget, linked, read_source

WIDGETS = Path(__file__).parents[2] / "widgets"
NODE_TESTS = Path(__file__).parents[1] / "widgets"


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Modules in place of those in the repository."""
    found: dict[str, str] = {}
    monkeypatch.setattr(widget, "read_source", lambda name: found[name])
    return found


def module_of(text: str) -> str:
    return base64.b64decode(re.findall(r"data:text/javascript;base64,([\w+/=]+)", text)[0]).decode()


@pytest.mark.parametrize("statement", ['import { a } from "./b.js";', "import { a } from './b.js';",
                                       'import {\n  a,\n  c,\n} from "./b.js";', 'export { a } from "./b.js";',
                                       'import "./b.js";'])
def test_what_a_module_imports_stands_in_its_place(sources: dict[str, str], statement: str) -> None:
    sources |= {"a.js": f"{statement}\nconst text = 'from the ./b.js file';", "b.js": "export const a = 'é';"}
    text = linked("a.js")
    assert module_of(text) == "export const a = 'é';"
    assert "'from the ./b.js file'" in text


def test_modules_are_linked_through_several_steps(sources: dict[str, str]) -> None:
    sources |= {"a.js": 'import { b } from "./b.js";', "b.js": 'export { b } from "./c.js";',
                "c.js": "export const b = 1;"}
    assert module_of(module_of(linked("a.js"))) == "export const b = 1;"


def test_missing_module_is_named() -> None:
    with pytest.raises(RunError, match=r"'nothing\.js' is missing"):
        read_source("nothing.js")


def test_every_widget_has_a_module_a_style_and_texts() -> None:
    found = Widget.__subclasses__()
    assert all("export default" in cls._esm and ".mlab" in cls._css for cls in found)


def test_modules_ask_for_nothing_from_outside() -> None:
    for path in [*WIDGETS.glob("*.js"), *WIDGETS.glob("*.css")]:
        content = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?://|@import|fetch\(|XMLHttpRequest|importScripts", content), path.name


def test_modules_pass_their_own_tests() -> None:
    done = subprocess.run(["node", "--test"], cwd=NODE_TESTS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"^# pass [1-9]", done.stdout, re.MULTILINE), "no test was found"
