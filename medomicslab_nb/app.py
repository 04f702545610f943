"""A stage as a web page for those who do not code: its template served by Voila, here, to whoever has the token.

The page shows the view of the stage and no code. Nothing of the study can be downloaded from it but the reports of its
runs, and the browser is told to ask no other machine for anything.
"""

from __future__ import annotations

import json
import re
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import MissingExtraError, SettingsError
from medomicslab_nb.files import write_bytes
from medomicslab_nb.notebook import template_for
from medomicslab_nb.stages import STAGES, Stage, get_stage
from medomicslab_nb.study import Study, open_study
from medomicslab_nb.views.language import language, set_language

try:
    from jupyter_server.base.handlers import AuthenticatedFileHandler
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
    from tornado.ioloop import IOLoop
    from tornado.web import HTTPError
    from voila.app import Voila
except ImportError:
    raise MissingExtraError("an app", "app") from None

PAGE = Path(__file__).parent / "app_page"
# Widgets of ours come to the page as blob and data addresses; everything else is asked of this server.
_POLICY = ("default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
           "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; font-src 'self' data:; "
           "worker-src 'self' blob:; connect-src 'self' ws://127.0.0.1:*; object-src 'none'; base-uri 'self'; "
           "form-action 'self'; frame-ancestors 'none'")
_REPORTS = r"/voila/files/(runs/[\w-]+/report\.html)"
# Widgets, ours and those of ipywidgets, and plotly; what else JupyterLab has here may be made for another version.
_EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8", "anywidget",
               "jupyterlab-plotly")
_NOTHING = r"\b\B"  # a pattern that no file name has
# A page that was left open keeps its kernel; one that was lost (the computer slept) does not for long.
_CULL_S = 600
_PING_MS = 30_000  # Jupyter's default is longer than its interval, and it says so in the terminal


def app(stages: Sequence[str], folder: Path, *, port: int, browser: bool, lang: str | None = None) -> None:
    """Serve one stage of a study as a web page until Ctrl+C, bound to 127.0.0.1.

    Parameters
    ----------
    stages : sequence of str
        One name in ``STAGES``.
    folder : Path
        The study.
    port : int
        Where to listen; when it is taken, the next free one.
    browser : bool
        Whether to open the page in the browser.
    lang : str, optional
        ``en`` or ``fr``.

    Raises
    ------
    SettingsError
        No stage, several, or an unknown one; or an unknown language.
    StudyError
        There is no such study.
    """
    stage = _only(stages)
    study = open_study(folder)
    if lang:
        set_language(lang)
    StudyApp.launch_instance(arguments(study, write_notebook(stage, study), port=port, browser=browser))


def _only(stages: Sequence[str]) -> Stage:
    if len(stages) == 1:
        return get_stage(stages[0])
    raise SettingsError(f"an app shows one stage, not {len(stages)}", where="command line",
                        todo=f"Type: medomicslab app STAGE --study DIR, with one of {', '.join(STAGES)}; for a second "
                             "stage, the same in another terminal")


def write_notebook(stage: Stage, study: Study) -> Path:
    """Put the stage's template, cut down to its view, into the study's cache; gives its path."""
    content = template_for(stage.template, "../..")
    content["cells"] = [{**cell, "source": _introduction(cell["source"])} if cell["id"] == "introduction" else cell
                        for cell in content["cells"] if cell["id"] in ("introduction", "parameters", "import", "view")]
    path = study.path / "cache" / "app" / f"{stage.name}.ipynb"
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return path


def _introduction(source: list[str]) -> list[str]:
    """The introduction in the chosen language, without the paragraph on what to change in the notebook.

    The template holds a heading "English / French", the English paragraphs, a line, and the French ones.
    """
    heading, *rest = re.split(r"\n{2,}", "".join(source))
    middle = rest.index("---")
    chosen = rest[:middle] if language() == "en" else rest[middle + 1:]
    titles = heading.lstrip("# ").split(" / ")
    title = titles[0] if language() == "en" else titles[-1]
    told = [part for part in chosen if not part.startswith("**")]
    page = "\n\n".join([f"# {title}", *told]).replace("This notebook", "This page").replace("Ce notebook", "Cette page")
    return page.splitlines(keepends=True)


