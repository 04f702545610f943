"""Modules of widgets: linked without a bundler, found however the package is installed, checked and tested by node."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import ipywidgets
import pytest

from medomicslab_nb.errors import RunError
from medomicslab_nb.views import widget
from medomicslab_nb.views.fold_progress import FoldGrid
from medomicslab_nb.views.widget import Widget, linked, read_source

WIDGETS = Path(__file__).parents[2] / "widgets"
NODE_TESTS = Path(__file__).parents[1] / "widgets"


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Modules in place of those in the repository."""
    found: dict[str, str] = {}
    monkeypatch.setattr(widget, "read_source", lambda name: found[name])
    return found


@pytest.mark.parametrize("statement", ['import { a } from "./b.js";', "import { a } from './b.js';",
                                       'import {\n  a,\n  c,\n} from "./b.js";', 'export { a } from "./b.js";',
                                       'import "./b.js";'])
def test_what_a_module_imports_comes_with_it(sources: dict[str, str], statement: str) -> None:
    sources |= {"a.js": f"{statement}\nconst text = 'from the ./b.js file';", "b.js": "export const a = 'é';"}
    (b, b_text), (a, a_text) = linked("a.js")
    assert a.startswith("a.js#")
    assert b.startswith("b.js#")
    assert b_text == "export const a = 'é';"
    assert a_text == re.sub(r"""["']\./b\.js["'];""", f'"linked:{b}";', statement) + (
        "\nconst text = 'from the ./b.js file';")


def test_a_module_that_several_import_comes_once_and_before_them(sources: dict[str, str]) -> None:
    sources |= {"a.js": 'import { b } from "./b.js";\nimport { c } from "./c.js";',
                "b.js": 'export { c as b } from "./c.js";', "c.js": "export const c = 1;"}
    assert [name.partition("#")[0] for name, _ in linked("a.js")] == ["c.js", "b.js", "a.js"]


def test_a_name_is_of_one_content_with_all_that_it_imports(sources: dict[str, str]) -> None:
    sources |= {"a.js": 'import { b } from "./b.js";', "b.js": "export const b = 1;", "c.js": "export const c = 1;"}
    before = dict(linked("a.js"))
    assert dict(linked("a.js")) == before
    sources["b.js"] = "export const b = 2;"
    assert not set(dict(linked("a.js"))) & set(before)


def test_missing_module_is_named() -> None:
    with pytest.raises(RunError, match=r"'nothing\.js' is missing"):
        read_source("nothing.js")


def test_every_widget_has_a_module_a_style_and_texts() -> None:
    found = Widget.__subclasses__()
    assert all("export default" in cls._linked[-1][1] and ".mlab" in cls._css for cls in found)


def test_a_closed_widget_closes_the_layout_that_was_made_for_it() -> None:
    layout = ipywidgets.Layout()
    own, shared = FoldGrid(), FoldGrid(layout=layout)
    for one in (own, shared):
        one.close()
    assert own.layout.comm is None
    assert layout.comm is not None


def test_modules_ask_for_nothing_from_outside() -> None:
    for path in [*WIDGETS.glob("*.js"), *WIDGETS.glob("*.css")]:
        content = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?://|@import|fetch\(|XMLHttpRequest|importScripts", content), path.name


def test_modules_pass_their_own_tests() -> None:
    done = subprocess.run(["node", "--test"], cwd=NODE_TESTS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"^# pass [1-9]", done.stdout, re.MULTILINE), "no test was found"
