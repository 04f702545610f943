"""Linked plots of a finished models run: one choice of model, one threshold or risk group, the same in every plot.

The numbers are computed in Python once a model (:mod:`medomicslab_nb.report.linked_data`) and sent on request, as is
plotly.js, which the Python package ships: nothing is loaded from outside, and nothing of it is stored in the notebook.
It shows a run and changes nothing.
"""

from __future__ import annotations

import gzip
from functools import cache
from typing import Any

import traitlets

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.linked_data import Json, LinkedData
from medomicslab_nb.views.widget import Widget


class LinkedPlots(Widget, module="linked_plots"):
    """ROC, histogram, calibration and decision curve of a model, or its risk groups, that move together.

    A browser asks ``{kind: "plotly", token}`` or ``{kind: "model", token, blocks, learner}``; the answer carries the
    token, since it goes to every open tab.

    Parameters
    ----------
    record : RunRecord
        A run for which :func:`medomicslab_nb.report.linked_data.offered` holds.

    Raises
    ------
    DataError
        It has no linked plots.
    """

    sets = traitlets.List(traitlets.Unicode()).tag(sync=True)
    learners = traitlets.List(traitlets.Unicode()).tag(sync=True)
    kind = traitlets.Unicode().tag(sync=True)

    def __init__(self, record: RunRecord) -> None:
        self._data = LinkedData(record)
        self._models: dict[tuple[str, str], Json] = {}
        super().__init__(sets=list(self._data.sets), learners=list(self._data.learners), kind=self._data.kind)
        self.on_msg(self._answer)

    def _answer(self, _: Any, content: dict[str, Any], __: Any) -> None:
        answer = {"kind": content.get("kind"), "token": content.get("token")}
        if content.get("kind") == "plotly":
            self.send(answer, buffers=[plotly_script()])
        elif content.get("kind") == "model":
            self.send(answer | self._shown(str(content.get("blocks")), str(content.get("learner"))))

    def _shown(self, blocks: str, learner: str) -> Json:
        """What the plots show of a model, or why they show nothing."""
        try:
            if (blocks, learner) not in self._models:
                self._models[blocks, learner] = self._data.model(blocks, learner)
        except MedomicsError as error:
            return {"fault": error.found}
        return {"model": self._models[blocks, learner]}


@cache
def plotly_script() -> bytes:
    """plotly.js as the Python package ships it, gzipped."""
    from plotly.offline import get_plotlyjs

    return gzip.compress(get_plotlyjs().encode(), compresslevel=6)
