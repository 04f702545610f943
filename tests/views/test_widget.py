"""Modules of widgets: linked without a bundler, found however the package is installed, checked and tested by node."""

from __future__ import annotations

import json
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


def modules_of(text: str) -> dict[str, str]:
    """The modules that a linked text carries, in their order."""
    return dict(json.loads(re.findall(r"^const modules = (.*);$", text, re.MULTILINE)[0]))


@pytest.mark.parametrize("statement", ['import { a } from "./b.js";', "import { a } from './b.js';",
                                       'import {\n  a,\n  c,\n} from "./b.js";', 'export { a } from "./b.js";',
                                       'import "./b.js";'])
def test_what_a_module_imports_comes_with_it(sources: dict[str, str], statement: str) -> None:
    sources |= {"a.js": f"{statement}\nconst text = 'from the ./b.js file';", "b.js": "export const a = 'é';"}
    modules = modules_of(linked("a.js"))
    assert list(modules) == ["b.js", "a.js"]
    assert modules["b.js"] == "export const a = 'é';"
    assert modules["a.js"] == re.sub(r"""["']\./b\.js["'];""", '"linked:b.js";', statement) + (
        "\nconst text = 'from the ./b.js file';")


def test_a_module_that_several_import_comes_once_and_before_them(sources: dict[str, str]) -> None:
    sources |= {"a.js": 'import { b } from "./b.js";\nimport { c } from "./c.js";',
                "b.js": 'export { c as b } from "./c.js";', "c.js": "export const c = 1;"}
    assert list(modules_of(linked("a.js"))) == ["c.js", "b.js", "a.js"]


def test_a_module_without_imports_stays_as_it_is(sources: dict[str, str]) -> None:
    sources |= {"a.js": "export default { render };"}
    assert linked("a.js") == "export default { render };"


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
