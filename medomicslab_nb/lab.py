"""JupyterLab on a study: the templates as the study's own notebooks, on this machine only."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from medomicslab_nb.files import write_bytes
from medomicslab_nb.notebook import template_for
from medomicslab_nb.stages import STAGES
from medomicslab_nb.study import Study, open_study
from medomicslab_nb.views.language import set_language

# No news, no update check, no extension catalogue: nothing is asked of any other machine.
OFFLINE = ("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
           "--LabApp.extension_manager=readonly")
RUNS = "09_runs.ipynb"
"""The template that belongs to no stage: all runs of the study."""

# Without this JupyterLab asks whether it may fetch news.
_PAGE = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


def lab(folder: Path, *, port: int, browser: bool, lang: str | None = None) -> None:
    """Start JupyterLab on a study folder; this process becomes the server, bound to 127.0.0.1.

    The views of its notebooks speak ``lang``: ``en`` or ``fr``; otherwise what ``MEDOMICSLAB_LANG`` says.

    Raises
    ------
    SettingsError, StudyError
        There is no such language, or no such study.
    """
    study = open_study(folder)
    if lang:
        set_language(lang)
    notebooks = copy_templates(study)
    arguments = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={study.path}",
                 f"--LabApp.default_url=/lab/tree/{notebooks.name}/{STAGES['pipeline'].template}",
                 "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", *OFFLINE]
    if not browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    os.execve(sys.executable, arguments, {**os.environ, "JUPYTER_CONFIG_PATH": _configuration(study)})


def _configuration(study: Study) -> str:
    """The search path of JupyterLab's configuration with ours in front; the user's own stays as it is."""
    folder = study.path / "cache" / "jupyter"
    write_bytes(folder / "labconfig" / "page_config.json", json.dumps(_PAGE).encode())
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("JUPYTER_CONFIG_PATH")]))


def copy_templates(study: Study) -> Path:
    """Put the templates into the study's ``notebooks`` folder; one that is there already is never overwritten."""
    folder = study.path / "notebooks"
    for name in [*(stage.template for stage in STAGES.values()), RUNS]:
        target = folder / name
        if not target.exists():
            content = template_for(name, "..")
            write_bytes(target, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return folder
