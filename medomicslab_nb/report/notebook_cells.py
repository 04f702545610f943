"""Cells of a notebook as plain dicts that a page shows: what was written, the code, and what each cell left."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from nbconvert.filters.ansi import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

PLOTLY = "application/vnd.plotly.v1+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp")
_CODE: HtmlFormatter[str] = HtmlFormatter(style="xcode", nowrap=True)
# A terminal shows of a line what was written after its last carriage return.
_OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")

Clean = Callable[[str], Markup]
Shown = dict[str, Any]


def cells_of(notebook: Mapping[str, Any], clean: Clean) -> list[Shown]:
    """The cells in order; ``clean`` makes HTML from anywhere harmless.

    Returns
    -------
    list of dict
        ``kind`` is markdown (``html``), raw (``text``) or code (``source``, ``open``, ``outputs``). An output's
        ``kind`` is figure (``id``, ``json``, ``height``, ``title``, ``twin``), html (``html``), picture (``source``,
        ``alt``), text or error (``text``), or control: a widget of which nothing is left.
    """
    found = [_cell(cell, clean) for cell in notebook["cells"]]
    for place, figure in enumerate(figures_of(found)):
        figure["id"] = f"figure-{place}"
    return found


def figures_of(cells: list[Shown]) -> list[Shown]:
    """The figures among the outputs of cells."""
    return [output for cell in cells for output in cell.get("outputs", ()) if output["kind"] == "figure"]


def title_of(notebook: Mapping[str, Any], name: str) -> str:
    """The first heading, else the file's name."""
    for cell in notebook["cells"]:
        heading = re.search(r"^#+\s+(.+)$", _text(cell["source"]), re.MULTILINE)
        if cell["cell_type"] == "markdown" and heading:
            return heading[1].strip()
    return name


def whole_numbers(figure: Any) -> Iterator[str]:
    """The whole numbers of a plotly figure as texts, of packed arrays too: hovering shows them."""
    if isinstance(figure, dict):
        for value in _unpacked(figure):
            yield from whole_numbers(value)
    elif isinstance(figure, list):
        for value in figure:
            yield from whole_numbers(value)
    elif isinstance(figure, int) or (isinstance(figure, float) and figure.is_integer()):
        yield str(int(figure))
    elif isinstance(figure, str) and re.fullmatch(r"\d+\.0", figure):  # what plotly makes of a float among texts
        yield figure[:-2]


def _unpacked(content: Mapping[str, Any]) -> list[Any]:
    """Values of a mapping; of an array that plotly has packed, its numbers."""
    try:
        return list(np.frombuffer(base64.b64decode(content["bdata"]), np.dtype(content["dtype"])).tolist())
    except (KeyError, TypeError, ValueError):
        return list(content.values())


def code_style() -> Markup:
    """The stylesheet for highlighted code."""
    return Markup(_CODE.get_style_defs(".source"))


def _cell(cell: Mapping[str, Any], clean: Clean) -> Shown:
    source = _text(cell["source"])
    if cell["cell_type"] == "markdown":
        return {"kind": "markdown", "html": clean(_markdown(source, cell.get("attachments") or {}))}
    if cell["cell_type"] != "code":
        return {"kind": "raw", "text": source}
    hidden = cell["metadata"].get("jupyter", {}).get("source_hidden", False)
    code = Markup(highlight(source, PythonLexer(), _CODE)) if source.strip() else ""
    return {"kind": "code", "source": code, "open": not hidden,
            "outputs": list(_joined(_output(one, clean) for one in cell["outputs"]))}


def _markdown(source: str, attachments: Mapping[str, Any]) -> str:
    renderer = IPythonRenderer(escape=False, attachments=dict(attachments), exclude_anchor_links=True)
    return str(MarkdownWithMath(renderer=renderer).render(source))


def _joined(outputs: Iterator[Shown]) -> Iterator[Shown]:
    """Texts that follow each other as one: a stream comes in pieces."""
    waiting: Shown | None = None
    for output in outputs:
        if waiting and output["kind"] == waiting["kind"] == "text":
            waiting = {**waiting, "text": waiting["text"] + output["text"]}
            continue
        if waiting:
            yield waiting
        waiting = output
    if waiting:
        yield waiting


def _output(output: Mapping[str, Any], clean: Clean) -> Shown:
    kind = output["output_type"]
    if kind == "stream":
        return {"kind": "text", "text": _plain(_text(output["text"]))}
    if kind == "error":
        said = "\n".join(output["traceback"]) or f"{output['ename']}: {output['evalue']}"
        return {"kind": "error", "text": _plain(said)}
    return _data(output["data"], clean)


def _data(data: Mapping[str, Any], clean: Clean) -> Shown:
    """The richest form of an output that needs no kernel; of a widget, what stands beside it."""
    if PLOTLY in data:
        return _figure(data, clean)
    if "text/html" in data:
        return {"kind": "html", "html": clean(_text(data["text/html"]))}
    for kind in _PICTURES:
        if kind in data:
            return {"kind": "picture", "source": _address(kind, _text(data[kind])), "alt": _caption(data)}
    if "text/markdown" in data:
        return {"kind": "html", "html": clean(_markdown(_text(data["text/markdown"]), {}))}
    if _WIDGET in data:
        return {"kind": "control"}
    return {"kind": "text", "text": _plain(_text(data.get("text/plain", ""))) + "\n"}


def _figure(data: Mapping[str, Any], clean: Clean) -> Shown:
    drawn = {name: data[PLOTLY].get(name, {} if name == "layout" else []) for name in ("data", "layout")}
    title = drawn["layout"].get("title") or ""
    return {"kind": "figure", "json": json.dumps(drawn), "height": _height(drawn["layout"].get("height")),
            "title": title if isinstance(title, str) else title.get("text") or "",
            "twin": clean(_text(data.get("text/html", "")))}


def _height(stated: Any) -> int:
    return int(stated) if isinstance(stated, (int, float)) else 450


def _address(kind: str, content: str) -> str:
    if kind == "image/svg+xml":  # as an image its scripts do not run
        content = base64.b64encode(content.encode()).decode()
    return f"data:{kind};base64,{re.sub(r'[^A-Za-z0-9+/=]', '', content)}"


def _caption(data: Mapping[str, Any]) -> str:
    found = _text(data.get("text/plain", ""))
    return "" if found.startswith("<") else found


def _plain(text: str) -> str:
    return _OVERWRITTEN.sub("", strip_ansi(text))


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(content)
