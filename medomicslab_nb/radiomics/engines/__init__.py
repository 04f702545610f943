"""The registry of engines: libraries that compute features, behind one signature.

An engine is a function ``measure(prepared) -> DataFrame`` with the columns :data:`FEATURE_COLUMNS`; it gets what
:func:`medomicslab_nb.radiomics.preprocessing.prepare` made and does no preprocessing of its own. Nothing is imported
until an engine is used.
"""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from medomicslab_nb.errors import MissingExtraError, SettingsError
from medomicslab_nb.stages import load

if TYPE_CHECKING:
    import pandas as pd

    from medomicslab_nb.radiomics.preprocessing import Prepared

    Measure = Callable[[Prepared], pd.DataFrame]

FEATURE_COLUMNS = ("family", "feature", "ibsi_code", "aggregation", "value", "ibsi_value", "deviation")
"""Columns of an engine's table.

family, feature, ibsi_code : see :mod:`medomicslab_nb.radiomics.nomenclature`
aggregation : IBSI's words, e.g. "3D, averaged"; empty where there is none
value : as the library defines the feature
ibsi_value : as IBSI defines it; NaN where IBSI has no such feature, or the library's cannot be turned into it
deviation : how the library's definition differs from IBSI's; empty where it does not
"""


@dataclass(frozen=True)
class Engine:
    """One entry of the registry."""

    name: str
    reference: str
    """Function, as ``module:attribute``."""
    distributions: tuple[str, ...]
    """Distributions whose versions belong into the record."""
    module: str
    """Import name of the library."""
    extra: str = ""
    """Extra of this package that installs it; empty: always there."""
    python: tuple[int, int] = (3, 11)
    """First version of Python that the library supports."""

    def load(self) -> Measure:
        """The function that measures."""
        return load(self.reference)

    def versions(self) -> dict[str, str]:
        """Installed versions of its distributions."""
        return {name: metadata.version(name) for name in self.distributions}


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("pyradiomics", "medomicslab_nb.radiomics.engines.pyradiomics:measure", ("pyradiomics-bhklab",),
               "radiomics"),
        Engine("mirp", "medomicslab_nb.radiomics.engines.mirp:measure", ("mirp",), "mirp", "ibsi"),
        Engine("pictologics", "medomicslab_nb.radiomics.engines.pictologics:measure", ("pictologics",), "pictologics",
               "fast", (3, 12)),
    )
}


def get_engine(name: str) -> Engine:
    """The engine of that name, when its library is installed.

    Raises
    ------
    SettingsError
        The name is unknown; the message gives the nearest one.
    MissingExtraError
        The library is not installed, or needs a newer Python.
    """
    if name not in ENGINES:
        near = difflib.get_close_matches(name, ENGINES, n=1)
        raise SettingsError(f"there is no engine {name!r}", where="settings, engine",
                            todo=f"Did you mean {near[0]!r}?" if near else f"Choose one of {', '.join(ENGINES)}")
    engine = ENGINES[name]
    if importlib.util.find_spec(engine.module) is None:
        raise _missing(engine)
    return engine


def _missing(engine: Engine) -> MissingExtraError:
    error = MissingExtraError(f"the engine {engine.name}", engine.extra)
    if sys.version_info[:2] < engine.python:
        error.found = (f"the engine {engine.name} needs Python {engine.python[0]}.{engine.python[1]} or newer; this is "
                       f"{sys.version_info[0]}.{sys.version_info[1]}")
        error.todo = (f'Choose another engine, or type in an environment of that Python: '
                      f'pip install "medomicslab_nb[{engine.extra}]"')
    return error
