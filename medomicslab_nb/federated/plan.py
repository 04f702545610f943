"""The plan of a run: the settings that say what is asked of sites, in one canonical text that they approve."""

from __future__ import annotations

import hashlib
import json

from medomicslab_nb.federated.settings import FederatedSettings

_OWN = ("site_column", "sites", "federation", "required", "missing", "policy")
"""Settings that are the coordinator's own: who the sites are, and what simulated ones let out."""


def plan_of(settings: FederatedSettings) -> str:
    """The plan as canonical JSON: the same settings give the same text, on every machine and backend."""
    content = {name: value for name, value in settings.canonical().items() if name not in _OWN}
    return json.dumps({"version": settings.version, "settings": content}, sort_keys=True, separators=(",", ":"),
                      ensure_ascii=False, allow_nan=False)


def settings_of(plan: str) -> FederatedSettings:
    """The settings that a plan stands for, validated.

    Raises
    ------
    SettingsError
        The plan is of another version, or holds what no plan can.
    """
    content = json.loads(plan)
    return FederatedSettings.parse(content["settings"])


def plan_hash(plan: str) -> str:
    """sha256 of the plan."""
    return hashlib.sha256(plan.encode()).hexdigest()
