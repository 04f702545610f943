"""The figures of a run of the models stage in reading order, with their captions and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from medomicslab_nb.report import explanation_figures, model_figures, nomogram_figure, survival_figures
from medomicslab_nb.report.model_words import kind_of
from medomicslab_nb.report.picture import Picture
from medomicslab_nb.report.rows import Reported, headline_rows, reported
from medomicslab_nb.report.wording import count

Tables = Mapping[str, pd.DataFrame]
_GROUPS = ("Groups are cut at quantiles of the training folds' scores; only patients that the model had not seen are "
           "drawn. Bands are intervals, numbers below are patients at risk.")


def model_pictures(tables: Tables, unit: str = "", outcome: str = "") -> list[Picture]:
    """The figures for the published tables that are there.

    Parameters
    ----------
    unit : str
        Of follow-up times, or of a continuous outcome.
    outcome : str
        Name of the endpoint.
    """
    found = reported(tables)
    if found is None:
        return []
    when = _when(tables, unit)
    meaning = _meaning(kind_of(tables), when, outcome, unit)
    pictures = [*_discrimination(tables, found), *_usefulness(tables, found, when), *_over_time(tables, found, unit),
                *_subgroups(tables, found), *_explained(tables, unit), *_dependence(tables, meaning)]
    return [picture for picture in pictures if picture is not None]


def _when(tables: Tables, unit: str) -> str:
    """`` by 1206 days`` for survival, nothing for other outcomes."""
    table = tables.get("calibration")
    known = () if table is None or "horizon" not in table.columns else table["horizon"].dropna()
    return f" by {float(known.iloc[0]):g} {unit}".rstrip() if len(known) else ""


def _meaning(kind: str, when: str, outcome: str, unit: str) -> str:
    if kind == "continuous":
        return f"predicted {outcome or 'value'}{f' ({unit})' if unit else ''}"
    return f"risk{when}" if kind == "survival" else "probability"


def _discrimination(tables: Tables, found: Reported) -> Iterator[Picture | None]:
    rows = headline_rows(tables["performance"])
    yield _picture("performance", "Performance",
                   "Estimate and interval from patients that the model had not seen. Filled diamond: the model named "
                   "before the run; open circles: plain learners on the same patients.",
                   model_figures.performance(tables["performance"]), rows)
    if "ablation" in tables:
        yield _picture("ablation", "What each block adds",
                       "Difference between models with more or other blocks and the reference block alone, on the "
                       "same patients.", model_figures.ablation(tables["ablation"]), tables["ablation"])
    if "roc" in tables:
        curves = found.rows(tables["roc"])
        yield _picture("roc", "ROC curve", "Predictions for patients that the model had not seen; bands are intervals.",
                       model_figures.roc(curves), curves)


def _usefulness(tables: Tables, found: Reported, when: str) -> Iterator[Picture | None]:
    if "calibration" in tables:
        bins = found.rows(tables["calibration"])
        yield _picture("calibration", "Calibration",
                       "On the dotted line, predicted and observed risk agree. Bars are intervals.",
                       model_figures.calibration(bins, when), bins)
    if "decision" in tables:
        curves = found.rows(tables["decision"])
        yield _picture("decision", "Decision curve",
                       "Net benefit: true positives less false positives weighed by the odds of the threshold, per "
                       "patient. A model is of use where its curve is above both treating all and treating none.",
                       model_figures.decision(curves, when), model_figures.decision_numbers(curves))


def _over_time(tables: Tables, found: Reported, unit: str) -> Iterator[Picture | None]:
    if "cumulative_incidence" in tables:
        # Where competing events exist, 1 - Kaplan-Meier would overstate the risk: only the incidence is drawn.
        table = found.rows(tables["cumulative_incidence"])
        for blocks, drawn in survival_figures.cumulative_incidence(table, unit):
            yield _picture(f"cumulative_incidence {blocks}", f"Cumulative incidence by predicted risk: {blocks}",
                           f"Share of patients with the event by each time, beside competing events "
                           f"(Aalen-Johansen). {_GROUPS}", drawn, table[table["blocks"] == blocks])
    elif "kaplan_meier" in tables:
        table = found.rows(tables["kaplan_meier"])
        for blocks, drawn in survival_figures.kaplan_meier(table, unit):
            yield _picture(f"kaplan_meier {blocks}", f"Kaplan-Meier by predicted risk: {blocks}", _GROUPS, drawn,
                           table[table["blocks"] == blocks])


def _subgroups(tables: Tables, found: Reported) -> Iterator[Picture | None]:
    if "subgroups" not in tables:
        return
    own = tables["performance"]
    # Groups are judged by their patients together, not by means over folds.
    whole = own[(own["learner"] == found.learner) & (own["blocks"] == found.full) & (own["aggregation"] != "fold mean")]
    if kind_of(tables) not in ("binary", "survival"):
        whole = whole.assign(events=None)
    table = tables["subgroups"]
    yield _picture("subgroups", "Centres and subgroups",
                   "Groups of fewer than five patients, of one class too, are hidden, and others where they could be "
                   "computed by difference. Intervals are wide in small groups; differences were not tested.",
                   model_figures.subgroups(table, whole[whole["metric"].isin(table["metric"])]), table)


def _explained(tables: Tables, unit: str) -> Iterator[Picture | None]:
    if not {"importance", "shap"} <= set(tables):
        return
    for part, ranked, dots in _by_class(tables["importance"], tables["shap"]):
        yield _picture(f"shap{part and ' ' + part}", f"What drives the predictions{part and ': ' + part}",
                       "Left: mean size of each feature's contribution, with its interval over patients. Right: one "
                       "dot per patient; right of zero the feature raises the prediction. SHAP explains the final "
                       "model, not causes; it says nothing of how another sample would have changed the model.",
                       explanation_figures.explanation(ranked, dots), explanation_figures.most_important(ranked))
    if "importance_blocks" in tables:
        table = tables["importance_blocks"]
        yield _picture("importance_blocks", "What each block contributes",
                       "Mean size of a block's contribution, its features summed in every patient first, with its "
                       "share of all blocks.", explanation_figures.importance_blocks(table), table)
    if "shap_survival" in tables:
        yield from _survival_explained(tables, unit)


def _by_class(importance: pd.DataFrame, shap: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    if "class" not in importance.columns:
        yield "", importance, shap
        return
    for name, ranked in importance.groupby("class", sort=False):
        yield str(name), ranked, shap[shap["class"] == name]


def _survival_explained(tables: Tables, unit: str) -> Iterator[Picture | None]:
    """SHAP values of the risk by each time, coloured by the features' values; other features together in grey."""
    values = tables["shap"][["row", "feature", "value"]]
    for time, part in tables["shap_survival"].groupby("time", sort=False):
        dots = part.merge(values, on=["row", "feature"], how="left")
        ranked = explanation_figures.mean_sizes(part)
        yield _picture(f"shap_survival {time:g}", f"What drives the risk by {time:g} {unit}".rstrip(),
                       "As above, on the scale of the predicted risk at that time.",
                       explanation_figures.explanation(ranked, dots, "SHAP value of the risk"), ranked)


