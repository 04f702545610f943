"""A stage as an app: opened with its token, changed, run, cancelled; nothing else of the study can be had from it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import medomicslab_nb as ml
from medomicslab_nb.study import Study
from tests.ui.conftest import MODELS

pytestmark = pytest.mark.ui
# A browser asks for it unasked.
NOT_OURS = ("favicon",)
# Voila would run this file if it read configuration from where it is started.
CONFIGURATION = 'open("executed.txt", "w").close()\n'


@contextmanager
def served(study: Study, stage: str, cwd: Path, *words: str) -> Iterator[str]:
    """The address that ``medomicslab app`` prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "MEDOMICSLAB"))}
    environment |= {"PYTHONPATH": str(Path(ml.__file__).parents[1]), "HOME": str(cwd), "OMP_NUM_THREADS": "1"}
    log = cwd / f"{stage}.log"
    command = [sys.executable, "-P", "-m", "medomicslab_nb", "app", stage, "--study", str(study.path), "--no-browser",
               *words]
    with log.open("wb") as stream:
        server = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, cwd=cwd)
    try:
        yield _address(log, server)
    finally:
        server.terminate()
        server.wait(30)


def _address(log: Path, server: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\w{20,}\n", log.read_text())
        if found:
            return found.group().strip()
        assert server.poll() is None, log.read_text()
        time.sleep(0.1)
    raise TimeoutError(log.read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("voila")
    (made / "voila.py").write_text(CONFIGURATION)
    return made


@pytest.fixture(scope="module")
def address(study: Study, folder: Path) -> Iterator[str]:
    with served(study, "models", folder, "--port", "8866") as found:
        yield found


def open_page(browser: object, address: str):
    """The app's page, driven as the views in JupyterLab are."""
    from tests.ui.notebook_page import NotebookPage

    class AppPage(NotebookPage):
        def __init__(self) -> None:
            self.context = browser.new_context(viewport={"width": 1280, "height": 1000})
            self.page = self.context.new_page()
            self.page.set_default_timeout(60_000)
            self.requested, self.complaints = [], []
            self.page.on("request", lambda request: self.requested.append(request.url))
            self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
            self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
            self.page.goto(address)
            self.page.wait_for_selector(".medomicslab-status")

        @property
        def view(self):
            return self.page.locator("#rendered_cells")

        def our_complaints(self) -> list[str]:
            return [text for text in self.complaints if not any(known in text for known in NOT_OURS)]

    return AppPage()


def test_change_run_result_report_cancel(browser, study: Study, address: str, artefacts: Path) -> None:
    app = open_page(browser, address)
    assert "ml.view" not in app.page.content(), "no code"
    app.set("outcome", "dmfs")
    app.set("folds", "2")
    app.set("repeats", "1")
    for name in ("compare", "explain"):
        app.field(name).locator("input").uncheck()
    app.wait_for_status("Ready")
    app.page.screenshot(path=artefacts / "app_form.png", full_page=True)
    app.button("Run").click()
    app.wait_for_status("Running")
    app.wait_for_status("Completed")
    app.page.locator(".js-plotly-plot .main-svg").first.wait_for()
    app.page.wait_for_timeout(1000)
    record = [run for run in study.runs if run.stage == "models"][-1]
    assert (record.status, record.settings["outcome"], record.settings["folds"]) == ("completed", "dmfs", 2)
    assert app.page.locator(".js-plotly-plot").count() >= 4
    assert app.page.locator(".js-plotly-plot:not(:has(.main-svg))").count() == 0
    app.page.locator(".js-plotly-plot").first.scroll_into_view_if_needed()
    app.page.screenshot(path=artefacts / "app_result.png")
    _open_report(app, record.id, artefacts)

    app.set("repeats", "50")
    app.button("Run").click()
    app.wait_for_status("Running")
    app.button("Cancel").click()
    app.wait_for_status("Cancelled", timeout_s=30)
    assert [run for run in study.runs if run.stage == "models"][-1].status == "cancelled"
    assert app.foreign() == []
    assert app.our_complaints() == []
    app.close()


def _open_report(app, run: str, artefacts: Path) -> None:
    with app.context.expect_page() as opened:
        app.page.locator("a[href$='report.html']").first.click()
    report, complaints = opened.value, []
    report.on("console", lambda said: complaints.append(said.text))
    report.wait_for_selector(".figure .main-svg")
    assert run in report.title()
    report.screenshot(path=artefacts / "app_report.png")
    assert complaints == []
    report.close()


def test_page_may_ask_no_other_machine(browser, address: str) -> None:
    app = open_page(browser, address)
    refused = app.page.evaluate("""async () => {
      const seen = new Promise(done => document.addEventListener(
        "securitypolicyviolation", event => done(event.violatedDirective)));
      fetch("https://example.org/").catch(() => 0);
      return seen;
    }""")
    app.close()
    assert refused == "connect-src"


def get(address: str, path: str, *, token: bool) -> tuple[int, str]:
    """Status and final path of a request, as a fresh browser would make it."""
    parts = urlsplit(address)
    url = f"{parts.scheme}://{parts.netloc}{path}" + (f"?{parts.query}" if token else "")
    try:
        response: HTTPResponse = urllib.request.urlopen(url, timeout=20)
    except urllib.error.HTTPError as error:
        return error.code, urlsplit(error.url).path
    with response:
        return response.status, urlsplit(response.url).path


def test_nothing_without_the_token(study: Study, address: str) -> None:
    record = ml.run("models", study, MODELS, sinks=[])
    record.report()
    report = f"/voila/files/runs/{record.id}/report.html"
    assert get(address, report, token=True) == (200, report)
    assert get(address, report, token=False)[1] == "/login"
    assert get(address, f"/runs/{record.id}/report.html", token=False)[1] == "/login"
    assert get(address, "/", token=False)[1] == "/login"
    for path in ("/voila/api/shutdown/00000000-0000-0000-0000-000000000000",
                 "/api/kernels/00000000-0000-0000-0000-000000000000"):
        assert get(address, path, token=False)[0] in (403, 405)


def test_no_file_of_the_study_but_reports(study: Study, address: str, tmp_path: Path) -> None:
    record = ml.run("models", study, MODELS, sinks=[])
    outside = tmp_path / "outside.html"
    outside.write_text("secret")
    link = study.path / "runs" / "link"
    link.mkdir()
    (link / "report.html").symlink_to(outside)
    picture = study.path / "runs" / record.id / "slice.png"
    picture.write_bytes(b"pixels")
    files = [path.relative_to(study.path).as_posix() for path in study.path.rglob("*")
             if path.is_file() and path.name != "report.html" and "cache" not in path.parts]
    assert {"study.yaml", f"runs/{record.id}/slice.png"} <= set(files) and len(files) > 10
    wanted = [*files[:40], "study.yaml", f"runs/{record.id}/slice.png", "cache/app/models.ipynb",
              "runs/link/report.html", f"runs/{record.id}/../../study.yaml", "runs/%2e%2e/study.yaml"]
    answers = {path: get(address, f"/voila/files/{path}", token=True)[0] for path in wanted}
    assert {path: code for path, code in answers.items() if code not in (403, 404)} == {}
    (link / "report.html").unlink()
    link.rmdir()


def test_french_page_on_a_port_that_is_taken(browser, study: Study, address: str, folder: Path,
                                             artefacts: Path) -> None:
    with served(study, "data", folder, "--lang", "fr", "--port", str(urlsplit(address).port)) as second:
        assert urlsplit(second).port != urlsplit(address).port
        app = open_page(browser, second)
        assert app.page.locator("h1").inner_text().startswith("Données")
        app.button("Lancer").wait_for()
        app.page.screenshot(path=artefacts / "app_french.png", full_page=True)
        assert app.foreign() == [] and app.our_complaints() == []
        app.close()
    assert not (folder / "executed.txt").exists(), "no configuration is read from the working folder"
