"""Who looks at the output: a person in a browser, or nobody (papermill, nbconvert, a terminal)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def interactive() -> bool:
    """Whether this cell, or what a widget's callback answers, was sent by a front end that can show widgets.

    JupyterLab, Notebook and VS Code say in the request which cell they run; papermill and nbclient do not, and they
    send nothing of widgets either. The environment alone is no help: a kernel that papermill starts from within
    JupyterLab inherits all of it.
    """
    if os.environ.get("MEDOMICSLAB_RUN") or "IPython" not in sys.modules:
        return False
    kernel = getattr(_shell(), "kernel", None)
    return kernel is not None and (_from_a_page(kernel.get_parent()) or _voila_shows(kernel))


def _from_a_page(request: Mapping[str, Any]) -> bool:
    """Whether a request names its cell, or is the message of a widget that somebody has clicked or typed into."""
    return "cellId" in (request.get("metadata") or {}) or (request.get("header") or {}).get("msg_type") == "comm_msg"


def _voila_shows(kernel: Any) -> bool:
    """Whether this is the kernel of a page of Voila, which names no cell but the kernel, in its environment.

    A kernel that was started from within that one inherits the name; it is itself another.
    """
    shown = os.environ.get("VOILA_KERNEL_ID")
    own = Path(getattr(kernel.parent, "connection_file", "") or "").stem
    return bool(shown) and own == f"kernel-{shown}"


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code, with or without somebody who looks."""
    return "IPython" in sys.modules and getattr(_shell(), "kernel", None) is not None


def _shell() -> Any:
    from IPython import get_ipython

    return get_ipython()
