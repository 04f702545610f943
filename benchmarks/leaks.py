"""Positive controls of the leakage lint: leaks made on purpose must look like results, and must be named.

Each is made where nothing can be known (permuted labels, noise, equal hazards), so that an honest AUC or concordance is
.5. An ordinary model under five folds that do not know of the leak must exceed .6, and the lint must raise an alarm of
that kind. Then the lint is run over clean tables, real (``MEDOMICSLAB_DATA``, scikit-learn, scikit-survival) and
generated, in which it must raise none. Last lines: ``name=value``.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from model_tables import deepsurv
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv import datasets as survival_datasets
from sksurv.compare import compare_survival
from sksurv.util import Surv

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import association, target_numbers
from medomicslab_nb.evaluation.leakage import lint_data
from medomicslab_nb.evaluation.metrics import c_index

Case = tuple[pd.DataFrame, Endpoint, dict[str, Any]]
Clean = tuple[str, pd.DataFrame, Endpoint, pd.Series | None]

_DRAWS = 5
_GENERATED = 200
_LEAST_AUC = 0.6


def main() -> None:
    options = _options()
    figures: dict[str, float | int | bool | str] = {}
    for kind, make in CONTROLS.items():
        figures |= control(kind, make)
    figures |= over_clean(options.generated)
    figures["passed"] = bool(
        all(figures[f"{kind}_auc"] > _LEAST_AUC and figures[f"{kind}_named"] == 1 for kind in CONTROLS)
        and figures["clean_alarms"] == 0 and figures["generated_alarms"] <= 0.01 * options.generated)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name}={value}")
    if not figures["passed"]:
        raise SystemExit("a leak was not made, not named, or an alarm was raised over a clean table")


def control(kind: str, make: Callable[[np.random.Generator], Case]) -> dict[str, float | int]:
    """Mean cross-validated AUC or concordance with the leak, and whether every draw of it is named."""
    values, named = [], []
    for draw in range(_DRAWS):
        frame, endpoint, more = make(np.random.default_rng(draw))
        values.append(naive(frame, endpoint))
        named.append(any(finding.kind == kind and finding.level == "alarm"
                         for finding in lint_data(frame, endpoint, **more)))
    return {f"{kind}_auc": round(float(np.mean(values)), 3), f"{kind}_named": int(all(named))}


def naive(frame: pd.DataFrame, endpoint: Endpoint) -> float:
    """The better of ridge logistic regression and a forest under five folds by row, without any care.

    Survival: they predict the event, and are judged by concordance with the times.
    """
    rows = pd.get_dummies(frame.drop(columns=frame.select_dtypes("datetime").columns)).astype(float)
    rows = rows.fillna(rows.median())
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    ridge = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=5, l1_ratios=(0,), scoring="roc_auc",
                                                                use_legacy_attributes=False, max_iter=2000))
    results = []
    for model in (ridge, RandomForestClassifier(200, min_samples_leaf=2, random_state=0)):
        score = cross_val_predict(model, rows, endpoint.event, cv=folds, method="predict_proba")[:, 1]
        results.append(roc_auc_score(endpoint.event, score) if endpoint.time is None
                       else c_index(endpoint.event, endpoint.time, score))
    return max(results)


# -- leaks made on purpose --------------------------------------------------------------------------------------------


def _noise(rng: np.random.Generator, n: int, p: int) -> tuple[pd.DataFrame, Endpoint]:
    """Predictors without any relation to a binary outcome."""
    index = pd.Index([f"{value:09d}" for value in rng.choice(10**9, n, replace=False)])
    frame = pd.DataFrame(rng.normal(size=(n, p)), index=index, columns=[f"x{i}" for i in range(p)])
    return frame, Endpoint("response", rng.permutation(np.arange(n) % 2 == 0), index)


def outcome_in_disguise(rng: np.random.Generator) -> Case:
    """Two columns, neither of which tells the outcome, differ by it."""
    frame, endpoint = _noise(rng, 200, 10)
    before = rng.normal(50, 10, len(frame))
    after = before + 4 * endpoint.outcome + rng.normal(0, 0.5, len(frame))
    return frame.assign(before=before, after=after), endpoint, {}


def patient_in_two_folds(rng: np.random.Generator) -> Case:
    """Three visits of each of 80 patients, split by visit."""
    frame, endpoint = _noise(rng, 80, 20)
    rows = rng.permutation(np.repeat(np.arange(80), 3))
    visits = frame.iloc[rows] + rng.normal(0, 0.8, (240, 20))
    visit = pd.Series(rows).groupby(rows).cumcount().astype(str).to_numpy()
    visits.index = pd.Index([f"P{patient:03d}_v{number}" for patient, number in zip(rows, visit, strict=True)])
    fold = rng.permutation(np.arange(240) % 5)
    return visits, Endpoint("response", endpoint.outcome[rows], visits.index), {"splits": fold}


def fitted_outside(rng: np.random.Generator) -> Case:
    """The 25 of 2,000 columns that go best with the outcome of all patients."""
    frame, endpoint = _noise(rng, 120, 2_000)
    strength = association(frame.to_numpy(), target_numbers(endpoint))
    return frame.iloc[:, np.argsort(-strength)[:25]], endpoint, {}


def optimal_cut_point(rng: np.random.Generator) -> Case:
    """The five of forty biomarkers whose best cut by the log-rank test is most significant, each as high or low."""
    frame, endpoint = _noise(rng, 120, 40)
    times, censored = rng.exponential(500, 120), rng.uniform(100, 2_000, 120)
    survival = Endpoint("os", times <= censored, endpoint.patients, np.minimum(times, censored))
    target = Surv.from_arrays(survival.event, survival.time)
    best = {name: max((compare_survival(target, frame[name] > cut)[0], cut) for cut in np.sort(frame[name])[12:-12])
            for name in frame.columns}
    chosen = sorted(frame.columns, key=lambda name: -best[name][0])[:5]
    groups = pd.DataFrame({f"high {name}": (frame[name] > best[name][1]).astype(int) for name in chosen})
    return groups, survival, {"pool": frame}


def duplicated_rows(rng: np.random.Generator) -> Case:
    """The rarer class oversampled before splitting: mixtures of neighbours, and copies."""
    frame, endpoint = _noise(rng, 120, 20)
    rare = np.flatnonzero(endpoint.outcome)[:30]
    kept = np.concatenate([np.flatnonzero(~endpoint.outcome), rare])
    values = frame.to_numpy()
    nearest = np.argsort(((values[rare][:, None] - values[rare][None]) ** 2).sum(axis=2), axis=1)[:, 1:6]
    first = rng.integers(len(rare), size=30)
    second = rare[nearest[first, rng.integers(5, size=30)]]
    share = rng.random((30, 1))
    made = values[rare[first]] * (1 - share) + values[second] * share
    whole = pd.DataFrame(np.vstack([values[kept], made]), columns=frame.columns)
    whole.index = pd.Index([f"{value:09d}" for value in rng.choice(10**9, len(whole), replace=False)])
    order = rng.permutation(len(whole))
    outcome = np.concatenate([endpoint.outcome[kept], np.ones(30, dtype=bool)])[order]
    return whole.iloc[order], Endpoint("response", outcome, whole.index[order]), {}


def time_after_event(rng: np.random.Generator) -> Case:
    """A laboratory value taken at a visit after the response was seen, dated so."""
    frame, endpoint = _noise(rng, 200, 10)
    index_dates = pd.Series(pd.to_datetime("2015-01-01") + pd.to_timedelta(rng.integers(0, 900, 200), "D"), frame.index)
    taken = index_dates + pd.to_timedelta(rng.integers(20, 90, 200), "D")
    frame = frame.assign(marker=rng.normal(size=200) + 0.8 * endpoint.outcome)
    return frame, endpoint, {"dates": taken.to_frame("marker taken"), "index_dates": index_dates}


def centre_as_proxy(rng: np.random.Generator) -> Case:
    """Three hospitals with other patients and other scanners."""
    frame, _ = _noise(rng, 240, 30)
    hospital = rng.integers(0, 3, 240)
    frame = frame + rng.normal(0, 0.6, (3, 30))[hospital]
    outcome = rng.random(240) < np.array([0.2, 0.5, 0.8])[hospital]
    centre = pd.Series(hospital, index=frame.index, name="hospital").map("H{}".format)
    return frame, Endpoint("response", outcome, frame.index), {"centre": centre}


CONTROLS: dict[str, Callable[[np.random.Generator], Case]] = {
    make.__name__: make for make in (outcome_in_disguise, patient_in_two_folds, fitted_outside, optimal_cut_point,
                                     duplicated_rows, time_after_event, centre_as_proxy)}


# -- clean tables -----------------------------------------------------------------------------------------------------


def over_clean(generated: int) -> dict[str, float | int | str]:
    """Alarms of the lint over real and generated tables that hold no leak."""
    alarmed, tables, notices = [], 0, 0
    for name, frame, endpoint, centre in real_tables():
        findings = lint_data(frame, endpoint, centre=centre)
        tables += 1
        notices += sum(finding.level == "notice" for finding in findings)
        alarmed += [f"{name}: {finding.kind}" for finding in findings if finding.level == "alarm"]
    alarms = sum(any(finding.level == "alarm" for finding in lint_data(frame, endpoint, centre=centre))
                 for frame, endpoint, centre in map(generated_table, range(generated)))
    return {"clean_tables": tables, "clean_notices": notices, "clean_alarms": len(alarmed),
            "clean_alarmed": "; ".join(alarmed), "generated_tables": generated, "generated_alarms": alarms}


def real_tables() -> Iterator[Clean]:
    """Tables of packages, and of ``MEDOMICSLAB_DATA`` where it is set."""
    yield from _of_scikit_learn()
    yield from _of_scikit_survival()
    folder = os.environ.get("MEDOMICSLAB_DATA", "")
    if folder:
        for read in (_head_and_neck, _heart, _breast, _pancreas, _lymph_nodes, _deepsurv):
            yield from read(Path(folder))


def _of_scikit_learn() -> Iterator[Clean]:
    for name in ("breast_cancer", "wine", "iris", "diabetes"):
        table = getattr(datasets, f"load_{name}")(as_frame=True)
        target = table.target.to_numpy()
        if name == "breast_cancer":
            endpoint = Endpoint(name, target == 0, table.data.index)
        elif name == "diabetes":
            endpoint = Endpoint(name, target.astype(float), table.data.index)
        else:
            endpoint = Endpoint(name, target, table.data.index, classes=tuple(map(str, table.target_names)))
        yield f"sklearn {name}", table.data, endpoint, None


def _of_scikit_survival() -> Iterator[Clean]:
    for name in ("gbsg2", "breast_cancer", "whas500", "veterans_lung_cancer", "flchain", "aids"):
        frame, target = getattr(survival_datasets, f"load_{name}")()
        event, time = target.dtype.names
        # flchain's chapter is the cause of death: filled in for the dead alone.
        frame = frame.drop(columns="chapter", errors="ignore").apply(
            lambda column: column.astype(object) if not pd.api.types.is_numeric_dtype(column) else column)
        yield f"sksurv {name}", frame, Endpoint(name, target[event].astype(bool), frame.index,
                                                target[time].astype(float)), None


def _head_and_neck(folder: Path) -> Iterator[Clean]:
    table = pd.read_csv(folder / "hn" / "hn_train_hospitals.csv", index_col="patient_id")
    frame = table[["age_years", "t_stage", "n_stage", "tnm_stage", "hpv", "tumour_site"]]
    for name in ("locoregional", "distant_metastasis", "death"):
        event, time = table[f"{name}_event"].to_numpy(bool), table[f"{name}_time_days"].to_numpy(float)
        yield f"hn {name}", frame, Endpoint(name, event, frame.index, time), table["hospital"]
        yield f"hn {name} yes or no", frame, Endpoint(name, event, frame.index), table["hospital"]


def _heart(folder: Path) -> Iterator[Clean]:
    names = "age sex cp trestbps chol fbs restecg thalach exang oldpeak slope ca thal num".split()
    parts = []
    for hospital in ("cleveland", "hungarian", "switzerland", "va"):
        part = pd.read_csv(folder / "heart" / f"processed.{hospital}.data", header=None, names=names,
                           na_values=["?", "-9", "-9.0"])
        part.index = pd.Index([f"{hospital[:2]}{row:03d}" for row in range(len(part))])
        parts.append(part.assign(hospital=hospital))
    for name, part in [("heart", pd.concat(parts)), *((p["hospital"].iloc[0], p) for p in parts)]:
        centre = part["hospital"] if name == "heart" else None
        yield f"heart {name}", part[names[:-1]], Endpoint("disease", part["num"].to_numpy() > 0, part.index), centre


def _breast(folder: Path) -> Iterator[Clean]:
    subtype = pd.read_csv(folder / "breast_tcga" / "train_subtype.csv")["subtype"]
    codes, classes = pd.factorize(subtype, sort=True)
    for block in ("mrna", "mirna", "protein"):
        frame = pd.read_csv(folder / "breast_tcga" / f"train_{block}.csv.gz", index_col=0)
        yield f"breast_tcga {block}", frame, Endpoint("subtype", codes, frame.index, classes=tuple(classes)), None
        for code, name in enumerate(classes):
            yield f"breast_tcga {block} {name}", frame, Endpoint(name, codes == code, frame.index), None


def _pancreas(folder: Path) -> Iterator[Clean]:
    for block in ("clinical1", "cnv", "gex", "meth", "mutation", "rppa"):
        table = pd.read_csv(folder / "paad" / f"paad_{block}.csv.gz", index_col="patient_id")
        frame = table.drop(columns=["time", "status", "..row_id"], errors="ignore")
        event = table["status"].to_numpy(bool)
        yield f"paad {block}", frame, Endpoint("os", event, frame.index, table["time"].to_numpy(float)), None
        yield f"paad {block} yes or no", frame, Endpoint("os", event, frame.index), None


def _lymph_nodes(folder: Path) -> Iterator[Clean]:
    """Involvement of level II, from what is known of patient and tumour (not of other levels, nor of N stage)."""
    for path in sorted((folder / "lydata").glob("*.csv")):
        table = pd.read_csv(path, header=[0, 1, 2])
        patient, tumour = table["patient"]["#"], table["tumor"]["1"]
        known = patient.columns.intersection(["sex", "age", "alcohol_abuse", "nicotine_abuse", "hpv_status",
                                              "pack_years"])
        frame = pd.concat([patient[known], tumour[tumour.columns.intersection(
            ["location", "subsite", "side", "central", "extension", "volume", "t_stage"])]], axis=1)
        frame.index = (patient["id"] if "id" in patient else pd.Series(frame.index)).astype(str).to_numpy()
        for source in ("diagnostic_consensus", "pathology", "CT", "MRI", "PET"):
            for side in ("ipsi", "contra"):
                if (source, side, "II") in table:
                    values = table[(source, side, "II")]
                    rows = values.notna().to_numpy()
                    involved = values[rows].astype(str).str.lower().eq("true").to_numpy()
                    if min(involved.sum(), (~involved).sum()) >= 10:
                        centre = patient["institution"].set_axis(frame.index)[rows]
                        yield (f"lydata {path.stem} {source} {side}", frame[rows],
                               Endpoint("II", involved, frame.index[rows]), centre)


def _deepsurv(folder: Path) -> Iterator[Clean]:
    """The fixed splits of METABRIC and of Rotterdam and GBSG."""
    for name in ("metabric", "gbsg"):
        for part in ("train", "test"):
            frame = deepsurv(folder, name, part).set_index("patient")
            event, time = frame.pop("event").astype(bool), frame.pop("time").astype(float)
            yield (f"deepsurv {name} {part}", frame, Endpoint("os", event.to_numpy(), frame.index, time.to_numpy()),
                   None)


def generated_table(seed: int) -> tuple[pd.DataFrame, Endpoint, pd.Series | None]:
    """A clean study: 60 to 400 patients, 5 to 2,000 columns with correlations, gaps and effects up to an AUC of .95."""
    rng = np.random.default_rng([17, seed])
    n, p = int(rng.integers(60, 401)), int(np.exp(rng.uniform(np.log(5), np.log(2_000))))
    factors = rng.normal(size=(n, int(rng.integers(1, 8))))
    values = rng.normal(size=(n, p)) + factors @ rng.normal(size=(factors.shape[1], p)) * rng.choice([0, 0.5, 1.5])
    values = np.round(values, int(rng.integers(1, 7))) if rng.random() < 0.5 else values
    weights = np.zeros(p)
    told = rng.choice(p, min(p, int(rng.choice([1, 2, 5, 20, 100, p]))), replace=False)
    weights[told] = rng.normal(size=len(told))
    risk = values @ weights
    risk = rng.uniform(0, 3) * (risk - risk.mean()) / risk.std()
    frame = pd.DataFrame(values, index=[f"P{row:04d}" for row in range(n)], columns=[f"x{i}" for i in range(p)])
    centre = None
    if rng.random() < 0.5:
        codes = rng.integers(0, int(rng.integers(2, 5)), n)
        centre = pd.Series(codes, index=frame.index).map("centre {}".format)
        if rng.random() < 0.5:
            frame += rng.normal(size=(codes.max() + 1, p))[codes] * 0.5
        else:
            risk = risk + 0.5 * (codes - codes.mean())
    frame = frame.assign(sex=rng.choice(["f", "m"], n), stage=np.array(["I", "II", "III"])[
        np.digitize(risk + rng.normal(0, 2, n), [-1, 1])])
    if rng.random() < 0.4:
        frame = frame.mask(pd.DataFrame(rng.random(frame.shape) < 0.1, frame.index, frame.columns))
    return frame, _generated_endpoint(rng, risk, frame.index), centre


def _generated_endpoint(rng: np.random.Generator, risk: np.ndarray, index: pd.Index) -> Endpoint:
    n, kind = len(risk), rng.integers(4)
    if kind == 0:
        return Endpoint("response", risk + rng.logistic(size=n) > 0, index)
    if kind == 1:
        times, censored = rng.exponential(1_000 * np.exp(-risk)), rng.exponential(2_000, n)
        return Endpoint("os", times <= censored, index, np.ceil(np.minimum(times, censored)))
    if kind == 2:
        return Endpoint("value", risk + rng.normal(0, max(0.3 * risk.std(), 1.0), n), index)
    groups = np.digitize(risk + rng.logistic(size=n), np.quantile(risk, [0.33, 0.66]))
    return Endpoint("group", groups, index, classes=("a", "b", "c"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generated", type=int, default=_GENERATED, help="clean studies to generate")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
