"""Small pieces of HTML for notebooks; everything that comes from data or settings is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top"
# JupyterLab's own grey, which differs between its themes; elsewhere (an exported page) one for white paper.
_MUTED = "color:var(--jp-ui-font-color2, #57606a)"
_FAULT = "border-left:4px solid #d55e00;padding-left:6px;font-weight:600"


def escape(value: Any) -> str:
    """Text that no browser reads as markup."""
    return html.escape(str(value), quote=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, strong: Sequence[bool] = ()) -> str:
    """An HTML table; rows marked in ``strong`` are bold."""
    head = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in columns)
    body = "".join(_row(row, bold=place < len(strong) and strong[place]) for place, row in enumerate(rows))
    return f'<table style="border-collapse:collapse;font-size:13px"><thead><tr>{head}</tr></thead><tbody>{body}' \
           "</tbody></table>"


def _row(cells: Sequence[Any], *, bold: bool) -> str:
    style = f"{_CELL};font-weight:600" if bold else _CELL
    return "<tr>" + "".join(f'<td style="{style}">{escape(cell)}</td>' for cell in cells) + "</tr>"


def heading(title: str) -> str:
    """A small heading."""
    return f'<p style="font-weight:600;margin:10px 0 2px">{escape(title)}</p>'


def muted(words: str) -> str:
    """A line in grey."""
    return f'<span style="{_MUTED};font-size:12px">{escape(words)}</span>'


def fault(words: str) -> str:
    """What went wrong; marked by more than a colour, since no red is legible in both themes."""
    return f'<span class="medomicslab-fault" style="{_FAULT}">⚠ {escape(words)}</span>'


def warned(title: str, words: Sequence[str]) -> str:
    """Warnings in a box; nothing when there are none."""
    if not words:
        return ""
    lines = "".join(f"<li>{escape(one)}</li>" for one in words)
    style = "border-left:4px solid #e69f00;background:#fff8e8;color:#1b1f24;padding:6px 12px;margin:8px 0"
    return f'<div style="{style}">' \
           f"<b>{escape(title)}</b><ul>{lines}</ul></div>"


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The same table as aligned text."""
    lines = [[str(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in lines)
