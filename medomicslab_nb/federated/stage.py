"""The federated stage: a model over several sites, who judged it, and what left each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError, SettingsError
from medomicslab_nb.federated.approval import code_hash
from medomicslab_nb.federated.coordinator import Conversation, Coordinator, Quorum
from medomicslab_nb.federated.journal import Journal
from medomicslab_nb.federated.members import Members, members
from medomicslab_nb.federated.model_file import NAME, FederatedModel
from medomicslab_nb.federated.plan import plan_of
from medomicslab_nb.federated.pooled import pooled_model
from medomicslab_nb.federated.program import FEDERATED, POOLED, Outcome, alone, program, without
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.tasks.preparation import Preparation
from medomicslab_nb.federated.tasks.regression import Regression
from medomicslab_nb.federated.tasks.schema import Schema
from medomicslab_nb.federated.tasks.site_measures import MEASURES
from medomicslab_nb.files import sha256_json
from medomicslab_nb.stages import StageResult

ALL = "all"
"""In ``performance`` and ``curve``: all sites together."""


def run(study: Any, settings: FederatedSettings, progress: Any) -> StageResult:
    """Fit a model over sites.

    A run that was stopped goes on where it was when it is run again with the same settings: the rounds that all sites
    have answered are in the study's cache until it is complete.

    Returns
    -------
    StageResult
        Tables ``sites``, ``availability``, ``columns``, ``coefficients`` (regressions), ``performance``,
        ``importance`` or ``curve``, ``rounds`` and ``released`` (one row a site and round: what left it).

    Raises
    ------
    RunError
        A site refuses, is missing, or answers with other code; the message names it.
    DataError, SettingsError
        The sites cannot be put together, or one has a name that stands for all of them.
    """
    with members(study, settings, progress.check) as found:
        _refuse_names(settings, found.names)
        plan = plan_of(settings)
        quorum = Quorum(found.names, frozenset(settings.required or found.names), settings.missing,
                        settings.deadline, settings.patience * 3600)
        key = sha256_json([plan, found.names, code_hash()])
        cache = study.cache("federated")
        journal = Journal(cache and cache.folder / "rounds" / key)
        coordinator = Coordinator(found.transport, quorum, run=study.run_id, plan=plan, code=code_hash(),
                                  journal=journal, progress=progress)
        talk = coordinator.converse(program(settings, _pooled(settings, found)))
    return _result(settings, found, talk)


def _refuse_names(settings: FederatedSettings, names: Sequence[str]) -> None:
    """Refuse sites that only judge and are none, and a site with the name by which tables mean all of them."""
    unknown = [site for site in settings.test_sites if site not in names]
    if unknown:
        raise SettingsError(f"{_quoted(unknown)} is none of the sites ({_quoted(names)})",
                            where="setting 'test_sites'", todo="Correct the name")
    if ALL in names:
        raise DataError(f"a site is called '{ALL}', which stands for all sites together", where="names of the sites",
                        todo="Give it another name")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _pooled(settings: FederatedSettings, found: Members) -> Any:
    """What makes the model of all patients together, where the sites are simulated."""
    if not found.patients:
        return None

    def make(schema: Schema, preparation: Preparation) -> Mapping[str, Any] | None:
        return pooled_model({site: found.patients[site] for site in preparation.sites}, schema, preparation, settings)

    return make


def _result(settings: FederatedSettings, found: Members, talk: Conversation) -> StageResult:
    outcome: Outcome = talk.result
    tables = {"sites": _sites(found, outcome, talk), "performance": outcome.performance, **_described(outcome),
              "rounds": _rounds(talk), "released": pd.DataFrame([vars(entry) for entry in talk.released])}
    if outcome.importance is not None:
        tables["importance"] = outcome.importance
    if outcome.curve is not None:
        tables = {"curve": outcome.curve, **{name: table for name, table in tables.items() if name != "performance"}}
    models = {} if outcome.model is None else {NAME: _model(settings, outcome)}
    return StageResult(tables, _metrics(settings, outcome, talk), models,
                       warnings=tuple(dict.fromkeys([*found.notes, *outcome.notes, *_left_out(talk), *talk.notes])))


def _left_out(talk: Conversation) -> list[str]:
    """On values that sites left out to give company to who is alone without one: the model lacks them."""
    found = {entry.site: columns for entry in talk.released
             if (columns := entry.words.partition(" lack a value: some of ")[2])}
    said = "; ".join(f"{site}: {columns}" for site, columns in found.items())
    return [f"Some values were left out where few patients lacked one, so that these cannot be told from the others "
            f"({said}): the model is that of all patients together but for these values."] if found else []


def _sites(found: Members, outcome: Outcome, talk: Conversation) -> pd.DataFrame:
    schema = outcome.schema
    rows = []
    for site in found.names:
        own = [entry for entry in talk.released if entry.site == site]
        row = _judged(outcome, site)
        rows.append({"site": site, "takes_part": site in schema.patients, "trains": site in outcome.training,
                     "patients": schema.patients.get(site, 0) if site in outcome.training else 0,
                     "events": schema.events.get(site, 0) if site in outcome.training else 0,
                     "testing_patients": int(row.get("patients", 0)), "testing_events": int(row.get("events", 0)),
                     "rounds": len(own), "bytes": sum(entry.bytes for entry in own)})
    return pd.DataFrame(rows)


def _judged(outcome: Outcome, site: str) -> Mapping[str, Any]:
    """The federated model's row of a site."""
    table = outcome.performance
    if not len(table):
        return {}
    rows = table[(table["model"] == FEDERATED) & (table["site"] == site)]
    return rows.iloc[0].to_dict() if len(rows) else {}


