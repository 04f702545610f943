"""What a federated run did and found, in sentences, and what is not known after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from medomicslab_nb.report.federated_tables import ALL, ALONE, FEDERATED, POOLED, WITHOUT, at, at_home
from medomicslab_nb.report.wording import count, data_size, interval, listed, metric_name, missing, number

Tables = Mapping[str, pd.DataFrame]
Settings = Mapping[str, Any]

CHANCE = {"AUC": 0.5, "C-index": 0.5, "R2": 0.0}
"""What a model that knows nothing reaches, by measure."""

_MODELS = {"logistic": "logistic regression", "linear": "linear regression", "cox": "Cox regression",
           "network": "network", "trees": "boosted trees"}
_EXACT = {
    "logistic": "Logistic regression by Newton's method on sums over each site's patients: the model that all patients "
                "together would give",
    "linear": "Linear regression on sums over each site's patients: the model that all patients together would give",
    "cox": "Cox regression stratified by site, by Newton's method on sums over each site's patients: the model that "
           "all patients together would give with a baseline hazard for each site",
    "kaplan-meier": "Kaplan-Meier curve of events and censored patients counted in bins of time: no patient's time "
                    "left a site, and the curve is as fine as the bins"}
_HELD_BACK = re.compile("'.*' (counts as missing|is left out)|Some values were left out")
"""How notes begin on values that the model lacks because of the sites' rules."""
_STRATEGIES = {"fedavg": "averaged, {weighted} (FedAvg)",
               "fedprox": "averaged, {weighted}, with a proximal term at the sites (FedProx)",
               "fedadam": "put together by Adam at the coordinator, {weighted} (FedAdam)"}
_KNOWN = 0.1
"""Share of patients that bins of time may leave open where the curve's end is told."""


def summary(settings: Settings, tables: Tables, metrics: Mapping[str, Any]) -> str:
    """The one sentence to read if only one is read."""
    if "curve" in tables:
        return _survival(settings, tables, metrics)
    performance = tables.get("federated_performance")
    together = pd.DataFrame() if performance is None else at(performance, ALL)
    if performance is None or FEDERATED not in together.index:
        return f"A federated {_model(settings)} was fitted over {_trained(tables, metrics)}; it was judged nowhere."
    main = together.loc[FEDERATED]
    kept_out = "kept out of training" if held_out(settings) else "who also made it, which flatters it"
    return (f"Predicting {settings.get('outcome', 'the outcome')} over {_trained(tables, metrics)}, the "
            f"federated {_model(settings)} reached {_with_limits(main)} in {count(int(main['patients']), 'patient')} "
            f"{kept_out}{_beside(together)}.")


def held_out(settings: Settings) -> bool:
    """Whether the patients who judge the model took no part in making it."""
    return bool(settings.get("holdout") or settings.get("test") or settings.get("test_sites"))


def _trained(tables: Tables, metrics: Mapping[str, Any]) -> str:
    """Who made the model: sites that only judge it do not count."""
    return _whom(metrics, int(tables["sites"]["trains"].sum()), "training patient")


def _whom(metrics: Mapping[str, Any], sites: int, who: str = "patient") -> str:
    # Every patient counts as an event of an outcome that is a number.
    numeric = metrics.get("measure") == "R2" or missing(metrics.get("events"))
    events = "" if numeric else f" with {count(int(metrics['events']), 'event')}"
    return f"{count(sites, 'site')} ({count(int(metrics['patients']), who)}{events})"


def _model(settings: Settings) -> str:
    return _MODELS.get(str(settings.get("algorithm")), "model")


def _with_limits(row: pd.Series) -> str:
    limits = interval(row["lower"], row["upper"])
    name = metric_name(str(row["measure"]))
    return f"{'an' if name[0] in 'AR' else 'a'} {name} of {number(row['estimate'])} " \
           f"({f'95 % interval {limits}' if limits else 'no interval'})"


