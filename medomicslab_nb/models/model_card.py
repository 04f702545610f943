"""The model card: what a model is, what it was made of and how good it is, in one page for whoever is handed it.

Headings follow Mitchell et al. [1]_; beside each stand the items of TRIPOD+AI [2]_ that it answers. What no program can
know (intended use, ethics, licence) is asked of the authors and says so until they have answered.

References
----------
.. [1] Mitchell M, et al. Model cards for model reporting. FAT* 2019:220-229.
.. [2] Collins GS, et al. TRIPOD+AI statement. BMJ 2024;385:e078378.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from medomicslab_nb.models.model_file import ColumnSchema, ModelFile
from medomicslab_nb.models.predict import load_run_model
from medomicslab_nb.protect import scrub

OPEN = "*To be completed by the authors.*"

METRICS = {
    "auc": "AUC", "auc_ovr": "AUC, one class against the rest", "auprc": "Area under the precision-recall curve",
    "r2": "R²", "c_index": "C-index (Harrell)", "brier": "Brier score", "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept"}
"""Measures in words; others are shown by their name."""

_SHOWN = 12  # predictors of a block that are named
_KINDS = {"binary": "a binary outcome", "multiclass": "an outcome of several classes",
          "continuous": "a continuous outcome", "survival": "the time to an event, under censoring"}


@dataclass(frozen=True)
class About:
    """What the authors have to say; empty fields are asked for in the card."""

    title: str = ""
    authors: str = ""
    contact: str = ""
    licence: str = ""
    intended_use: str = ""
    not_for: str = ""
    setting: str = ""
    """Hospitals, period and eligibility, in words."""
    ethics: str = ""
    predictors: str = ""
    """How and when predictors were measured."""


@dataclass(frozen=True)
class CardFacts:
    """What is known of a run and its model.

    Attributes
    ----------
    settings, metrics : mapping
        Of the run's record.
    warnings : sequence of str
        The run's, in whole sentences.
    tables : mapping
        Published tables; ``performance``, ``subgroups``, ``ablation`` and ``importance`` are used where they exist.
    dates : tuple of str, optional
        First and last index date, where the study knows them.
    """

    run: str
    when: str
    digest: str
    settings: Mapping[str, Any]
    metrics: Mapping[str, Any]
    warnings: Sequence[str] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    dates: tuple[str, str] | None = None


@dataclass(frozen=True)
class Section:
    """One heading of the card, with paragraphs and at most one table."""

    heading: str
    tripod: str
    """Items of TRIPOD+AI."""
    text: tuple[str, ...]
    table: tuple[Mapping[str, str], ...] = ()


def run_facts(record: Any, *, dates: tuple[str, str] | None = None) -> CardFacts:
    """The facts of a completed run, from its record."""
    wanted = ("performance", "subgroups", "ablation", "importance")
    tables = {name: record.table(name) for name in wanted if name in record.tables}
    return CardFacts(record.id, record.finished or record.started, record.digest, record.settings, record.metrics,
                     record.warnings, tables, dates)


def study_card(study: Any, run_id: str, about: About | None = None) -> str:
    """The card of the model of a study's run, as Markdown.

    Raises
    ------
    RunError
        The run keeps no model.
    """
    record = study.run(run_id)
    return model_card(load_run_model(study, run_id), run_facts(record), about, identifiers=study.identifiers())


def model_card(model_file: ModelFile, facts: CardFacts, about: About | None = None, *,
               identifiers: Collection[str] = ()) -> str:
    """The card as Markdown.

    Parameters
    ----------
    identifiers : collection of str
        Patient identifiers; should one stand in a text, it is replaced.
    """
    about = about or About()
    title = about.title or f"Model card: {model_file.endpoint.name}"
    lines = [f"# {_escaped(title)}", ""]
    for section in card_sections(model_file, facts, about):
        lines += [f"## {section.heading}", ""]
        lines += [f"*TRIPOD+AI {section.tripod}*", ""] if section.tripod else []
        for paragraph in section.text:
            lines += [paragraph, ""]
        lines += [*_markdown_table(section.table), ""] if section.table else []
    return scrub("\n".join(lines).rstrip() + "\n", identifiers)


def card_sections(model_file: ModelFile, facts: CardFacts, about: About | None = None) -> list[Section]:
    """The card as plain values, in the order of its headings."""
    about = about or About()
    return [_details(model_file, facts, about), _intended_use(about), _outcome(model_file, facts),
            _data(model_file, facts, about), _predictors(model_file, about), _method(model_file, facts),
            _performance(facts), _baselines(facts), _subgroups(facts), _ethics(about), _caveats(model_file, facts),
            _how_to(model_file, facts)]


def _details(model_file: ModelFile, facts: CardFacts, about: About) -> Section:
    versions = ", ".join(f"{name} {version}" for name, version in model_file.versions.items())
    return Section("Model details", "1, 18, 22, 27", (
        f"Authors: {_given(about.authors)}", f"Contact: {_given(about.contact)}", f"Licence: {_given(about.licence)}",
        f"Made by run `{facts.run}`, finished {facts.when[:10]}; settings' sha256 `{facts.digest}`.",
        f"Fitted with: {versions or 'not recorded'}.",
        f"The model: {facts.metrics.get('chosen') or getattr(model_file.model, 'chosen', '') or 'not described'}."))


def _intended_use(about: About) -> Section:
    return Section("Intended use", "4, 25, 27", (
        f"For: {_given(about.intended_use)}", f"Not for: {_given(about.not_for)}",
        "This model is research software. It is no medical device, and no decision on a patient may rest on it."))


def _outcome(model_file: ModelFile, facts: CardFacts) -> Section:
    endpoint, settings = model_file.endpoint, facts.settings
    text = [f"`{endpoint.name}`: {_KINDS.get(endpoint.kind, endpoint.kind)}"
            + (f", in {endpoint.unit}." if endpoint.unit and endpoint.kind == "continuous" else ".")]
    if endpoint.kind == "binary" and len(endpoint.classes) == 2:
        text.append(f"Predicted is the probability of class `{endpoint.classes[1]}`.")
    if endpoint.kind == "multiclass":
        text.append(f"Predicted is the probability of each class: {', '.join(endpoint.classes)}.")
    if endpoint.kind == "survival":
        text.append(f"The event is `{endpoint.event}`. Predicted is its risk by {_value(endpoint.horizon)} "
                    f"{endpoint.unit} after the anchor date.")
    dates = settings.get("dates")
    if dates:
        text.append("Built from dates: " + "; ".join(f"{name} {value}" for name, value in dates.items() if value) + ".")
    if settings.get("landmark"):
        text.append(f"Landmark: only patients still at risk at {settings['landmark']:g} {endpoint.unit} are analysed.")
    return Section("Outcome", "8", tuple(text))


def _data(model_file: ModelFile, facts: CardFacts, about: About) -> Section:
    metrics = facts.metrics
    kind = model_file.endpoint.kind
    number = f"{metrics.get('n', 'an unknown number of')} patients"
    if kind in ("binary", "survival"):
        number += f", {metrics.get('events', 'an unknown number of')} with the event"
    elif kind == "multiclass":
        number += f", {metrics.get('events', 'an unknown number of')} in the smallest class"
    text = [f"The numbers below are of {number}.",
            f"Setting: {_given(about.setting)}",
            f"Index dates: {facts.dates[0]} to {facts.dates[1]}." if facts.dates else "Index dates: not recorded."]
    subgroups = facts.tables.get("subgroups")
    if subgroups is not None and "subgroup" in subgroups and (subgroups["subgroup"] == "centre").any():
        text.append(f"Centres: {subgroups.loc[subgroups['subgroup'] == 'centre', 'group'].nunique()}.")
    if facts.settings.get("cohort"):
        text.append(f"Cohort: table `{facts.settings['cohort']}`.")
    return Section("Training and evaluation data", "5, 6, 7, 20", tuple(text))


def _predictors(model_file: ModelFile, about: About) -> Section:
    by_block: dict[str, list[ColumnSchema]] = {}
    for column in model_file.columns:
        by_block.setdefault(column.block or "predictors", []).append(column)
    rows = []
    for block, columns in by_block.items():
        missing = sum(column.missing for column in columns) / len(columns)
        names = [_with_unit(column) for column in columns[:_SHOWN]]
        more = [f"and {len(columns) - _SHOWN} more"] if len(columns) > _SHOWN else []
        rows.append({"Block": block, "Predictors": str(len(columns)), "Values missing": f"{missing:.1%}",
                     "Names": ", ".join([*names, *more])})
    return Section("Predictors", "9, 11", (
        f"{len(model_file.columns)} predictors; blocks: {len(by_block)}. How and when they were measured: "
        f"{_given(about.predictors)}",), tuple(rows))


def _method(model_file: ModelFile, facts: CardFacts) -> Section:
    settings = facts.settings
    scheme = settings.get("validation", "cross-validation")
    if scheme == "cross-validation":
        how = (f"Nested cross-validation: {settings.get('folds')} outer folds, {settings.get('repeats')} repeats, "
               f"{settings.get('inner_folds')} inner folds by which everything was chosen")
    else:
        how = f"Validation: {scheme}; everything was chosen by {settings.get('inner_folds')} inner folds"
    text = [f"{how}; seed {settings.get('seed')}. Imputation, scaling, selection, tuning and calibration were fitted "
            "on training patients only."]
    blocks = model_file.blocks
    if len(blocks) > 1:
        text.append(f"Fusion of the blocks: {settings.get('fusion', 'late')}; a block that a patient lacks counts as "
                    "average.")
    applicability = model_file.applicability
    if applicability is not None:
        text.append(f"Patients unlike the {applicability.n} of the training are flagged; of patients like them about "
                    f"{applicability.false_alarms:.1%} are flagged too.")
    if model_file.conformal is not None:
        text.append("Prediction sets or intervals are conformal: if new patients are exchangeable with those of "
                    "the training, they hold the truth with the stated probability, per class.")
        text += model_file.conformal.notes()
    return Section("Method and validation", "10, 12, 13, 15, 16, 21", tuple(text))


def _performance(facts: CardFacts) -> Section:
    own = _headline_rows(facts)
    if own is None or own.empty:
        return Section("Performance", "12e, 23a", ("No performance was recorded.",))
    rows = [{"Measure": METRICS.get(str(line.metric), str(line.metric)), "Estimate": _value(line.estimate),
             "Interval": _limits(line.lower, line.upper), "n": _value(line.n), "Events": _value(line.events),
             "Of": str(line.aggregation), "Interval by": str(line.interval)} for line in own.itertuples()]
    confidence = facts.settings.get("confidence", 0.95)
    return Section("Performance", "12e, 23a", (
        f"Blocks: {facts.metrics.get('blocks')}. Learner: {facts.metrics.get('default')}. Intervals at "
        f"{confidence:.0%}. All numbers are of patients that the model had not seen.",), tuple(rows))


def _baselines(facts: CardFacts) -> Section:
    rows = []
    performance = facts.tables.get("performance")
    if performance is not None:
        main = performance[performance["metric"] == facts.metrics.get("metric")]
        main = main.drop_duplicates(["blocks", "learner"])
        rows = [{"Blocks": str(line.blocks), "Learner": str(line.learner), "Estimate": _value(line.estimate),
                 "Interval": _limits(line.lower, line.upper), "n": _value(line.n)} for line in main.itertuples()]
    metric = str(facts.metrics.get("metric", ""))
    text = f"{METRICS.get(metric, metric)} of every set of blocks and learner, on the same patients."
    return Section("Beside plainer models and fewer blocks", "23a", (text,) if rows else
                   ("No other model was evaluated.",), tuple(rows))


def _subgroups(facts: CardFacts) -> Section:
    table = facts.tables.get("subgroups")
    if table is None or table.empty:
        return Section("Subgroups and fairness", "3c, 14, 23b", (
            "Performance in subgroups was not evaluated: name columns in the setting `subgroups`.",))
    rows = [{"Subgroup": str(line.subgroup), "Group": str(line.group), "n": _count(line.n),
             "Events": _count(line.events), "Estimate": _value(line.estimate),
             "Interval": _limits(line.lower, line.upper), "Note": str(line.note)} for line in table.itertuples()]
    return Section("Subgroups and fairness", "3c, 14, 23b", (
        "Groups of fewer than 5 patients are hidden. Differences between groups were not tested.",), tuple(rows))


def _ethics(about: About) -> Section:
    return Section("Ethical considerations", "17, 18, 19", (_given(about.ethics),))


def _caveats(model_file: ModelFile, facts: CardFacts) -> Section:
    text = [f"- {_escaped(warning)}" for warning in facts.warnings]
    numeric = [column for column in model_file.columns if column.lower is not None]
    text.append(f"- Predictions outside of the ranges seen in training ({len(numeric)} numeric columns) are "
                "extrapolations; they are flagged.")
    if facts.settings.get("validation", "cross-validation") == "cross-validation":
        text.append("- The model was not tested on patients of another time or place.")
    return Section("Caveats and recommendations", "26", ("\n".join(text),))


def _how_to(model_file: ModelFile, facts: CardFacts) -> Section:
    units = [column.name for column in model_file.columns if column.unit]
    text = ["One row per patient, columns named as in training, empty cells where a value is not known"
            + (", numbers in the units given above." if units else "."),
            f"```\nmedomicslab predict STUDY {facts.run} --table FILE --out predictions.csv\n```",
            "The file is read by `medomicslab_nb.models.model_file.load`, which refuses anything but a model; "
            "`medomicslab_nb.models.predict.predict` applies it."]
    return Section("How to predict", "15, 22, 27a", tuple(text))


def _headline_rows(facts: CardFacts) -> pd.DataFrame | None:
    performance = facts.tables.get("performance")
    if performance is None:
        return None
    own = performance[(performance["blocks"] == facts.metrics.get("blocks"))
                      & (performance["learner"] == facts.metrics.get("default"))]
    first = own["metric"] == facts.metrics.get("metric")
    return pd.concat([own[first], own[~first]])


def _with_unit(column: ColumnSchema) -> str:
    # No ranges: the smallest and the largest value are somebody's.
    return f"{column.name} [{column.unit}]" if column.unit else column.name


def _count(value: Any) -> str:
    return "hidden" if pd.isna(value) else str(int(value))


def _given(text: str) -> str:
    return _escaped(text.strip()) if text.strip() else OPEN


def _value(value: Any) -> str:
    """A number for reading; text (a hidden cell, say) as it is."""
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return "-"
    return str(int(value)) if float(value).is_integer() else f"{value:.3f}"


def _limits(lower: Any, upper: Any) -> str:
    if lower is None or upper is None or pd.isna(lower) or pd.isna(upper):
        return "-"
    return f"{float(lower):.3f} to {float(upper):.3f}"


def _markdown_table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return lines + ["| " + " | ".join(_escaped(row[name]) for name in names) + " |" for row in rows]


def _escaped(text: str) -> str:
    """Text that cannot break out of its line or cell, or become a tag."""
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("|", "\\|")
