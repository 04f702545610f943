"""The registry of rules: what reads a note. Each is a module with ``find``, and says what it was measured to do."""

from __future__ import annotations

from medomicslab_nb.text.rules import grade, performance, prostate, stage, tnm
from medomicslab_nb.text.rules.rule import Rule

RULES: dict[str, Rule] = {rule.name: rule for rule in (
    Rule("tnm", 1, ("t_category", "n_category", "m_category", "uicc_edition"), tnm.find),
    Rule("stage", 1, ("stage",), stage.find),
    Rule("grade", 1, ("grade",), grade.find),
    Rule("prostate", 1, ("gleason", "isup"), prostate.find),
    Rule("performance", 1, ("ecog", "karnofsky"), performance.find),
)}
