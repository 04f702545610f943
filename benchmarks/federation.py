"""What federated learning costs with real processes: a server and a node a hospital here, and Flower's simulation.

The hospitals are those of a table with a column of sites (``model_tables.py`` writes ``heart_hospitals.csv``). The
federation goes through the command line, with TLS and keys, as docs/federated.md says. Rules let every count out
(minimum 1), so that the tables can be those of a run in process. Last lines: ``deploy_seconds_per_round`` and
``ray_seconds_per_round`` (median over rounds), ``deploy_idle_mb_per_site`` (the largest: resident memory of all
processes of a site that waits), ``ray_first_result_s`` (from the call of the run to its first answers) and
``same_tables`` (1: all three ways gave the same bytes).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import psutil

import medomicslab_nb as ml
from medomicslab_nb.federated.coordinator import TASK
from medomicslab_nb.record import RunRecord
from medomicslab_nb.tables import Column

_PATIENCE_S = 90.0
_RULES = {"minimum_patients": 1, "minimum_events": 0, "minimum_count": 1}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sites, settings = make_hospitals(root, options)
        coordinator = ml.create_study(root / "coordinator", id_column=options.id)
        here = {**settings, "sites": {name: str(path) for name, path in sites.items()}, "policy": _RULES}
        local = ml.run("federated", coordinator, here, sinks=[])
        answers: list[float] = []
        start = time.monotonic()
        simulated = ml.run("federated", coordinator, {**here, "backend": "ray"}, sinks=[
            lambda event: answers.append(time.monotonic()) if event.task == TASK and event.done else None])
        with federation(root, sites, settings) as idle:
            deployed = ml.run("federated", coordinator, {
                **settings, "backend": "deploy", "federation": str(root / "hn")}, sinks=[])
        gaps = {name: _gaps(run) for name, run in (("deploy", deployed), ("ray", simulated))}
        same = local.table_hashes == simulated.table_hashes == deployed.table_hashes
        print(f"sites={len(sites)} rounds={local.metrics['rounds']} auc={local.metrics['federated']:.4f}")
        print(f"deploy_seconds_per_round={median(gaps['deploy']):.2f}")
        print(f"deploy_idle_mb_per_site={idle:.0f}")
        print(f"ray_first_result_s={answers[0] - start:.2f}")
        print(f"ray_seconds_per_round={median(gaps['ray']):.3f}")
        print(f"same_tables={int(same)}")


def make_hospitals(root: Path, options: argparse.Namespace) -> tuple[dict[str, Path], dict[str, Any]]:
    """A study folder for each site, and the settings of the run but for where the sites are."""
    table = pd.read_csv(options.csv)
    features = [name for name in table if name not in (options.id, options.site, options.outcome)]
    folders = {}
    for number, (site, rows) in enumerate(table.groupby(options.site, sort=True)):
        name = f"H{number}" if not str(site).isalnum() else str(site)
        study = ml.create_study(root / name, id_column=options.id)
        study.add_table("clinical", rows.drop(columns=options.site), columns={
            options.outcome: Column(role="outcome", type="boolean")})
        folders[name] = study.path
    return folders, {"outcome": options.outcome, "predictors": {"clinical": features}, "external": False,
                     "compare": False}


@contextmanager
def federation(root: Path, sites: dict[str, Path], settings: dict[str, Any]) -> Iterator[float]:
    """A federation whose sites have joined, approved and connected; gives the memory of the largest site that waits."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    home, plan = root / "hn", root / "settings.json"
    plan.write_text(json.dumps(settings))
    _command("federation", "new", home, "--address", f"127.0.0.1:{port}")
    for name, study in sites.items():
        _command("federation", "invite", home, name)
        rules = [word for rule, value in _RULES.items() for word in ("-s", f"{rule}={value}")]
        _command("site", "init", study, "--invitation", home / "invitations" / f"{name}.yaml", *rules)
        _command("federation", "register", home, name, study / "site" / "keys" / "public.pem")
    _command("federation", "plan", home, "--settings", plan, "--out", root / "plan.yaml")
    for study in sites.values():
        _command("site", "approve", study, root / "plan.yaml", "--yes")
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        _command("federation", "start", home)
        nodes += [subprocess.Popen([sys.executable, "-m", "medomicslab_nb", "site", "start", str(study)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                  for study in sites.values()]
        _wait_connected(list(sites.values()))
        yield max(_resident(node.pid) for node in nodes)
    finally:
        for node in nodes:
            node.send_signal(signal.SIGINT)
        for node in nodes:
            node.wait(30)
        _command("federation", "stop", home)


def _command(*words: object) -> None:
    done = subprocess.run([sys.executable, "-m", "medomicslab_nb", *map(str, words)], capture_output=True, text=True,
                          check=False, env=os.environ)
    if done.returncode:
        sys.exit(f"medomicslab {' '.join(map(str, words[:2]))}: {done.stderr}")


def _wait_connected(studies: list[Path]) -> None:
    from medomicslab_nb.federated.launch import supernode_status

    end = time.monotonic() + _PATIENCE_S
    while any(supernode_status(study / "site" / "flower")["state"] != "connected" for study in studies):
        if time.monotonic() > end:
            sys.exit("the sites do not connect")
        time.sleep(0.2)


def _resident(pid: int) -> float:
    node = psutil.Process(pid)
    return sum(process.memory_info().rss for process in (node, *node.children(recursive=True))) / 1e6


def _gaps(run: RunRecord) -> list[float]:
    """Seconds between the ends of rounds."""
    events = [json.loads(line) for line in (run.path / "progress.jsonl").read_text().splitlines()]
    ends: dict[int, float] = {}
    for event in events:
        if event["task"] == TASK and event["done"]:
            ends.setdefault(event["done"], event["elapsed_s"])
    return [later - earlier for earlier, later in pairwise(ends.values())]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--id", required=True, help="column of patients' identifiers")
    parser.add_argument("--site", required=True, help="column of sites")
    parser.add_argument("--outcome", required=True, help="column of a binary outcome")
    return parser.parse_args()


if __name__ == "__main__":
    main()