def _dependence(tables: Tables, meaning: str) -> Iterator[Picture | None]:
    if "partial_dependence" in tables:
        table = explanation_figures.with_effect(tables["partial_dependence"])
        yield _picture("partial_dependence", "Partial dependence",
                       "Mean prediction if every patient had that value and all else stayed as it is; bands and bars "
                       "are intervals over patients. Where features depend on each other, the curve mixes their "
                       "effects. Features that the model does not use are left out.",
                       explanation_figures.partial_dependence(table, meaning), table)
    if {"nomogram_points", "nomogram_risk"} <= set(tables):
        points, risk = tables["nomogram_points"], tables["nomogram_risk"]
        if "time" in risk.columns:
            risk = risk[risk["time"] == risk["time"].iloc[0]]
        small = points["feature"].nunique() - len(nomogram_figure.drawn_features(points))
        left_out = f" {count(small, 'predictor')} worth less than one point left out." if small else ""
        yield _picture("nomogram", "Nomogram",
                       "Read each predictor's points straight above its value on the first scale, add them up, and "
                       f"read the prediction straight below the total. Not for decisions on patients.{left_out}",
                       nomogram_figure.nomogram(points, risk, meaning), points)


def _picture(name: str, title: str, caption: str, drawn: object, numbers: pd.DataFrame) -> Picture | None:
    return None if drawn is None else Picture(name, title, caption, drawn, numbers)  # type: ignore[arg-type]
