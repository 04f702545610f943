"""JupyterLab on this machine, and a notebook open in it, driven as a person would."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

from playwright.sync_api import Browser, Locator, Page, TimeoutError as TooLate

from medomicslab_nb.lab import OFFLINE

REPOSITORY = Path(__file__).parents[2]
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
# What JupyterLab itself says on every start; a notebook of ours has no part in it.
LAST = ".jp-Cell:has-text('run.report()')"
FAULT = ".jp-OutputArea-output:has-text('Traceback')"
NOT_OURS = ("favicon", "Service Worker", "workspaces", "[LSP]", "/lsp", "api/me", "ResizeObserver", "manifest")


COLLABORATION = ("@jupyter/collaboration-extension", "@jupyter/docprovider-extension")


@contextmanager
def jupyter_lab(root: Path, home: Path, *, collaboration: bool = False) -> Iterator[str]:
    """JupyterLab on 127.0.0.1 with a home of its own; gives its address."""
    _settings(home, "notebook-extension/tracker", {"windowingMode": "none"})
    _settings(home, "docmanager-extension/plugin", {"autosave": False})
    page = home / ".jupyter" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps({"disabledExtensions": dict.fromkeys(COLLABORATION, not collaboration)}))
    _settings(home, "apputils-extension/notification", {"fetchNews": "false", "checkForUpdates": False})
    port = _free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
               f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}",
               f"--ServerApp.jpserver_extensions={{'jupyter_server_ydoc': {collaboration}}}",
               "--IdentityProvider.token=", *OFFLINE]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "MEDOMICSLAB"))}
    environment |= {"HOME": str(home), "PYTHONPATH": str(REPOSITORY), "XDG_RUNTIME_DIR": str(home)}
    with (home / "jupyter.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=root)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address, home / "jupyter.log")
        yield address
    finally:
        server.terminate()
        server.wait(20)


def _settings(home: Path, plugin: str, content: dict[str, object]) -> None:
    path = home / ".jupyter" / "lab" / "user-settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, log: Path) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{address}/api", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"JupyterLab did not start: {log.read_text()[-2000:]}")


class NotebookPage:
    """One notebook in one browser window, with everything that it asked for and complained about."""

    def __init__(self, browser: Browser, address: str, notebook: str) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{address}/lab/tree/{notebook}?reset")
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Until the notebook is there and its kernel is idle."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_selector("#jp-main-statusbar >> text=(ipykernel) | Idle")

    def menu(self, menu: str, entry: str) -> None:
        """Choose an entry of the menu bar."""
        self.page.click(f".lm-MenuBar-itemLabel:text-is('{menu}')")
        self.page.click(f".lm-Menu-itemLabel:text-is('{entry}')")

    def theme(self, name: str) -> None:
        """Settings > Theme > the named one."""
        self.page.click(".lm-MenuBar-itemLabel:text-is('Settings')")
        self.page.click(".lm-Menu-itemLabel:text-is('Theme')")
        self.page.click(f".lm-Menu-itemLabel:text-is('{name}')")
        self.page.wait_for_function("dark => document.body.dataset.jpThemeLight === dark",
                                    arg=str("Dark" not in name).lower())

    def restart_kernel(self) -> None:
        """Kernel > Restart Kernel, confirmed."""
        self.menu("Kernel", "Restart Kernel…")
        self.page.click(".jp-Dialog button:has-text('Restart')")
        self.page.wait_for_timeout(500)
        self.wait_for_kernel()

    def show_view(self) -> None:
        """Run the cells up to the view."""
        self.run_cells("study =", "import medomicslab_nb", "ml.view(")
        self.view.locator(".medomicslab-status").wait_for()

    def run_all(self) -> None:
        """Run > Run All Cells, until the last cell has its output."""
        self.menu("Run", "Run All Cells")
        self.page.wait_for_selector(f"{LAST} .jp-OutputArea-output a, {FAULT}")
        faults = self.page.locator(FAULT).all_inner_texts()
        assert not faults, faults[0]

    def run_cells(self, *texts: str) -> None:
        """Run the cells that contain these texts, one after the other."""
        for text in texts:
            self.page.locator(".jp-CodeCell .jp-InputArea-editor", has_text=text).first.click()
            self.page.keyboard.press("Control+Enter")

    @property
    def view(self) -> Locator:
        """The view's cell with its output."""
        return self.page.locator(".jp-CodeCell", has_text="ml.view(")

    def field(self, name: str) -> Locator:
        """The row of a setting in the form, by its dotted name."""
        return self.view.locator(f".mlab-form [data-place='{name}']")

    def set(self, name: str, value: str) -> None:
        """Type a value into a setting's field, unfolded where it is folded."""
        box = self.field(name).locator("input, textarea").first
        if not box.is_visible():
            box.evaluate("box => { for (let at = box; at; at = at.parentElement.closest('details')) at.open = true; }")
        box.fill(value)
        box.press("Tab")

    def button(self, label: str) -> Locator:
        # Not by its role: the icon is part of a button's accessible name.
        # The last one: tools above the form may have a button to cancel of their own.
        return self.view.locator("button.jupyter-button", has_text=re.compile(rf"^\s*{label}\s*$")).last

    def wait_for_status(self, text: str, timeout_s: float = 90) -> None:
        """Until the view's status line begins with this text.

        Raises
        ------
        AssertionError
            It does not; the message has what it says instead, and a picture of the page is left.
        """
        try:
            self.view.locator(".medomicslab-status", has_text=text).wait_for(timeout=timeout_s * 1000)
        except TooLate as late:
            folder = Path(os.environ.get("MEDOMICSLAB_ARTEFACTS", "artefacts"))
            self.page.screenshot(path=folder / "status_not_reached.png")
            said = self.view.locator(".medomicslab-status").all_inner_texts()
            raise AssertionError(f"the status does not become '{text}' in {timeout_s:g} s; it says {said}; console: "
                                 f"{self.our_complaints()}") from late

    def figures(self) -> int:
        """How many plotly figures are drawn."""
        return self.page.locator(".jp-OutputArea .js-plotly-plot .main-svg:first-child").count()

    def foreign(self) -> list[str]:
        """Requests that left this machine."""
        return [url for url in self.requested
                if urlparse(url).scheme not in ("data", "blob") and urlparse(url).hostname != "127.0.0.1"]

    def our_complaints(self) -> list[str]:
        return [text for text in self.complaints if not any(known in text for known in NOT_OURS)]

    def close(self) -> None:
        self.context.close()
