"""A notebook as a page: every output without a kernel, nothing that loads or runs, no identifiers, links that work."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from medomicslab_nb.cli import main
from medomicslab_nb.errors import DataError, ProtectionError, SettingsError
from medomicslab_nb.report.clean_html import clean_html
from medomicslab_nb.report.notebook_cells import PLOTLY
from medomicslab_nb.report.notebook_html import OfflineExporter, export_notebook
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column
from tests.report.samples import IDS, make_study
from tests.report.test_html import LOADS, Page

PIXEL = base64.b64encode(b"\x89PNG\r\n").decode()
HOSTILE = ('<script>document.title = "taken"</script><img src="x.png" onerror="alert(1)">'
           '<img src="https://evil.example/x.png"><a href="javascript:alert(1)">a</a><iframe src="https://evil.example">'
           '</iframe><meta http-equiv="refresh" content="0;url=https://evil.example"><svg onload="alert(1)"></svg>'
           '<link rel="stylesheet" href="https://evil.example/x.css"><style>@import "https://evil.example"</style>'
           '<form action="https://evil.example"><input name="a"></form><div class="figure" id="figure-0"'
           ' style="position:fixed;background:url(https://evil.example)">kept</div>')
LONG = '<a href="data:text/html,<script>1</script>">b</a>'


def figure_output(title: str = "Curve") -> Any:
    figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 4])).update_layout(title=title, height=300)
    return new_output("display_data", {"application/vnd.plotly.v1+json": json.loads(figure.to_json()),
                                       "text/html": "<table><tr><td>twin</td></tr></table>", "text/plain": title})


def html_output(text: str) -> Any:
    return new_output("display_data", {"text/html": text, "text/plain": ""})


def notebook_of(*outputs: Any, cells: Sequence[Any] = (), source: str = "1") -> Any:
    return new_notebook(cells=[*cells, new_code_cell(source, outputs=list(outputs))])


def write(path: Path, notebook: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def page_of(tmp_path: Path, *outputs: Any, cells: Sequence[Any] = (), source: str = "1") -> Page:
    return Page(export_notebook(write(tmp_path / "a.ipynb", notebook_of(*outputs, cells=cells, source=source)))[0])


def test_plotly_once_for_all_figures_and_their_numbers_folded(tmp_path: Path) -> None:
    page = page_of(tmp_path, figure_output(), figure_output("</script><b>x"))
    assert page.text.count("<script>") == 2
    assert page.text.count("plotly.js v") == 1
    assert re.findall(r'data-source="(figure-\d)"', page.text) == ["figure-0", "figure-1"]
    assert page.without_scripts.count("<td>twin</td>") == 2
    assert "&lt;/script&gt;&lt;b&gt;x" in page.text
    blocks = re.findall(r'<script type="application/json" id="figure-\d">(.*?)</script>', page.text)
    assert [json.loads(block)["layout"]["height"] for block in blocks] == [300, 300]


def test_a_page_without_figures_is_small(tmp_path: Path) -> None:
    page = page_of(tmp_path, new_output("stream", name="stdout", text="done"))
    assert len(page.text) < 20_000
    assert page.scripts == []


def test_policy_is_that_of_the_reports(tmp_path: Path) -> None:
    policy = page_of(tmp_path, figure_output()).policy()
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in policy["script-src"]


def test_bad_input_88_hostile_html_leaves_nothing_that_loads_or_runs(tmp_path: Path) -> None:
    cells = [new_markdown_cell(HOSTILE + "\n\n[c](javascript:alert(1))"), new_raw_cell(HOSTILE)]
    page = page_of(tmp_path, html_output(HOSTILE + LONG), figure_output(), cells=cells)
    ours = [(tag, attrs) for tag, attrs in page.tags if tag not in ("td", "table", "tr")]
    assert [tag for tag, _ in ours if tag in ("iframe", "link", "svg", "form", "input")] == []
    assert [attrs for tag, attrs in ours if tag == "meta" and attrs.get("http-equiv") == "refresh"] == []
    assert [name for _, attrs in ours for name in attrs if name.startswith("on")] == []
    assert [attrs[name] for _, attrs in ours for name in LOADS if attrs.get(name)] == []
    assert [attrs for tag, attrs in ours if tag == "div" and "position" in (attrs.get("style") or "")] == []
    assert [attrs.get("id") for _, attrs in ours if attrs.get("id")] == ["figure-0"], "nothing takes a figure's place"
    assert len(page.scripts) == 2
    assert "kept" in page.without_scripts


def test_every_kind_of_output(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        new_output("stream", name="stdout", text="fold 1\rfold 2\nmore"),
        new_output("stream", name="stderr", text=" and more\n"),
        new_output("error", ename="SettingsError", evalue="wrong", traceback=["\x1b[31mwrong <b>\x1b[0m"]),
        new_output("display_data", {"image/png": PIXEL, "text/plain": "a slice"}),
        new_output("display_data", {"image/svg+xml": "<svg onload='alert(1)'/>", "text/plain": "<IPython.SVG>"}),
        new_output("display_data", {"text/markdown": "**bold**"}),
        new_output("execute_result", {"text/plain": "4 < 5"}),
        cells=[new_markdown_cell("# A title / Un titre\n\n| a |\n|---|\n| 1 |"), new_raw_cell("raw <i>")],
        source='print("<b>")')
    shown = page.without_scripts
    assert "<pre class=\"output\">fold 2\nmore and more\n</pre>" in shown
    assert "<pre class=\"error\">wrong &lt;b&gt;</pre>" in shown
    assert f'src="data:image/png;base64,{PIXEL}" alt="a slice"' in shown
    assert 'src="data:image/svg+xml;base64,' in shown
    assert "<strong>bold</strong>" in shown
    assert "4 &lt; 5" in shown
    assert "<title>A title / Un titre</title>" in shown
    assert "<td>1</td>" in shown
    assert "raw &lt;i&gt;" in shown
    assert '<details class="code" open><summary>Code</summary>' in shown
    assert "&lt;b&gt;" in shown.split("</summary>")[1].split("</details>")[0]


def test_widgets_leave_their_twin_or_a_word(tmp_path: Path) -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "abc", "version_major": 2, "version_minor": 0}}
    page = page_of(tmp_path, new_output("display_data", {**view, "text/plain": "VBox(children=())"}),
                   new_output("display_data", {**view, "text/plain": "Viewer()", "image/png": PIXEL}),
                   new_output("display_data", {**view, "text/plain": "Form()", "text/html": "<p>settings</p>"}))
    assert page.without_scripts.count("needs a running notebook") == 1
    assert "VBox" not in page.text and "Form()" not in page.text
    assert PIXEL in page.text and "<p>settings</p>" in page.text


def test_pictures_beside_the_notebook_are_embedded_and_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "a b.png").write_bytes(b"pixels")
    (folder / "data.parquet").write_bytes(b"rows")
    pictures = ("a%20b.png", "../secret.png", "data.parquet", "none.png", "https://evil.example/x.png")
    shown = clean_html("".join(f'<img src="{name}">' for name in pictures), folder)
    assert shown.count("data:image/png;base64,") == 1
    assert base64.b64encode(b"pixels").decode() in shown
    attached = {"dot.png": {"image/png": PIXEL}}
    page = page_of(tmp_path, cells=[new_markdown_cell("![dot](attachment:dot.png)", attachments=attached)])
    assert f'src="data:image/png;base64,{PIXEL}"' in page.text


def test_links_to_reports_stay_relative(tmp_path: Path) -> None:
    links = html_output('<a href="../runs/1/report.html" target="_blank">report</a> <a href="#b">b</a>')
    notebook = write(tmp_path / "notebooks" / "a.ipynb", notebook_of(links))
    assert 'href="../runs/1/report.html"' in export_notebook(notebook)[0].read_text()
    moved = export_notebook(notebook, tmp_path / "out" / "page.html")[0].read_text()
    assert 'href="../runs/1/report.html"' in moved
    assert 'href="runs/1/report.html"' in export_notebook(notebook, tmp_path / "page.html")[0].read_text()
    assert 'href="#b"' in moved


@pytest.mark.parametrize("place", ["notebooks/a.ipynb", "runs/1/notebook.ipynb", "../a.ipynb"])
@pytest.mark.parametrize("where", ["html", "text", "figure", "code", "markdown"])
def test_bad_input_85_identifiers_of_the_study_stop_the_export(tmp_path: Path, place: str, where: str) -> None:
    study = make_study(tmp_path / "study")
    name = next(iter(IDS))
    outputs = {"html": html_output(f"<td>{name}</td>"), "figure": figure_output(f"Patient {name}"),
               "text": new_output("stream", name="stdout", text=f"reads {name}\n")}
    cells = [new_markdown_cell(f"About **{name}**")] if where == "markdown" else []
    cells = [*cells, new_code_cell('study = "study"\nsettings = {}', metadata={"tags": ["parameters"]})]
    notebook = notebook_of(*([outputs[where]] if where in outputs else []), cells=cells,
                           source=f"x = {name}" if where == "code" else "1")
    path = write((study.path / place).resolve(), notebook)
    with pytest.raises(ProtectionError, match="1 patient identifiers stand") as caught:
        export_notebook(path)
    assert name not in str(caught.value)
    assert not path.with_suffix(".html").exists()


@pytest.fixture
def numbered(tmp_path: Path) -> Study:
    """A study whose patients have numbers."""
    study = create_study(tmp_path / "numbered")
    names = [str(70_000_000 + place) for place in range(10)]
    study.add_table("clinical", pd.DataFrame({"patient": names}), columns={
        "patient": Column(role="identifier", type="text")})
    return study


NUMBER = 70_000_001
PIXELS = f'<image href="data:image/png;base64,iVBO/{NUMBER}/"/>'  # digits of pixels that spell it by chance


def svg(text: object) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg">{PIXELS}<text>{text}</text></svg>'


def address(text: object, line: int = 10_000) -> str:
    digits = base64.b64encode(svg(text).encode()).decode()
    return "data:image/svg+xml;base64,\n" + "\n".join(digits[at:at + line] for at in range(0, len(digits), line))


def drawn_picture(way: str, text: object, folder: Path) -> Any:
    """A notebook with an SVG picture."""
    if way == "output":
        return notebook_of(new_output("display_data", {"image/svg+xml": svg(text), "text/plain": ""}))
    if way == "attachment":
        attached = {"a.svg": {"image/svg+xml": address(text).split(",")[1]}}
        return notebook_of(cells=[new_markdown_cell("![a](attachment:a.svg)", attachments=attached)])
    if way == "file":
        (folder / "a.svg").write_text(svg(text))
        return notebook_of(cells=[new_markdown_cell("![a](a.svg)")])
    if way == "figure":
        figure = go.Figure().add_layout_image(source=address(text))
        return notebook_of(new_output("display_data", {PLOTLY: json.loads(figure.to_json())}))
    return notebook_of(html_output(f'<img src="{address(text, 60 if way == "lines" else 10_000)}">'))


@pytest.mark.parametrize("way", ["output", "attachment", "file", "figure", "html", "lines"])
@pytest.mark.parametrize("text", [NUMBER, "Patient <tspan>7000</tspan><tspan>0001</tspan>", "&#55;0000001"])
def test_identifiers_written_in_svg_stop_the_export(numbered: Study, way: str, text: object) -> None:
    path = write(numbered.path / "a.ipynb", drawn_picture(way, text, numbered.path))
    with pytest.raises(ProtectionError, match="1 patient identifiers stand"):
        export_notebook(path)
    harmless = write(numbered.path / "a.ipynb", drawn_picture(way, "Patient 7", numbered.path))
    assert export_notebook(harmless)[1]
    assert way == "figure" or 'src="data:image/svg+xml;base64,' in harmless.with_suffix(".html").read_text()


def test_words_after_a_picture_in_a_text_are_searched(numbered: Study) -> None:
    path = write(numbered.path / "a.ipynb", notebook_of(source=f"# {address('x')} {NUMBER}"))
    with pytest.raises(ProtectionError):
        export_notebook(path)


def test_packed_pictures_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.svgz").write_bytes(gzip.compress(svg(NUMBER).encode()))
    assert "base64" not in clean_html('<img src="a.svgz">', tmp_path)


NUMBERS = np.array([[NUMBER, 1], [5, 2]])


@pytest.mark.parametrize("traces", [
    go.Scatter(x=[1, 2], y=[3, 4], customdata=NUMBERS), go.Scatter(x=[1, 2], y=[3, 4], customdata=NUMBERS.tolist()),
    go.Scatter(x=[1, 2], y=[3, 4], customdata=NUMBERS * 1.0), go.Scatter(x=NUMBERS[:, 0] * 1.0, y=[3, 4]),
    go.Scatter(x=[1, 2], y=NUMBERS[:, 0].tolist()), go.Scatter(x=[1, 2], y=[3, 4], ids=NUMBERS[:, 0]),
    go.Scatter(x=[1, 2], y=[3, 4], text=NUMBERS[:, 0]), go.Pie(labels=NUMBERS[:, 0], values=[1, 2]),
    go.Scatter(x=[1, 2], y=[3, 4], hovertext=[float(NUMBER), None]), go.Table(cells={"values": NUMBERS.tolist()})])
def test_identifiers_that_a_figure_holds_as_numbers_stop_the_export(numbered: Study, traces: Any) -> None:
    output = new_output("display_data", {PLOTLY: json.loads(go.Figure(traces).to_json())})
    with pytest.raises(ProtectionError, match="1 patient identifiers stand"):
        export_notebook(write(numbered.path / "a.ipynb", notebook_of(output)))


def test_other_numbers_of_a_figure_are_no_identifiers(tmp_path: Path, numbered: Study) -> None:
    near = [NUMBER + 0.5, NUMBER / 1e8, NUMBER * 10.0, float("nan"), True]
    figure = go.Figure(go.Scatter(x=np.array(near), y=near, customdata=[{"bdata": "no digits", "dtype": "i4"}]))
    output = new_output("display_data", {PLOTLY: json.loads(figure.to_json())})
    assert export_notebook(write(numbered.path / "a.ipynb", notebook_of(output)))[1]
    # Short numbers are everywhere: only identifiers that can be told from them are looked for.
    short = create_study(tmp_path / "short")
    short.add_table("clinical", pd.DataFrame({"patient": list("12345")}), columns={
        "patient": Column(role="identifier", type="text")})
    assert export_notebook(write(short.path / "a.ipynb", notebook_of(figure_output())))[1]


NOT_SEARCHED = "this page was not searched for patient identifiers"
OPENED = {
    "call": 'import medomicslab_nb as ml\nstudy = ml.open_study("PLACE")', "keyword": 'ml.view("data", study="PLACE")',
    "made": 'study = create_study("PLACE", name="x")', "view": 'view("models", r"PLACE", {"outcome": "a"})',
    "path": 'where = Path("PLACE")\nstudy = ml.open_study(where)', "inside": 'def f():\n    return open_study("PLACE")',
    "magics": '%matplotlib inline\n!ls "x\nif True:\n    study = ml.open_study("PLACE")  # "\\d"\nx = "\\d"',
    "timed": '%time study = ml.open_study("PLACE")', "cell": '%%time\nstudy = ml.open_study(\n    "PLACE")',
    "fault": "x = (  # don't, isn't\nml.runs('PLACE')  # isn't", "sign": '!ls  # don\'t "a" isn\'t\nview(\n"PLACE")'}


def exported_by_jupyter(notebook: Any, folder: Path | None) -> str:
    about = {"name": "a"} if folder is None else {"name": "a", "path": str(folder)}
    return str(OfflineExporter().from_notebook_node(notebook, {"metadata": about})[0])


@pytest.mark.parametrize("way", OPENED)
@pytest.mark.parametrize("place", ["absolute", "relative", "of no file"])
def test_a_study_that_any_cell_opens_is_searched(tmp_path: Path, numbered: Study, way: str, place: str) -> None:
    folder = None if place == "of no file" else tmp_path / "far" / "from" / "the" / "study"
    if folder is not None:
        folder.mkdir(parents=True)
    source = OPENED[way].replace("PLACE", "../../../../numbered" if place == "relative" else str(numbered.path))
    with pytest.raises(ProtectionError, match="1 patient identifiers stand"):
        exported_by_jupyter(notebook_of(html_output(f"<td>{NUMBER}</td>"), source=source), folder)
    assert NOT_SEARCHED not in exported_by_jupyter(notebook_of(source=source), folder)


@pytest.mark.parametrize("source", ["1", 'ml.open_study("gone")', f'x = "{"long" * 2000}" + "\\0"', "(\n%\n)"])
def test_a_page_that_was_not_searched_says_so(tmp_path: Path, source: str) -> None:
    words = [new_markdown_cell('Open it with `open_study("x")`')]
    for folder in (None, tmp_path):
        assert exported_by_jupyter(notebook_of(cells=words, source=source), folder).count(NOT_SEARCHED) == 1


def test_pictures_are_no_text(tmp_path: Path) -> None:
    """The digits of a picture may spell an identifier by chance."""
    study = make_study(tmp_path / "study")
    name = next(one for one in IDS if re.fullmatch(r"[A-Za-z0-9-]+", one)).replace("-", "/")
    picture = new_output("display_data", {"image/png": f"/{name}/"})
    path = write(study.path / "notebooks" / "a.ipynb", notebook_of(picture))
    assert export_notebook(path) == (path.with_suffix(".html"), True)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.ipynb", notebook_of(html_output("<p>x</p>")))
    assert main(["export", str(path), "--out", str(tmp_path / "b.html")]) == 0
    printed = capsys.readouterr().out
    assert "b.html" in printed and "not searched for patient identifiers" in printed
    assert (tmp_path / "b.html").exists()


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        export_notebook(tmp_path / "none.ipynb")
    (tmp_path / "table.ipynb").write_text("a,b")
    (tmp_path / "other.ipynb").write_text("{}")
    for name in ("table.ipynb", "other.ipynb"):
        with pytest.raises(DataError, match="no notebook"):
            export_notebook(tmp_path / name)
    path = write(tmp_path / "a.ipynb", notebook_of())
    with pytest.raises(SettingsError, match=r"does not end with \.html"):
        export_notebook(path, path)


def test_jupyter_finds_the_exporter(tmp_path: Path) -> None:
    import tomllib

    path = write(tmp_path / "a.ipynb", notebook_of(figure_output()))
    subprocess.run([sys.executable, "-m", "nbconvert", "--to", "medomicslab_nb.report.notebook_html.OfflineExporter",
                    str(path)], check=True, capture_output=True, cwd=tmp_path)
    assert (tmp_path / "a.html").read_text() == export_notebook(path, tmp_path / "b.html")[0].read_text()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    entries = project["entry-points"]["nbconvert.exporters"]
    assert entries == {"HTML_offline": f"{OfflineExporter.__module__}:{OfflineExporter.__qualname__}"}
    assert OfflineExporter().export_from_notebook == "medomicslab HTML (offline)"
