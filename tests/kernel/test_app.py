"""The app of a stage: what its page holds, how Voila is started, and what is refused before."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import medomicslab_nb as ml
from medomicslab_nb.app import StudyApp, arguments, write_notebook
from medomicslab_nb.cli import main
from medomicslab_nb.errors import MissingExtraError
from medomicslab_nb.stages import STAGES, load

SHIPPED = [stage for stage in STAGES if stage != "generated"]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", "en")


def cells(path: Path) -> dict[str, str]:
    return {cell["id"]: "".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]}


@pytest.mark.parametrize("stage", SHIPPED)
def test_page_is_the_template_without_what_the_button_does(study: ml.Study, stage: str) -> None:
    path = write_notebook(STAGES[stage], study)
    found = cells(path)
    assert path == study.path / "cache" / "app" / f"{stage}.ipynb"
    assert list(found) == ["introduction", "parameters", "import", "view"]
    assert found["parameters"] == 'study = "../.."\nsettings = {}'
    assert found["view"].endswith("view")
    assert "Run All" not in found["introduction"] and "notebook" not in found["introduction"]


@pytest.mark.parametrize(("language", "title", "other"), [("en", "# Models", "Cette"), ("fr", "# Modèles", "This")])
def test_introduction_is_in_one_language(study: ml.Study, monkeypatch: pytest.MonkeyPatch, language: str, title: str,
                                         other: str) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", language)
    introduction = cells(write_notebook(STAGES["models"], study))["introduction"]
    assert introduction.splitlines()[0] == title
    assert len(introduction.split("\n\n")) >= 2
    assert other not in introduction and "---" not in introduction


def test_voila_listens_here_only_with_a_token_and_without_sources_or_files(study: ml.Study,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)  # pytest's own handlers stay
    server = StudyApp()
    server.initialize(arguments(study, write_notebook(STAGES["data"], study), port=8866, browser=False))
    page = server.voila_configuration
    assert (server.ip, server.auto_token, server.token, server.open_browser) == ("127.0.0.1", True, None, False)
    assert (page.strip_sources, page.show_tracebacks, page.preheat_kernel) == (True, False, False)
    assert (page.allow_template_override, page.allow_theme_override) == ("NO", "NO")
    assert page.file_allowlist == [r"\b\B"]
    assert Path(server.root_dir) == study.path


def starting(*words: str) -> list[str]:
    return ["app", *words, "--no-browser"]


def test_one_stage_a_page(study: ml.Study, capsys: pytest.CaptureFixture[str]) -> None:
    for given, said in (((), "not 0"), (("data", "models"), "not 2")):
        assert main(starting(*given, "--study", str(study.path))) == 1
        printed = capsys.readouterr().err
        assert said in printed and "another terminal" in printed
        assert "one of data, radiomics, text, models, federated" in printed


@pytest.mark.parametrize(("words", "said"), [(["model"], "Did you mean 'models'?"),
                                             (["models", "--lang", "de"], "there is no language 'de'")])
def test_wrong_words_are_refused_by_name(study: ml.Study, capsys: pytest.CaptureFixture[str], words: list[str],
                                         said: str) -> None:
    assert main(starting(*words, "--study", str(study.path))) == 1
    assert said in capsys.readouterr().err


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(starting("data", "--study", str(tmp_path))) == 1
    assert "study" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "medomicslab_nb.app")
    monkeypatch.setitem(sys.modules, "voila.app", None)
    with pytest.raises(MissingExtraError, match=r"medomicslab_nb\[app\]"):
        load("medomicslab_nb.app:app")


@pytest.mark.parametrize(("words", "expected"), [(["--lang", "fr"], "fr"), ([], "en")])
def test_language_of_the_lab_reaches_its_kernels(study: ml.Study, monkeypatch: pytest.MonkeyPatch, words: list[str],
                                                 expected: str) -> None:
    started: list[dict[str, str]] = []
    monkeypatch.setattr(os, "execve", lambda program, arguments, environment: started.append(environment))
    assert main(["lab", str(study.path), "--no-browser", *words]) == 0
    assert started[0]["MEDOMICSLAB_LANG"] == expected
