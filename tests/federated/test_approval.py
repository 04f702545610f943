import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import medomicslab_nb
from medomicslab_nb.errors import ProtectionError, SettingsError, StudyError
from medomicslab_nb.federated.approval import Approvals, code_files, code_hash, hash_of_code, read_plan, summary
from medomicslab_nb.federated.plan import plan_hash, plan_of
from medomicslab_nb.federated.settings import FederatedSettings, PolicySettings
from medomicslab_nb.federated.steps import STEPS
from tests.federated.some_patients import SETTINGS

PACKAGE = Path(medomicslab_nb.__file__).parent
PLAN = plan_of(SETTINGS)


@pytest.fixture
def approvals(tmp_path):
    return Approvals(tmp_path / "approvals")


# -- the code's hash

@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("elsewhere") / "medomicslab_nb"
    shutil.copytree(PACKAGE, root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_what_runs_at_a_site_is_part_of_the_code():
    names = {path.relative_to(PACKAGE).as_posix() for path in code_files(PACKAGE)}
    assert {"federated/site.py", "federated/policy.py", "federated/messages.py", "federated/tasks/parts.py",
            "models/study_patients.py", "evaluation/endpoints.py", "protect.py", "study.py", "files.py"} <= names


def test_what_does_not_run_there_is_not():
    names = {path.relative_to(PACKAGE).parts[0] for path in code_files(PACKAGE)}
    assert not {"views", "report", "text", "radiomics", "app.py", "cli.py"} & names


def test_everything_that_a_site_loads_is_part_of_the_code():
    """What Python itself says after all steps are loaded."""
    script = ("import sys, medomicslab_nb.federated.site; from medomicslab_nb.federated.steps import STEPS\n"
              "from medomicslab_nb.stages import load\n"
              "for step in STEPS.values(): load(step.function)\n"
              "print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'medomicslab_nb'), sep='\\n')")
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert {Path(path) for path in loaded} <= set(code_files(PACKAGE))


def test_the_same_code_elsewhere_has_the_same_hash(copy):
    assert hash_of_code(copy) == hash_of_code(PACKAGE) == code_hash()


def test_ends_of_lines_do_not_count(copy):
    path = copy / "federated" / "policy.py"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\n", b"\r\n"))
    assert hash_of_code(copy) == code_hash()
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["federated/site.py", "federated/tasks/parts.py", "models/study_patients.py"])
def test_one_other_character_is_other_code(copy, name):
    path = copy / name
    content = path.read_bytes()
    path.write_bytes(content + b"#")
    assert hash_of_code(copy) != code_hash()
    path.write_bytes(content)


def test_a_module_more_is_other_code(copy):
    path = copy / "federated" / "tasks" / "more.py"
    path.write_text("")
    assert hash_of_code(copy) != code_hash()
    path.unlink()


# -- what is approved

def test_nothing_is_approved_at_first(approvals):
    with pytest.raises(ProtectionError, match="was not approved here"):
        approvals.check(plan_hash(PLAN), code_hash())


def test_what_was_approved_may_run(approvals, tmp_path):
    approvals.approve(PLAN, by="data protection officer")
    Approvals(tmp_path / "approvals").check(plan_hash(PLAN), code_hash())
    entry, = approvals.entries()
    assert (entry.plan, entry.code, entry.by) == (plan_hash(PLAN), code_hash(), "data protection officer")
    assert read_plan(SETTINGS) == SETTINGS


def test_settings_and_their_plan_are_one(approvals):
    assert approvals.approve(SETTINGS).plan == approvals.approve(PLAN).plan
    assert len(approvals.entries()) == 1


def test_another_plan_is_refused_and_both_hashes_are_told(approvals):
    approvals.approve(PLAN)
    other = plan_hash(plan_of(SETTINGS.model_copy(update={"seed": 1})))
    with pytest.raises(ProtectionError) as refused:
        approvals.check(other, code_hash())
    assert other[:12] in str(refused.value)
    assert plan_hash(PLAN)[:12] in str(refused.value)


