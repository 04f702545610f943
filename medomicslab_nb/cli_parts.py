"""What the files of the command line share: how a command is declared, and how settings are given to one."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.stages import load

if TYPE_CHECKING:
    from medomicslab_nb.study import Study


def add_command(commands: Any, name: str, function: Callable[..., Any], text: str) -> argparse.ArgumentParser:
    """Declare a command and what runs for it."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=function)
    return parser


def add_settings(command: argparse.ArgumentParser, stage: str) -> None:
    """Declare the options by which settings of a stage are given."""
    command.add_argument("--settings", metavar="FILE", help=f"YAML or JSON file with settings of {stage}")
    command.add_argument("-s", dest="assignments", action="append", default=[], metavar="key=value",
                         help="one setting; overrides the file; nested: a.b=value")


def assign(settings: dict[str, Any], assignment: str) -> None:
    """Apply one ``key=value`` (``a.b=value`` for a nested one) to a mapping; the value is read as YAML.

    Raises
    ------
    SettingsError
        There is no ``=``, the value is no YAML, or a part of the key is no group.
    """
    import yaml

    from medomicslab_nb.settings import load_yaml

    key, separator, text = assignment.partition("=")
    if not separator or not key.strip():
        raise SettingsError("-s takes key=value", where="command line", todo="Type for instance: -s folds=5")
    *groups, name = key.strip().split(".")
    try:
        value = load_yaml(text) if text.strip() else ""
    except yaml.YAMLError:
        raise SettingsError(f"the value of '{key}' is no YAML", where="command line", todo="Quote it") from None
    target = settings
    for group in groups:
        inner = target.setdefault(group, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"'{group}' in '{key}' is no group of settings", where="command line",
                                todo="Correct the key")
        target[group] = target = dict(inner)
    target[name] = value


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the options ``--settings`` and ``-s`` say together."""
    settings: dict[str, Any] = load("medomicslab_nb.settings:read_mapping")(
        Path(options.settings) if options.settings else None)[0]
    for assignment in options.assignments:
        assign(settings, assignment)
    return settings


def open_folder(folder: str) -> Study:
    """The study of a folder that was typed."""
    return load("medomicslab_nb.study:open_study")(folder)  # type: ignore[no-any-return]


def run_stage(stage: str, study: str, settings: dict[str, Any], timeout_s: float | None) -> None:
    """Run a stage's notebook headless, and say what came of it."""
    record = load("medomicslab_nb.notebook:run_notebook")(stage, open_folder(study), settings, timeout_s=timeout_s)
    for text in record.warnings:
        print(f"Note: {text}")
    print(f"Run {record.id}: {record.status}")
    print(f"Report: {os.path.relpath(record.path / 'report.html')}")