def _described(outcome: Outcome) -> dict[str, pd.DataFrame]:
    preparation = outcome.preparation
    if preparation is None:
        return {}
    columns = preparation.summary()
    columns["zero_is_missing"] = columns["column"].isin(preparation.zeros)
    if outcome.quartiles is not None:
        columns = columns.merge(outcome.quartiles, on="column", how="left")
    tables = {"availability": preparation.availability(), "columns": columns}
    if isinstance(outcome.model, Regression):
        tables["coefficients"] = outcome.model.in_units()
    return tables


def _rounds(talk: Conversation) -> pd.DataFrame:
    table = pd.DataFrame(talk.rounds)
    table["loss"] = table.get("loss", pd.Series(np.nan, index=table.index)).astype(float)
    return table[["round", "step", "label", "sites", "loss"]]


def _metrics(settings: FederatedSettings, outcome: Outcome, talk: Conversation) -> dict[str, Any]:
    schema, table = outcome.schema, outcome.performance
    metrics: dict[str, Any] = {
        "algorithm": settings.algorithm, "sites": len(schema.patients),
        "patients": sum(schema.patients[site] for site in outcome.training),
        "events": sum(schema.events[site] for site in outcome.training),
        "rounds": len(talk.rounds), "bytes": sum(entry.bytes for entry in talk.released)}
    if getattr(outcome.model, "epsilon", None) is not None:
        metrics["epsilon"] = outcome.model.epsilon
    if not len(table):
        return metrics
    together = table[table["site"] == ALL].set_index("model")["estimate"]
    alones = [together.get(alone(site), np.nan) for site in outcome.training]
    left_out = [_estimate(table, without(site), site) for site in outcome.training]
    return metrics | {name: value for name, value in {
        "measure": MEASURES[schema.kind], "federated": _number(together.get(FEDERATED)),
        "pooled": _number(together.get(POOLED)), "alone_lowest": _extreme(alones, np.nanmin),
        "alone_highest": _extreme(alones, np.nanmax), "external_lowest": _extreme(left_out, np.nanmin),
        "external_highest": _extreme(left_out, np.nanmax)}.items() if value is not None}


def _estimate(table: pd.DataFrame, model: str, site: str) -> float:
    rows = table[(table["model"] == model) & (table["site"] == site)]
    return float(rows["estimate"].iloc[0]) if len(rows) else np.nan


def _extreme(values: list[float], which: Any) -> float | None:
    known = [value for value in values if np.isfinite(value)]
    return float(which(known)) if known else None


def _number(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _model(settings: FederatedSettings, outcome: Outcome) -> bytes:
    assert outcome.preparation is not None
    return FederatedModel(settings.outcome, settings.time, outcome.schema.kind, outcome.training,
                          outcome.preparation.values(), outcome.model.values()).to_bytes()