def _beside(together: pd.DataFrame) -> str:
    """Beside the federated model: those of one site alone, and of all patients together."""
    alone = together[together.index.str.startswith(ALONE)]["estimate"]
    parts = [f"models of one site alone {_range(alone)}"] if len(alone) else []
    parts += [f"the model of all patients together {number(together.loc[POOLED, 'estimate'])}"] \
        if POOLED in together.index else []
    return f"; on the same patients {', '.join(parts)}" if parts else ""


def _range(values: pd.Series, said: Callable[[float], str] = number) -> str:
    lowest, highest = said(values.min()), said(values.max())
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _survival(settings: Settings, tables: Tables, metrics: Mapping[str, Any]) -> str:
    whom, outcome = _whom(metrics, int(metrics["sites"])), settings.get("outcome", "events")
    ends = _known_ends(tables["curve"])
    if ALL not in ends.index:
        return (f"Of {whom}, it is not known how many stay free of {outcome}: at no time do the bins tell it to within "
                f"{100 * _KNOWN:.0f} %.")
    end, each = ends.loc[ALL], ends.drop(ALL)["survival"]
    later = (tables["curve"]["site"] == ALL) & (tables["curve"]["time"] > end["time"])
    after = ", after which the bins leave too much open" if later.any() else ""
    beside = f"; at the sites {_range(each, _percent)} % where each is last known" if len(each) else ""
    when = f"{number(end['time'])} {metrics.get('unit', '')}".rstrip()
    limits = "no interval" if missing(end["lower"]) or missing(end["upper"]) else \
        f"95 % interval {_percent(end['lower'])} to {_percent(end['upper'])} %"
    return f"Of {whom}, {_percent(end['survival'])} % are free of {outcome} at {when} ({limits}){after}{beside}."


def _known_ends(curve: pd.DataFrame) -> pd.DataFrame:
    """The last row after the beginning at which the bins leave little open, by site; none of a site without one."""
    known = curve[(curve["most"] - curve["least"] <= _KNOWN) & (curve["time"] > 0)]
    return known.groupby("site", sort=False).tail(1).set_index("site")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def on_whom(settings: Settings, sites: pd.DataFrame) -> list[dict[str, str]]:
    """Patients and events of each site that took part, those who judge the model apart where they are others."""
    part = sites[sites["takes_part"]]
    if not held_out(settings):
        part = part.assign(**{name: 0 for name in part if name.startswith("testing_")})
    counted = "events" in part  # which a number as outcome has none of
    return [{"who": str(line.site), "patients": _two(line.patients, line.testing_patients),
             "events": _two(line.events, line.testing_events) if counted else ""} for line in part.itertuples()]


def _two(training: int, judging: int) -> str:
    if not judging:
        return number(training)
    return f"{number(training)} training and {number(judging)} judging" if training else f"{number(judging)} judging"


def findings(tables: Tables) -> list[str]:
    """What came out, a sentence each."""
    performance = tables.get("federated_performance")
    if performance is None or performance.empty:
        return []
    return [*_pooled(performance), *_at_home(performance), *_elsewhere(performance), *_external(performance),
            *_calibrated(performance)]


def _pooled(performance: pd.DataFrame) -> Iterator[str]:
    together = at(performance, ALL)
    if {FEDERATED, POOLED} <= set(together.index):
        federated, pooled = together.loc[FEDERATED], together.loc[POOLED]
        difference = abs(float(federated["estimate"] - pooled["estimate"]))
        overlap = min(federated["most"], pooled["most"]) - max(federated["least"], pooled["least"])
        within = ", within what the bins of scores leave open" if overlap > 0 else ""
        yield (f"Between the federated model and the model of all patients together the "
               f"{metric_name(str(together['measure'].iloc[0]))} differs by "
               f"{'less than 0.0001' if difference < 1e-4 else number(difference, 4)}{within}.")


def _at_home(performance: pd.DataFrame) -> Iterator[str]:
    """Where a site's own model is as good as the federated one, on the site's own patients."""
    alone = at_home(performance, ALONE)
    both = [(site, alone.loc[site], judged.loc[FEDERATED]) for site in alone.index
            if FEDERATED in (judged := at(performance, site)).index]
    better = [f"{site} ({number(own['estimate'])} against {number(shared['estimate'])})"
              for site, own, shared in both if own["estimate"] >= shared["estimate"]]
    if both:
        yield (f"On its own patients the site's own model did no worse than the federated one at {listed(better)}."
               if better else "On every site's own patients the federated model did better than the site's own model."
               ) + " These differences were not tested."


