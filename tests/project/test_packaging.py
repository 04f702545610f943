"""The wheel holds what it needs, templates are found however the package was installed, and versions are pinned."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TEMPLATES = sorted(path.name for path in ROOT.glob("templates/*.ipynb"))
CONSTRAINTS = sorted(ROOT.glob("constraints/py*.txt"))
FIND = "from medomicslab_nb.notebook import find_shipped; print(find_shipped('_{0}', '{0}', '{1}'))"
# A file of each folder that ships beside the package's code.
SHIPPED = pytest.mark.parametrize(("folder", "name"), [("templates", "01_data.ipynb"), ("widgets", "common.css")])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT)
    return next(folder.glob("*.whl"))


def command(arguments: list[str | Path], cwd: Path, path: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONPATH": str(path or "")}
    result = subprocess.run(arguments, cwd=cwd, env=environment, text=True, capture_output=True, timeout=120,
                            check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


def test_wheel_holds_code_templates_and_pages(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = [path for path in (ROOT / "medomicslab_nb").rglob("*")
               if path.is_file() and "__pycache__" not in path.parts]
    assert {path.relative_to(ROOT).as_posix() for path in sources} <= names
    assert TEMPLATES
    assert {f"medomicslab_nb/_templates/{name}" for name in TEMPLATES} <= names
    widgets = [path for path in (ROOT / "widgets").glob("*") if path.suffix in (".js", ".css")]
    assert {f"medomicslab_nb/_widgets/{path.name}" for path in widgets} <= names
    assert not [name for name in names if name.startswith("tests/")]
    assert any(name.endswith("licenses/LICENSE") for name in names)


@SHIPPED
def test_shipped_file_is_found_in_an_installed_wheel(wheel, tmp_path, folder, name):
    site = tmp_path / "site"
    command([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel],
            cwd=tmp_path)
    found = Path(command([sys.executable, "-c", FIND.format(folder, name)], cwd=tmp_path, path=site))
    assert found == site / "medomicslab_nb" / f"_{folder}" / name


@SHIPPED
def test_shipped_file_is_found_in_a_plain_checkout(tmp_path, folder, name):
    checkout = make_checkout(tmp_path)
    found = Path(command([sys.executable, "-c", FIND.format(folder, name)], cwd=tmp_path, path=checkout))
    assert found == checkout / folder / name


@SHIPPED
def test_shipped_file_of_an_editable_install_is_the_one_in_the_checkout(tmp_path, folder, name):
    # An editable install copies shipped files beside its pointer to the checkout, and the copies go stale.
    checkout, site = make_checkout(tmp_path), tmp_path / "site"
    build = f"from hatchling.build import build_editable; print(build_editable({str(tmp_path)!r}))"
    built = tmp_path / command([sys.executable, "-c", build], cwd=checkout).splitlines()[-1]
    zipfile.ZipFile(built).extractall(site)
    for copied in site.rglob(name):
        copied.write_text("stale")
    start = f"import site; site.addsitedir({str(site)!r}); site.addsitedir({sysconfig.get_path('purelib')!r}); "
    start += FIND.format(folder, name)
    found = Path(command([sys.executable, "-S", "-c", start], cwd=tmp_path))
    assert found == checkout / folder / name


def make_checkout(folder: Path) -> Path:
    checkout = folder / "checkout"
    copytree(ROOT / "medomicslab_nb", checkout / "medomicslab_nb", ignore=ignore_patterns("__pycache__"))
    for name in ("templates", "widgets"):
        copytree(ROOT / name, checkout / name)
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        copy(ROOT / name, checkout)
    return checkout


def test_every_import_is_declared():
    declared = {canonicalize_name(requirement.name) for requirement in requirements(*PROJECT["optional-dependencies"])}
    owners = metadata.packages_distributions()
    undeclared = {name: owners[name] for name in sorted(imported()) if name in owners
                  and not {canonicalize_name(owner) for owner in owners[name]} & declared}
    assert not undeclared


@pytest.mark.parametrize("file", CONSTRAINTS, ids=lambda path: path.stem)
def test_constraints_pin_everything_that_the_tests_install(file):
    pins = read_pins(file)
    environment = {"python_version": f"{file.stem[2]}.{file.stem[3:]}"}
    for requirement in requirements("all", "ibsi", "peers", "viewer3d", "test", "lint"):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement.name


@pytest.mark.parametrize("file", CONSTRAINTS, ids=lambda path: path.stem)
def test_constraints_keep_to_the_caps_of_flwr(file):
    pins = read_pins(file)
    for cap in ("packaging<26", "protobuf<7", "rich<15", "typer<0.21"):
        requirement = Requirement(cap)
        assert requirement.specifier.contains(pins[requirement.name]), cap


def test_there_are_constraints_for_every_supported_python():
    supported = {line.rsplit(" ", 1)[1].replace(".", "") for line in PROJECT["classifiers"] if "Python :: 3." in line}
    assert {file.stem.removeprefix("py") for file in CONSTRAINTS} == supported


def test_binder_takes_a_supported_python_and_its_constraints():
    python = (ROOT / "binder" / "runtime.txt").read_text("utf-8").strip().removeprefix("python-")
    file = f"constraints/py{python.replace('.', '')}.txt"
    assert (ROOT / file).exists()
    assert file in (ROOT / "binder" / "postBuild").read_text("utf-8")


def read_pins(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text("utf-8").splitlines() if not line.startswith("#")]
    # Names and versions only: no address, no path, no local build.
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    return dict(line.split("==") for line in lines)


def requirements(*extras: str) -> list[Requirement]:
    """The package's direct requirements, those of the extras included."""
    found = [Requirement(line) for line in PROJECT["dependencies"]]
    for extra in extras:
        for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
            found += requirements(*requirement.extras) if requirement.name == PROJECT["name"] else [requirement]
    return found


def imported() -> set[str]:
    """The top-level names that the package imports, anywhere."""
    names: set[str] = set()
    for path in (ROOT / "medomicslab_nb").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names - {"medomicslab_nb"} - set(sys.stdlib_module_names)
