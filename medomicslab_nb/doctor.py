"""What is installed, what is missing, and what to type."""

from __future__ import annotations

import platform
import shutil
import sys
from importlib import metadata

_CORE = ("numpy", "pandas", "pyarrow", "pydantic", "PyYAML", "SimpleITK", "pydicom", "pyradiomics-bhklab",
         "scikit-learn", "scikit-survival", "statsmodels", "shap", "plotly", "jupyterlab", "ipywidgets", "anywidget",
         "papermill", "nbconvert", "joblib", "rich", "filelock", "psutil", "openpyxl", "skops")
_EXTRAS = {"app": ("voila",), "deep": ("torch", "monai"), "text": ("spacy",), "federated": ("flwr",),
           "dask": ("distributed",), "viewer3d": ("ipyniivue",)}
_PROGRAMS = {"chromium": "only for the browser tests", "node": "only for the front end's tests"}


def doctor() -> int:
    """Print the state of the installation; returns 0 when the core is complete, else 1."""
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        print("  supported are Python 3.11 to 3.13")
    missing = [name for name in _CORE if _version(name) is None]
    for name in _CORE:
        print(f"  {name} {_version(name) or 'MISSING'}")
    for extra, names in _EXTRAS.items():
        absent = [name for name in names if _version(name) is None]
        state = ", ".join(f"{name} {_version(name)}" for name in names if name not in absent)
        print(f"  extra {extra}: {state or 'not installed'}"
              + (f'; type: pip install "medomicslab_nb[{extra}]"' if absent else ""))
    for program, purpose in _PROGRAMS.items():
        print(f"  {program}: {'found' if shutil.which(program) else f'not found ({purpose})'}")
    if missing:
        print(f"The core is incomplete. Type: pip install {' '.join(missing)}")
    return 1 if missing else 0


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