def _elsewhere(performance: pd.DataFrame) -> Iterator[str]:
    """How far models of one site travel."""
    alone = performance[performance["model"].str.startswith(ALONE) & performance["estimate"].notna()
                        & (performance["site"] != ALL)]
    away = alone[alone["model"] != ALONE + alone["site"]]
    if len(away):
        worst = away.loc[away["estimate"].idxmin()]
        yield (f"At other sites, models of one site alone reached {_range(away['estimate'])}; the lowest is the model "
               f"of {str(worst['model']).removeprefix(ALONE)} at {worst['site']}.")


def _external(performance: pd.DataFrame) -> Iterator[str]:
    external = at_home(performance, WITHOUT)
    if len(external):
        shown = [f"{number(row.estimate)} at {row.Index}"
                 + (f" ({limits})" if (limits := interval(row.lower, row.upper)) else "")
                 for row in external.itertuples()]
        yield f"Left out of training in turn, each site was judged by a model of the others: {listed(shown)}."


def _calibrated(performance: pd.DataFrame) -> Iterator[str]:
    own = performance[(performance["model"] == FEDERATED) & (performance["site"] != ALL)
                      & performance["estimate"].notna()]
    slopes = own["calibration_slope"].dropna() if "calibration_slope" in own else pd.Series(dtype=float)
    if len(slopes):
        yield f"The federated model's calibration slope is {_range(slopes)} over the sites (ideal 1)."


def unknown(settings: Settings, tables: Tables, metrics: Mapping[str, Any]) -> list[str]:
    """What nobody can tell from this run, a sentence each."""
    said = list(_not_compared(settings, tables))
    said += ["Whether a column means the same at every site: names and types were compared, how it was measured was "
             "not.",
             "Whether a patient was seen at two sites: no identifiers were exchanged, and such a patient counts twice."]
    return [*said, *_not_protected(settings, tables, metrics)]


def _not_compared(settings: Settings, tables: Tables) -> Iterator[str]:
    performance = tables.get("federated_performance")
    if performance is None or performance.empty:
        return
    models = performance["model"].astype(str)
    if POOLED not in set(models):
        yield "What a model of all patients together would give: their data stay where they are."
    if not models.str.startswith(ALONE).any():
        yield "How far each site would come alone: no site was fitted alone."
    if settings.get("test_sites"):
        yield f"How the model does at a hospital unlike {listed(settings['test_sites'])}, where nobody trained it."
    elif models.str.startswith(WITHOUT).any():
        yield "How the model does at a hospital unlike these: each was left out in turn, but they may be alike."
    else:
        yield "How the model does at another hospital: it was judged at sites that trained it."
    yield from _not_judged(performance)


def _not_judged(performance: pd.DataFrame) -> Iterator[str]:
    own = performance[(performance["model"] == FEDERATED) & (performance["site"] != ALL)]
    without = own[own["estimate"].isna()]["site"]
    if len(without):
        events = "" if (own["measure"] == "R2").any() else " or events"
        yield f"How the model does at {listed(without)}: too few patients{events} there judge it."
    chance = own["measure"].map(CHANCE)
    unsure = own[(own["lower"] <= chance) & (chance <= own["upper"])]
    if len(unsure):
        includes = "its interval includes" if len(unsure) == 1 else "their intervals include"
        yield (f"Whether the model does better than chance at {listed(unsure['site'])}: {includes} "
               f"{number(chance.iloc[0])}.")


def _not_protected(settings: Settings, tables: Tables, metrics: Mapping[str, Any]) -> Iterator[str]:
    epsilon = metrics.get("epsilon")
    if isinstance(epsilon, Mapping):  # of each site
        epsilon = max(epsilon.values(), default=None)
    fewest = f" over {int(tables['left']['fewest_patients'].min())} patients or more, and numbers of patients in bins" \
        if "left" in tables else ""
    if missing(epsilon):
        yield (f"How much what left tells of a single patient: sums{fewest}, without differential privacy, which "
               "alone would give a bound.")
        return
    delta = (settings.get("privacy") or {}).get("delta", "")
    yield (f"How much counts, means and measures tell of a single patient: differential privacy (epsilon "
           f"{number(epsilon, 2)} at delta {number(delta)}) holds for the training of the network only.")


