"""report.html: one file, offline, inert, free of identifiers."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from medomicslab_nb.errors import ProtectionError
from medomicslab_nb.protect import identifiers_in
from medomicslab_nb.report.html import write_report, write_study_report
from medomicslab_nb.study import Study
from tests.report.samples import HOSTILE, IDS, data_tables, finished_run, make_study, models_tables

LOADS = ("href", "src", "srcset", "action", "formaction", "data", "poster", "background", "cite", "ping", "manifest",
         "xlink:href")


class Page(HTMLParser):
    """Everything that could load something, and the scripts with their kind."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script" and dict(attrs).get("type") is None

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)
            self._in_script = False

    @property
    def without_scripts(self) -> str:
        return re.sub(r"<script.*?</script>", "", self.text, flags=re.DOTALL)

    def policy(self) -> dict[str, str]:
        content = next(attrs["content"] for tag, attrs in self.tags
                       if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy")
        return {part.split()[0]: part.partition(" ")[2] for part in str(content).split("; ")}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Page]:
    study = make_study(tmp_path_factory.mktemp("pages") / "study")
    records = [finished_run(study, "data", data_tables(HOSTILE)),
               finished_run(study, "models", models_tables(HOSTILE), {"outcome": "dmfs", "folds": 3})]
    return [*(Page(write_report(record)) for record in records), Page(write_study_report(study))]


def test_no_address_outside_the_file(pages: list[Page]) -> None:
    for page in pages:
        assert [attrs for _, attrs in page.tags if any(attrs.get(name) for name in LOADS)] == []
        style = "".join(re.findall(r"<style>(.*?)</style>", page.text, flags=re.DOTALL))
        assert "url(" not in style
        assert "@import" not in style


def test_policy_allows_nothing_but_the_scripts_of_the_page(pages: list[Page]) -> None:
    for page in pages:
        policy = page.policy()
        assert policy["default-src"] == "'none'"
        sums = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
                for text in page.scripts}
        assert set(policy["script-src"].split()) == sums
        assert len(page.scripts) == 2


def test_plotly_is_embedded_once(pages: list[Page]) -> None:
    for page in pages:
        assert page.text.count("plotly.js v") == 1
        assert len(page.text) < 8_000_000


def test_88_markup_in_a_column_name_is_inert(pages: list[Page]) -> None:
    for page in pages:
        assert "&lt;img src=x" in page.text
        assert "img" not in {tag for tag, _ in page.tags}
        assert "a" not in {tag for tag, _ in page.tags}
        assert "<img" not in page.without_scripts
        # Only our own blocks end a script: the hostile name stands in them as \\u003c.
        assert page.text.count("</script>") == page.text.count("<script")


def test_every_figure_has_its_numbers(pages: list[Page]) -> None:
    for page in pages:
        figures = sum(attrs.get("class") == "figure" for _, attrs in page.tags)
        assert figures >= 4
        assert page.text.count("Its numbers") == figures


def test_85_no_identifiers_and_no_table_row_by_row(pages: list[Page]) -> None:
    for page in pages:
        assert identifiers_in(page.without_scripts, IDS) == ()
        assert not any(patient in page.text for patient in IDS)


def test_85_identifier_in_a_warning_or_a_cell_is_redacted(study: Study) -> None:
    tables = data_tables()
    tables["quality"].loc[0, "finding"] = f"{IDS[3]} is there twice"
    record = finished_run(study, "data", tables, warnings=[f"look at {IDS[4]}"])
    text = write_report(record).read_text(encoding="utf-8")
    assert IDS[3] not in text
    assert IDS[4] not in text
    assert "[redacted] is there twice" in text


def test_85_identifier_that_reaches_the_page_is_refused(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medomicslab_nb.report.html.evidence",
                        lambda record: {**real(record), "warnings": [f"look at {IDS[4]}"]})
    from medomicslab_nb.report.evidence import evidence as real

    record = finished_run(study, "data", data_tables())
    with pytest.raises(ProtectionError, match="1 patient identifiers") as caught:
        write_report(record)
    assert IDS[4] not in str(caught.value)
    assert not (record.path / "report.html").exists()


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_run_without_result_has_a_report(study: Study, status: str) -> None:
    record = finished_run(study, "models", {}, {"outcome": "dmfs"}, status=status, error="the fold has no events")
    page = Page(write_report(record))
    assert "the fold has no events" in page.text
    assert page.scripts == []


def test_a_pipeline_holds_the_runs_that_it_is_made_of(study: Study) -> None:
    parts = [finished_run(study, "data", data_tables()),
             finished_run(study, "models", models_tables(survival=False), {"outcome": "dmfs"})]
    record = finished_run(study, "pipeline", {}, {"models": {"outcome": "dmfs"}},
                          metrics={part.stage: {"run": part.id} for part in parts})
    page = Page(write_report(record))
    assert all(part.id in page.text for part in parts)
    assert "ROC curve" in page.text


def test_an_empty_study_has_a_report(study: Study) -> None:
    assert "0 runs" in Page(write_study_report(study)).text