def test_other_code_is_refused_and_both_hashes_are_told(approvals):
    approvals.approve(PLAN)
    with pytest.raises(ProtectionError) as refused:
        approvals.check(plan_hash(PLAN), "ab" * 32)
    assert "abababababab" in str(refused.value)
    assert code_hash()[:12] in str(refused.value)


def test_an_approval_ends_with_the_code_that_it_was_for(approvals, monkeypatch):
    approvals.approve(PLAN)
    old = code_hash()
    monkeypatch.setattr("medomicslab_nb.federated.approval.code_hash", lambda: "ab" * 32)
    with pytest.raises(ProtectionError, match=f"for the code {old[:12]} only"):
        approvals.check(plan_hash(PLAN), "ab" * 32)


def test_an_approval_can_be_taken_back_and_is_kept_on_record(approvals):
    approvals.approve(PLAN)
    approvals.revoke(plan_hash(PLAN)[:12])
    with pytest.raises(ProtectionError, match="no longer"):
        approvals.check(plan_hash(PLAN), code_hash())
    assert approvals.entries()[0].revoked
    approvals.approve(PLAN)
    approvals.check(plan_hash(PLAN), code_hash())


@pytest.mark.parametrize("which", ["", "ffffffffffff"])
def test_only_what_was_approved_can_be_taken_back(approvals, which):
    approvals.approve(PLAN)
    with pytest.raises(SettingsError, match="0 approved plans"):
        approvals.revoke(which)


def test_a_file_whose_plan_was_changed_approves_nothing(approvals, tmp_path):
    approvals.approve(PLAN)
    path, = (tmp_path / "approvals").glob("*.yaml")
    content = yaml.safe_load(path.read_text())
    content["settings"]["settings"]["outcome"] = "income"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(StudyError, match="its plan was changed"):
        approvals.check(plan_hash(PLAN), code_hash())


def test_a_file_under_another_plans_name_approves_nothing(approvals, tmp_path):
    approvals.approve(PLAN)
    path, = (tmp_path / "approvals").glob("*.yaml")
    other = plan_hash(plan_of(SETTINGS.model_copy(update={"seed": 1})))
    path.rename(path.with_name(f"{other}.yaml"))
    with pytest.raises(StudyError):
        approvals.check(other, code_hash())


def test_simulated_sites_approve_every_plan_of_their_own_code():
    Approvals().check(plan_hash(PLAN), code_hash())
    with pytest.raises(ProtectionError, match="code"):
        Approvals().check(plan_hash(PLAN), "ab" * 32)


@pytest.mark.parametrize("text", ["", "{}", "[]", "no plan", '{"settings": 1}'])
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(SettingsError):
        read_plan(text)


# -- what people read

ALGORITHMS = ["logistic", "linear", "cox", "kaplan-meier", "network", "trees"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_summary_says_what_leaves(algorithm):
    text = summary(SETTINGS.model_copy(update={"algorithm": algorithm}))
    own = {"kaplan-meier": "times", "trees": "tree"}.get(algorithm, algorithm)
    assert STEPS[own].summary in text
    others = {"logistic", "linear", "cox", "network", "tree"} - {own}
    assert not [name for name in others if STEPS[name].summary in text]


def test_the_summary_says_what_is_read_and_by_which_rules():
    text = summary(plan_of(SETTINGS), PolicySettings(minimum_patients=33, minimum_count=7))
    for expected in ("relapse", "age, marker, sex", "20% of them", "fewer than 33 patients", "at least 7 patients",
                     plan_hash(PLAN), code_hash()):
        assert expected in text


def test_a_curve_reads_no_predictors():
    text = summary(SETTINGS.model_copy(update={"algorithm": "kaplan-meier", "time": "months"}))
    assert "marker" not in text
    assert "followed up as 'months'" in text


def test_the_summary_says_who_judges_the_model_and_with_what_noise():
    settings = FederatedSettings(outcome="relapse", algorithm="network", test={"split": "test"},
                                 privacy={"kind": "local", "noise": 1.5}, harmonisation=True)
    text = summary(settings)
    for expected in ("'test' in 'split'", "noise 1.5", "every predictor", "ComBat", STEPS["combat"].summary):
        assert expected in text
