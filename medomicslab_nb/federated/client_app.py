"""The ClientApp of a deployed site: which study answers is settled by the site's own configuration of its node."""

from __future__ import annotations

from pathlib import Path

from flwr.app import Context

from medomicslab_nb.federated.flower import SITE, make_client_app
from medomicslab_nb.federated.site_process import OPENER, SiteProcess

STUDY = "study"
"""Key of the path of the site's study in its node's configuration."""

_processes: dict[tuple[str, str], SiteProcess] = {}


def site_of_node(context: Context, _name: str = "") -> SiteProcess:
    """The site that a node serves."""
    study, opener = str(context.node_config[STUDY]), str(context.node_config.get("opener", OPENER))
    if (study, opener) not in _processes:
        _processes[study, opener] = SiteProcess(Path(study), str(context.node_config[SITE]), opener)
    return _processes[study, opener]


app = make_client_app(site_of_node)
