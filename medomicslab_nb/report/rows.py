"""Which rows of the published tables are shown first; needs no figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

_ALL = 3  # sets of blocks up to which every one is drawn with every learner


@dataclass(frozen=True)
class Reported:
    """The model that a run of the models stage reports.

    Attributes
    ----------
    learner : str
        The learner that was named before the run.
    sets : tuple of str
        Every set of blocks that it was fitted on.
    reference : str
        The set that the others are compared with.
    full : str
        The set of all blocks.
    """

    learner: str
    sets: tuple[str, ...]
    reference: str
    full: str

    @property
    def drawn(self) -> tuple[str, ...]:
        """Sets of which curves are drawn: all of a few, else the reference and all blocks together."""
        return self.sets if len(self.sets) <= _ALL else (self.reference, self.full)

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of a table that its curves are drawn of."""
        if "learner" in table.columns:
            table = table[table["learner"] == self.learner]
        return table[table["blocks"].isin(self.drawn)] if "blocks" in table.columns else table


def reported(tables: Mapping[str, pd.DataFrame]) -> Reported | None:
    """What the table ``performance`` reports; None where there is none."""
    performance = tables.get("performance")
    if performance is None or performance.empty:
        return None
    named = performance[performance["default"].astype(bool)]
    own = named if len(named) else performance
    sets = tuple(dict.fromkeys(own["blocks"].astype(str)))
    ablation = tables.get("ablation")
    reference = sets[0] if ablation is None or ablation.empty else str(ablation["reference"].iloc[0])
    return Reported(str(own["learner"].iloc[0]), sets, reference, sets[-1])


def headline_rows(performance: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``performance`` to look at first: the first metric, averaged over folds where there are folds.

    Of many sets of blocks other learners are listed for all blocks together only.
    """
    if performance.empty:
        return performance
    table = performance[performance["metric"] == performance["metric"].iloc[0]]
    averaged = table[table["aggregation"] == "fold mean"]
    table = table if averaged.empty else averaged
    found = reported({"performance": performance})
    if found is not None and len(found.sets) > _ALL:
        other_set = table["blocks"].isin(found.sets[:-1]) & ~table["default"].astype(bool)
        table = table[~other_set]
    return table.reset_index(drop=True)


def measures(performance: pd.DataFrame) -> pd.DataFrame:
    """Every measure of the reported model of all blocks together."""
    found = reported({"performance": performance})
    if found is None:
        return performance
    return performance[(performance["learner"] == found.learner) & (performance["blocks"] == found.full)]
