"""Who looks: JupyterLab names a cell, Voila a kernel, and what either starts headless counts as nobody."""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client import KernelManager

from medomicslab_nb.views import front_end

ASK = "from medomicslab_nb.views.front_end import interactive\nimport IPython\nprint(interactive())"
# A notebook that papermill runs from within the kernel, inheriting its environment.
NESTED = f"""
import json, nbformat, papermill
from pathlib import Path
cell = nbformat.v4.new_code_cell({ASK!r})
nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={{"kernelspec": {{"name": "python3", "display_name": "",
               "language": "python"}}}}), "in.ipynb")
papermill.execute_notebook("in.ipynb", "out.ipynb", progress_bar=False)
print(json.loads(Path("out.ipynb").read_text())["cells"][0]["outputs"][0]["text"][0])
"""


def shell(metadata: dict[str, Any], connection: str | None = "/run/kernel-abc.json") -> Any:
    application = SimpleNamespace(connection_file=connection)
    return SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: {"metadata": metadata}, parent=application))


@pytest.mark.parametrize(("metadata", "environment", "expected"), [
    ({"cellId": "view"}, {}, True),
    ({}, {}, False),
    ({}, {"VOILA_KERNEL_ID": "abc"}, True),
    ({}, {"VOILA_KERNEL_ID": "other"}, False),
    ({}, {"VOILA_KERNEL_ID": ""}, False),
    ({"cellId": "view"}, {"MEDOMICSLAB_RUN": "runs/1"}, False),
    ({}, {"VOILA_KERNEL_ID": "abc", "MEDOMICSLAB_RUN": "runs/1"}, False),
])
def test_who_looks(monkeypatch: pytest.MonkeyPatch, metadata: dict[str, Any], environment: dict[str, str],
                   expected: bool) -> None:
    for name in ("VOILA_KERNEL_ID", "MEDOMICSLAB_RUN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell(metadata)))
    assert front_end.interactive() is expected


@pytest.mark.parametrize(("kind", "expected"), [("comm_msg", True), ("execute_request", False)])
def test_a_widgets_callback_is_of_somebody_who_looks(monkeypatch: pytest.MonkeyPatch, kind: str,
                                                     expected: bool) -> None:
    for name in ("VOILA_KERNEL_ID", "MEDOMICSLAB_RUN"):
        monkeypatch.delenv(name, raising=False)
    kernel = SimpleNamespace(get_parent=lambda: {"metadata": {}, "header": {"msg_type": kind}},
                             parent=SimpleNamespace(connection_file=""))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=kernel)))
    assert front_end.interactive() is expected


def test_a_kernel_without_a_connection_file_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOILA_KERNEL_ID", "abc")
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell({}, None)))
    assert front_end.interactive() is False


def test_voilas_kernel_is_looked_at_and_one_that_papermill_starts_in_it_is_not(tmp_path: Path) -> None:
    name = str(uuid.uuid4())
    environment = {**os.environ, "VOILA_KERNEL_ID": name, "PYTHONPATH": str(Path(front_end.__file__).parents[2])}
    manager = KernelManager(connection_file=str(tmp_path / f"kernel-{name}.json"))
    manager.start_kernel(cwd=str(tmp_path), env=environment)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(60)
        printed: list[str] = []
        for code in (ASK, NESTED):
            client.execute_interactive(code, timeout=60, output_hook=lambda message: printed.append(
                message["content"].get("text", "") or json.dumps(message["content"].get("traceback", ""))))
        assert [text.strip() for text in printed if text.strip() in ("True", "False")] == ["True", "False"], printed
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
