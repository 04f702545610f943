"""Approval: a site answers only the code and the plan that a person there has read and agreed to."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import ProtectionError, SettingsError, StudyError
from medomicslab_nb.federated.plan import plan_hash, plan_of, settings_of
from medomicslab_nb.federated.policy import steps_of
from medomicslab_nb.federated.settings import FederatedSettings, PolicySettings
from medomicslab_nb.federated.steps import STEPS
from medomicslab_nb.files import FORMAT_PREFIX, canonical_json, read_document, write_yaml

FORMAT_VERSION = 1
SHORT = 12
"""Digits of a hash that people are shown."""

_PACKAGE = "medomicslab_nb"
_DATA = (".py", ".yaml", ".csv", ".json")
# What these import does not run at a site.
_COORDINATOR = ("stage", "program", "coordinator", "pooled", "commands", "outline", "members")


# -- what runs -----------------------------------------------------------------------------------------------------

@lru_cache(maxsize=1)
def code_hash() -> str:
    """sha256 over the source of everything of the package that can run at a site.

    The same wherever the same version is installed: paths are relative, and ends of lines do not count.
    """
    return hash_of_code(Path(__file__).parents[1])


def hash_of_code(root: Path) -> str:
    """The same for a package that lies in the folder ``root``."""
    content = hashlib.sha256()
    for path in code_files(root):
        source = path.read_bytes().replace(b"\r\n", b"\n")
        content.update(f"{path.relative_to(root).as_posix()}\0{len(source)}\0".encode())
        content.update(source)
    return content.hexdigest()


def code_files(root: Path) -> tuple[Path, ...]:
    """The files of ``federated``, and every module of the package that they load, directly or not.

    The package's own front only passes calls on to stages and views, which a site does not use.
    """
    found = {path for path in (root / "federated").rglob("*") if path.suffix in _DATA}
    waiting = [path for path in found if path.suffix == ".py" and not path.stem.endswith(_COORDINATOR)]
    while waiting:
        for path in _imported(waiting.pop(), root):
            if path not in found:
                found.add(path)
                if path.parent != root or path.name != "__init__.py":
                    waiting.append(path)
    return tuple(sorted(found, key=lambda path: path.relative_to(root).as_posix()))


def _imported(path: Path, root: Path) -> Iterator[Path]:
    """Files of the package that a module names in its imports, wherever in it they stand but for types."""
    for node in _statements(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield from _files_of(name, root)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.stmt):
            yield child
            yield from _statements(child)


def _files_of(name: str, root: Path) -> Iterator[Path]:
    """The module of that name, and the packages around it; what is no module is a name within one."""
    first, *parts = name.split(".")
    if first != _PACKAGE:
        return
    folder = root
    for part in ["", *parts]:
        folder = folder / part
        for path in (folder / "__init__.py", folder.with_suffix(".py")):
            if path.is_file():
                yield path


# -- what is asked -------------------------------------------------------------------------------------------------

def read_plan(plan: FederatedSettings | str) -> FederatedSettings:
    """The settings of a plan, given as such or as the text that :func:`~medomicslab_nb.federated.plan.plan_of` makes.

    Raises
    ------
    SettingsError
        It is no plan, or one of another version.
    """
    if isinstance(plan, FederatedSettings):
        return plan
    try:
        return settings_of(plan)
    except (ValueError, KeyError, TypeError):
        raise SettingsError("this is no plan of a federated run", where="plan",
                            todo="Ask the coordinator for the plan's file") from None


def summary(plan: FederatedSettings | str, policy: PolicySettings | None = None) -> str:
    """What a run does at a site, for whoever answers for the patients' data there.

    Parameters
    ----------
    plan : settings of the run, or its plan
    policy : PolicySettings, optional
        The site's rules; None: those of a new site.

    Raises
    ------
    SettingsError
        It is no plan.
    """
    settings = read_plan(plan)
    policy = policy or PolicySettings()
    sections = {"What is computed": _computed(settings), "What is read": _read(settings),
                "Who takes part": _who(settings, policy), "How often": _how_often(settings, policy),
                "What leaves": _leaves(settings, policy), "What never leaves": _NEVER,
                "To compare": [f"plan {plan_hash(plan_of(settings))}", f"code {code_hash()}"]}
    return "\n\n".join("\n".join([title, *(f"  - {line}" for line in lines)]) for title, lines in sections.items())


_ALGORITHMS = {
    "logistic": "Logistic regression: which patients have the outcome",
    "linear": "Linear regression: how large the outcome is",
    "cox": "Cox regression within each site: who has the event earlier",
    "kaplan-meier": "Kaplan-Meier curve: how many are without the event, over time",
    "network": "A network (multilayer perceptron), which each site trains in turn on its own patients",
    "trees": "Boosted trees, of which each site grows some on its own patients",
}
_NEVER = ["rows of a table, single values, times of single patients",
          "identifiers and names, smallest and largest values",
          "which patients are meant: of them only a hash leaves that tells whether the data changed"]


def _computed(settings: FederatedSettings) -> Iterator[str]:
    yield f"{_ALGORITHMS[settings.algorithm]}."
    yield f"Outcome: {settings.outcome}" + (f", followed up as '{settings.time}'" if settings.time else "") + (
        f"; what counts is '{settings.positive}'" if settings.positive else "") + "."
    if settings.harmonisation:
        yield "Differences between the sites' measurements are evened out before (ComBat)."
    if settings.explain and settings.algorithm != "kaplan-meier":
        yield "How much each column contributes is computed (SHAP)."
    if settings.privacy.kind != "none":
        yield f"Differential privacy ({settings.privacy.kind}): noise {settings.privacy.noise:g} times the clipping " \
              f"norm {settings.privacy.clip:g}, delta {settings.privacy.delta:g}."


def _read(settings: FederatedSettings) -> Iterator[str]:
    if settings.algorithm == "kaplan-meier":
        yield "the outcome and its follow-up time, and no other column"
        return
    if not settings.predictors:
        yield "every predictor of the study's data dictionary"
    for table, columns in settings.predictors.items():
        yield f"table '{table}': {', '.join(columns) if columns else 'every predictor'}"
    for column in settings.test:
        yield f"'{column}', which says who judges the model"


def _who(settings: FederatedSettings, policy: PolicySettings) -> Iterator[str]:
    yield "patients of this site whose outcome is known"
    if settings.test:
        (column, value), = settings.test.items()
        yield f"those with '{value}' in '{column}' judge the model, the others train it"
    elif settings.holdout:
        yield f"{settings.holdout:.0%} of them, drawn with seed {settings.seed}, judge the model, the others train it"
    if settings.test_sites:
        yield f"at these sites all of them judge the model, and nobody trains it: {', '.join(settings.test_sites)}"
    yield (f"the site takes no part with fewer than {policy.minimum_patients} patients, with fewer than "
           f"{policy.minimum_events} who have the event, or for classes with fewer who have not")


def _how_often(settings: FederatedSettings, policy: PolicySettings) -> Iterator[str]:
    rounds = {"network": settings.network.rounds, "trees": 2 * settings.trees.rounds + 1, "kaplan-meier": 1}
    if settings.algorithm in rounds:
        yield f"{rounds[settings.algorithm]} rounds for a model, and some before and after"
    else:
        yield "until nothing changes any more, as a rule 5 to 10 rounds for a model, and some before and after"
    if settings.external and settings.algorithm != "kaplan-meier":
        yield "again without each of the sites in turn, to judge the model where it has not learned"
    if settings.compare and settings.algorithm != "kaplan-meier":
        yield "again with this site alone, to compare"
    yield f"at most {policy.rounds_per_day} questions in 24 hours"


def _leaves(settings: FederatedSettings, policy: PolicySettings) -> Iterator[str]:
    yield from (STEPS[name].summary for name in steps_of(settings))
    yield f"behind each of these numbers stand at least {policy.minimum_count} patients, or nothing leaves"
    yield (f"nothing leaves from which, with what left before, sums over fewer than {policy.minimum_count} patients "
           "would follow")
    yield "every message is in the audit log, in these words"


# -- what was agreed to --------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Approval:
    """A plan that was agreed to, and the code for which.

    Attributes
    ----------
    plan, code : str
        Hashes.
    approved : str
        When, in UTC.
    settings : mapping
        The plan itself, with the version of its settings.
    by : str
        Who, as they wished to be named.
    revoked : str
        When it was taken back; empty while it holds.
    """

    plan: str
    code: str
    approved: str
    settings: Mapping[str, Any]
    by: str = ""
    revoked: str = ""


class Approvals:
    """The plans that a site has approved.

    Parameters
    ----------
    folder : Path, optional
        One readable file for each plan. None: every plan of this very code, for sites that are simulated.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def check(self, plan: str, code: str) -> None:
        """Refuse another code than this site's own, and a plan that was not approved for it.

        Parameters
        ----------
        plan, code : str
            Hashes.

        Raises
        ------
        ProtectionError
            Names both hashes, what came and what was approved, by their first digits.
        """
        check_code(code)
        if self._folder is None:
            return
        found = self._read(plan)
        if found is not None and not found.revoked and found.code == code:
            return
        raise ProtectionError(f"plan {plan[:SHORT]} with code {code[:SHORT]} {self._why(found)}",
                              todo="Let the site read and approve it: medomicslab site approve STUDY PLAN")

    def _why(self, found: Approval | None) -> str:
        if found is None:
            valid = [entry.plan[:SHORT] for entry in self.entries() if not entry.revoked]
            return f"was not approved here ({'approved: ' + ', '.join(valid) if valid else 'nothing was'})"
        if found.revoked:
            return "was approved here once, and is no longer"
        return f"was approved here for the code {found.code[:SHORT]} only"

    def approve(self, plan: FederatedSettings | str, *, by: str = "") -> Approval:
        """Note that a plan may run with the code that is installed here.

        Raises
        ------
        SettingsError
            It is no plan.
        StudyError
            It cannot be written.
        """
        text = plan_of(read_plan(plan))
        approval = Approval(plan_hash(text), code_hash(), _now(), json.loads(text), by)
        self._write(approval)
        return approval

    def revoke(self, plan: str) -> Approval:
        """Take an approval back, by the first digits of its plan's hash.

        Raises
        ------
        SettingsError
            No approval, or several, begin so.
        """
        found = [entry for entry in self.entries() if plan and entry.plan.startswith(plan)]
        if len(found) != 1:
            raise SettingsError(f"{len(found)} approved plans begin with '{plan[:64]}'", where="approvals",
                                todo=f"Approved: {', '.join(entry.plan[:SHORT] for entry in self.entries()) or 'none'}")
        approval = replace(found[0], revoked=_now())
        self._write(approval)
        return approval

    def entries(self) -> tuple[Approval, ...]:
        """Every approval, oldest first; also those that were taken back."""
        if self._folder is None:
            return ()
        found = [self._parse(path) for path in self._folder.glob("*.yaml")]
        return tuple(sorted(found, key=lambda entry: (entry.approved, entry.plan)))

    def _read(self, plan: str) -> Approval | None:
        path = self._path(plan)
        return self._parse(path) if path.exists() else None

    def _parse(self, path: Path) -> Approval:
        content = read_document(path, "approval", FORMAT_VERSION)
        try:
            texts = {name: str(content[name]) for name in ("plan", "code", "approved", "by", "revoked")}
            found = Approval(**texts, settings=content["settings"])
            if plan_hash(canonical_json(found.settings)) == found.plan == path.stem:
                return found
        except KeyError:
            pass
        raise StudyError("the approval is damaged, or its plan was changed", where=path.name,
                         todo="Delete the file, and approve the plan again")

    def _path(self, plan: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{plan}.yaml"

    def _write(self, approval: Approval) -> None:
        if self._folder is None:
            raise StudyError("a simulated site keeps no approvals", where="approvals")
        write_yaml(self._path(approval.plan), {"format": FORMAT_PREFIX + "approval", "format_version": FORMAT_VERSION,
                                               **vars(approval)})


def check_code(code: str) -> None:
    """Refuse questions of another code than the one that would answer.

    Raises
    ------
    ProtectionError
        Names both by their first digits.
    """
    if code != code_hash():
        raise ProtectionError(f"the coordinator's code {code[:SHORT]} is not this site's {code_hash()[:SHORT]}",
                              todo="Install the same version of medomicslab_nb at the coordinator and at every site, "
                                   "and approve the plan again")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
