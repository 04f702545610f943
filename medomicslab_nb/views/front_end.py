"""Who looks at the output: a person in a browser, or nobody (papermill, nbconvert, a terminal)."""

from __future__ import annotations

import os
import sys
from typing import Any


def interactive() -> bool:
    """Whether this cell was sent by a front end that can show widgets.

    JupyterLab, Notebook and VS Code say in the request which cell they run; papermill and nbclient do not. The
    environment is no help: a kernel that papermill starts from within JupyterLab inherits all of it.
    """
    if os.environ.get("MEDOMICSLAB_RUN") or "IPython" not in sys.modules:
        return False
    kernel = getattr(_shell(), "kernel", None)
    return kernel is not None and "cellId" in (kernel.get_parent().get("metadata") or {})


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code, with or without somebody who looks."""
    return "IPython" in sys.modules and getattr(_shell(), "kernel", None) is not None


def _shell() -> Any:
    from IPython import get_ipython

    return get_ipython()