def done(settings: Settings, tables: Tables, metrics: Mapping[str, Any], warnings: Sequence[str]) -> list[str]:
    """What was done, a sentence each; the run's ``warnings`` tell whether values were held back."""
    return [*_sites(settings, tables), _algorithm(settings, warnings), *_prepared(settings), *_judged(settings),
            *_left(tables, metrics)]


def _sites(settings: Settings, tables: Tables) -> Iterator[str]:
    if "sites" not in tables:
        return
    part = tables["sites"][tables["sites"]["takes_part"]]
    where = f"simulated from the column {settings['site_column']}" if settings.get("site_column") else \
        "each a study folder" if settings.get("sites") else "hospitals of a federation"
    yield f"Sites that took part: {listed(part['site'])}, {where}."
    stopped = "stopped" if settings.get("missing", "stop") == "stop" else "waited"
    yield (f"Each of them had to answer all that it was asked; without one of them the run would have {stopped}, never "
           "gone on with fewer.")


def _algorithm(settings: Settings, warnings: Sequence[str]) -> str:
    algorithm = str(settings.get("algorithm", "logistic"))
    if algorithm == "network":
        network = settings.get("network") or {}
        central = (settings.get("privacy") or {}).get("kind") == "central"
        strategy = _STRATEGIES.get(str(network.get("strategy")), "put together, {weighted}").format(
            weighted="every site counting the same" if central else "weighted by patients")
        return (f"A network was trained for {count(int(network.get('rounds', 0)), 'round')}; after each one the sites' "
                f"weights were {strategy}. It approximates the network of all patients together, and does not equal "
                "it.")
    if algorithm == "trees":
        rounds = int((settings.get("trees") or {}).get("rounds", 0))
        return (f"Boosted trees grew for {count(rounds, 'round')}: in each one every site grew a tree on bins that all "
                "share; the best was kept and got its leaves from all sites. They approximate the trees of all "
                "patients together, and do not equal them.")
    penalty = settings.get("penalty", 0)
    ridge = "" if algorithm == "kaplan-meier" else f" Ridge penalty: {number(penalty)}." if penalty else " No penalty."
    lacking = ", but for values that were left out (the warnings say which)" \
        if any(map(_HELD_BACK.match, warnings)) else ""
    return f"{_EXACT[algorithm]}{lacking}.{ridge}"


def _prepared(settings: Settings) -> Iterator[str]:
    if settings.get("algorithm") == "kaplan-meier":
        return
    combat = "; before that, ComBat between sites with parameters that all share" if settings.get("harmonisation") \
        else ""
    yield ("Missing values were filled with means over all training patients, and columns standardised with their mean "
           f"and standard deviation{combat}.")


def _judged(settings: Settings) -> Iterator[str]:
    if settings.get("algorithm") == "kaplan-meier":
        return
    elsewhere = settings.get("test_sites")
    judges = []
    if settings.get("test"):
        (column, value), = settings["test"].items()
        judges.append(f"the patients with {column} = {value}{' at the other sites' if elsewhere else ''}")
    elif settings.get("holdout"):
        judges.append(f"about {number(100 * settings['holdout'])} % of each {'other ' if elsewhere else ''}site's "
                      "patients, drawn before anything was computed")
    if elsewhere:
        judges.insert(0, f"all patients at {listed(elsewhere)}")
    if judges:
        yield f"Judged by {' and by '.join(judges)}, who took no part in training."


def _left(tables: Tables, metrics: Mapping[str, Any]) -> Iterator[str]:
    if "left" in tables:
        times = int(tables["left"]["times"].sum())
        yield (f"The sites let out {data_size(metrics.get('bytes', tables['left']['bytes'].sum()))} in "
               f"{count(times, 'answer')}, listed below in words; no patient's row is among them.")
