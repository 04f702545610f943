"""HTML that a notebook holds, cut down to what shows something: no scripts, no handlers, no addresses that load."""

from __future__ import annotations

import base64
import mimetypes
import os
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import bleach
from bleach.css_sanitizer import ALLOWED_CSS_PROPERTIES, CSSSanitizer
from markupsafe import Markup

_TAGS = frozenset(
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 "
    "hr i img ins kbd li mark ol p pre s samp section small span strong sub summary sup table tbody td tfoot th thead "
    "tr tt u ul var".split())
_EVERYWHERE = frozenset("align dir lang role scope style title".split())
_OF_TAG = {"a": ("href",), "img": ("alt", "width", "height"), "td": ("colspan", "rowspan"),
           "th": ("colspan", "rowspan"), "ol": ("start",), "details": ("open",)}
# What places text in the flow of the page; nothing that lays it over the page or loads.
_STYLES = ALLOWED_CSS_PROPERTIES | frozenset(
    "align-items background border border-bottom border-left border-radius border-right border-spacing border-top "
    "border-style border-width flex flex-direction flex-wrap gap grid-template-columns justify-content list-style-type "
    "margin margin-bottom margin-left margin-right margin-top max-height max-width min-width object-fit overflow-wrap "
    "overflow-x padding padding-bottom padding-left padding-right padding-top table-layout word-break".split())
_INLINE = re.compile(r"^data:image/(png|jpeg|gif|webp|svg\+xml);base64,[\w+/=\s]*$")
_WITH_CONTENT = re.compile(r"<(script|style|template|noscript|iframe|svg|math)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_LINK = re.compile(r'(<a\b[^>]*?\bhref=")([^"]*)(")')
_IMAGE = re.compile(r'(<img\b[^>]*?\bsrc=")([^"]*)(")')
_ADDRESS = re.compile(r"^([a-z][a-z0-9+.-]*:|//|/|#)", re.IGNORECASE)


def clean_html(text: str, folder: Path | None = None, shown_in: Path | None = None) -> Markup:
    """The part of an HTML text that can be shown to anybody.

    Parameters
    ----------
    text : str
        HTML from anywhere.
    folder : Path, optional
        The notebook's: pictures beside the notebook are embedded; others are left out.
    shown_in : Path, optional
        The page's folder, when it is another one: relative links are made anew.
    """
    # What is taken out here would be taken out below too, but its content would stay as text.
    found = _cleaner().clean(_WITH_CONTENT.sub("", text))
    found = _IMAGE.sub(lambda match: match[1] + _embedded(match[2], folder) + match[3], found)
    if folder is not None and shown_in is not None and shown_in.resolve() != folder.resolve():
        found = _LINK.sub(lambda match: match[1] + _moved(match[2], folder, shown_in) + match[3], found)
    return Markup(found)


@cache
def _cleaner() -> bleach.Cleaner:
    return bleach.Cleaner(tags=_TAGS, attributes=_allowed, protocols={"http", "https", "mailto", "data"}, strip=True,
                          css_sanitizer=CSSSanitizer(allowed_css_properties=_STYLES))


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return bool(_INLINE.match(value)) or not _ADDRESS.match(value)
    if name == "style":
        return "url(" not in value.lower()
    if name == "href":
        return tag == "a" and not value.strip().lower().startswith("data:")
    return name in _EVERYWHERE or name in _OF_TAG.get(tag, ()) or name.startswith("aria-")


def _embedded(source: str, folder: Path | None) -> str:
    """A picture beside the notebook, as a data address; anything else is no picture of this notebook."""
    if source.startswith("data:"):
        return source
    kind, packed = mimetypes.guess_type(source)
    if folder is None or not (kind or "").startswith("image/") or packed:  # no browser unpacks .svgz in an address
        return ""
    path = (folder / unquote(source)).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return ""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _moved(link: str, folder: Path, shown_in: Path) -> str:
    """A relative link as it must read in a page that lies in another folder."""
    if not link or _ADDRESS.match(link):
        return link
    return Path(os.path.relpath(folder.resolve() / unquote(link), shown_in.resolve())).as_posix()