def arguments(study: Study, notebook: Path, *, port: int, browser: bool) -> list[str]:
    """Voila's command line: this machine only, a token, no code and no traceback, no file but what we serve."""
    return [str(notebook), f"--Voila.root_dir={study.path}", "--Voila.ip=127.0.0.1", f"--Voila.port={port}",
            "--Voila.auto_token=True", f"--Voila.open_browser={browser}", "--Voila.log_level=ERROR",
            "--VoilaConfiguration.strip_sources=True", "--VoilaConfiguration.show_tracebacks=False",
            "--VoilaConfiguration.preheat_kernel=False", f"--VoilaConfiguration.file_allowlist={_NOTHING}",
            *(f"--VoilaConfiguration.extension_allowlist={name}" for name in _EXTENSIONS),
            "--VoilaConfiguration.allow_template_override=NO", "--VoilaConfiguration.allow_theme_override=NO",
            f"--MappingKernelManager.cull_idle_timeout={_CULL_S}", "--MappingKernelManager.cull_interval=60",
            f"--VoilaConfiguration.multi_kernel_manager_class={__name__}.QuietKernels"]


class StudyApp(Voila):  # type: ignore[misc]  # Voila ships no types
    """Voila with its page, its headers and its files replaced by ours."""

    def load_config_file(self, *_: Any, **__: Any) -> None:
        """Read no configuration: Voila would run a ``voila.py`` that lies in the working folder."""

    def setup_template_dirs(self) -> None:
        """Our page before Voila's, which loads fonts from another machine."""
        super().setup_template_dirs()
        self.template_paths: list[str] = [str(PAGE), *self.template_paths]

    def init_settings(self) -> dict[str, Any]:
        """Tell the browser to load nothing from elsewhere, and to give the address with the token to nobody else."""
        headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "same-origin"}
        return {**super().init_settings(), "headers": headers, "ws_ping_timeout": _PING_MS}

    def init_handlers(self) -> list[Any]:
        """Reports of runs for those who have the token, before Voila's handler of files, which asks for none."""
        return [(_REPORTS, ReportHandler, {"path": self.root_dir}), *super().init_handlers()]

    def start(self) -> None:
        """Serve, and say where as soon as it is known."""
        IOLoop.current().add_callback(self._announce)
        super().start()

    def launch_browser(self) -> None:
        """Nothing yet: Voila would open the page without its token."""

    @property
    def address(self) -> str:
        """Where the page is, with the token."""
        return f"http://127.0.0.1:{self.port}/?token={self.identity_provider.token}"

    def _announce(self) -> None:
        print(f"The app is open on this computer, for whoever has this address:\n  {self.address}\n"
              "Stop it with Ctrl+C.", flush=True)
        if self.open_browser:
            webbrowser.open_new_tab(self.address)


class QuietKernels(AsyncMappingKernelManager):
    """Kernels that do not warn in the terminal of what holds for every kernel: 127.0.0.1 is not encrypted."""

    async def start_kernel(self, **kwargs: Any) -> str:  # type: ignore[override]
        """Start one as usual."""
        return await super().start_kernel(extra_arguments=["--IPKernelApp.log_level=40"], **kwargs)


class ReportHandler(AuthenticatedFileHandler):
    """The report of a run, for those who have the token."""

    @property
    def content_security_policy(self) -> str:
        """The report cannot reach the app that serves it; a figure can be saved from it."""
        return f"{_POLICY}; sandbox allow-scripts allow-downloads allow-modals"

    def validate_absolute_path(self, root: str, absolute_path: str) -> str:
        """Refuse a link that leads out of the study."""
        if not Path(absolute_path).resolve().is_relative_to(Path(root).resolve()):
            raise HTTPError(404)
        return super().validate_absolute_path(root, absolute_path)
