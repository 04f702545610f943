"""The ``medomicslab`` command. Every failure: one message, exit code 1, a traceback only with ``--debug``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medomicslab_nb.cli_federated import add_federated
from medomicslab_nb.cli_parts import add_command, add_settings, given_settings, open_folder, run_stage
from medomicslab_nb.errors import Cancelled, MedomicsError, SettingsError
from medomicslab_nb.stages import STAGES, get_stage, load

if TYPE_CHECKING:
    from medomicslab_nb.progress import Event
    from medomicslab_nb.record import RunRecord
    from medomicslab_nb.runner import Comparison
    from medomicslab_nb.study import Study


_MOST_REASONS = 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 refused or failed, 2 not understood, 130 interrupted."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not options.command:
        parser.print_help()
        return 2
    try:
        return int(options.command(options) or 0)
    except (KeyboardInterrupt, Cancelled) as error:
        print(f"Cancelled. {error}" if str(error) else "Cancelled.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if options.debug:
            raise
        known = isinstance(error, MedomicsError)
        text = str(error) if known else f"{type(error).__name__}: {error} (--debug shows the traceback)"
        print(f"medomicslab: {text}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(prog="medomicslab", description="From hospital data to a validated, explained, "
                                     "repeatable model. No patient's data leave this machine.")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    _add_study(commands)
    _add_runs(commands)
    _add_models(commands)
    add_federated(commands)
    _add_surroundings(commands)
    return parser


def _add_study(commands: Any) -> None:
    """A study and what is in it."""
    command = add_command(commands, "demo", demo, "the main job, end to end, on patients that ship with the package "
                          "and on generated ones with images")
    command.add_argument("dir", nargs="?", metavar="DIR", help="study folder to make or reuse (default: demo-study); "
                         "the images' is DIR-images")
    command.add_argument("--real", metavar="NAME", default="", help="on real patients with images instead: sts")

    command = add_command(commands, "new", new, "make a study folder")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("--id-column", default="patient", help="column that identifies patients (default: patient)")
    command.add_argument("--index-date", help="column with each patient's index date")

    command = add_command(commands, "add", add, "import tables (CSV, TSV, Excel, Parquet) or images into a study")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("files", nargs="+", metavar="PATH", help="a table; or a folder or archive (zip, tar) of DICOM "
                         "or NIfTI files, or a list of them (columns patient, modality, image, mask)")
    command.add_argument("--name", help="name of the table (one file only); default: the file's name")
    command.add_argument("--block", help="block of predictors that the table forms, e.g. clinical or genes")
    command.add_argument("--level", choices=("patient", "lesion", "visit"), default="patient", help="what one row is")
    command.add_argument("--id-column", help="the file's identifier column, where it is named otherwise")
    command.add_argument("--date-column", help="column that dates each row")
    command.add_argument("--sheet", help="sheet of an Excel file")
    command.add_argument("--replace", action="store_true", help="replace a table of that name; the old file is kept")
    command.add_argument("--column", dest="columns", action="append", default=[], metavar="NAME.FIELD=VALUE",
                         help="correct the guessed dictionary: role, type, unit, endpoint or description of a column")
    command.add_argument("--date-order", choices=("day-first", "month-first"), help="for dates such as 03/04/2020")
    command.add_argument("--images", action="store_true", help="take a table for a list of images")
    command.add_argument("--modality", action="append", default=[], help="images of this modality only, e.g. PT")
    command.add_argument("--roi", action="append", default=[], metavar="NAME", help="these ROIs only, e.g. 'GTV*'")
    command.add_argument("--deidentify", metavar="KEYFILE", help="pseudonyms and shifted dates; images are copied into "
                         "the study without what identifies their patients")

    command = add_command(commands, "key", key, "make the secret key from which pseudonyms are computed")
    command.add_argument("file", metavar="FILE", help="outside of the study")

    command = add_command(commands, "status", status, "tables, runs and what is stale")
    command.add_argument("dir", metavar="DIR")


def _add_runs(commands: Any) -> None:
    """Stages, and what they leave."""
    command = commands.add_parser("run", add_help=False, help="run a stage's notebook headless")
    command.set_defaults(command=run)
    command.add_argument("stage", nargs="?", metavar="STAGE", help=", ".join(STAGES))
    command.add_argument("--study", metavar="DIR", help="the study folder")
    command.add_argument("--settings", metavar="FILE", help="YAML or JSON file of settings")
    command.add_argument("-s", dest="assignments", action="append", default=[], metavar="key=value",
                         help="one setting; overrides the file; nested: a.b=value")
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="stop the run after so long")
    command.add_argument("-h", "--help", action="store_true", help="this text; with a stage, every setting of it")
    command.set_defaults(parser=command)

    command = add_command(commands, "runs", runs, "every run of a study")
    command.add_argument("dir", metavar="DIR")
    for name, function, text in (("verify", verify, "hash again what a run read and wrote"),
                                 ("replay", replay, "run again on the same inputs and compare table by table")):
        command = add_command(commands, name, function, text)
        command.add_argument("dir", metavar="DIR")
        command.add_argument("run", metavar="RUN")
    command = add_command(commands, "report", report, "write report.html of a run, or of the whole study")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("run", metavar="RUN", nargs="?")


def _add_models(commands: Any) -> None:
    """What is done with models beside running the stage."""
    command = add_command(commands, "lint", lint, "look for leakage in a study before a model is built")
    command.add_argument("dir", metavar="DIR")
    add_settings(command, "the models stage")

    command = add_command(commands, "seal", seal, "set a test set aside that can be opened once")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("--outcome", required=True, help="endpoint of the models stage")
    command.add_argument("--share", type=float, default=0.2, help="share of the patients (default: .2)")
    command.add_argument("--centre", dest="centres", action="append", default=[], metavar="NAME",
                         help="seal this centre instead of patients drawn at random (repeatable)")
    command.add_argument("--seed", type=int, default=0)

    command = add_command(commands, "predict", predict, "apply the model of a run to new patients")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("run", metavar="RUN")
    command.add_argument("--table", dest="tables", action="append", required=True, metavar="NAME or FILE",
                         help="table of the study, or a file; one for each table of the training (repeatable)")
    command.add_argument("--centre", default="", metavar="COLUMN", help="column that names each patient's hospital")
    command.add_argument("--out", required=True, metavar="FILE.csv", help="a new file; identifiers stand in it")

    command = add_command(commands, "card", card, "the model card of a run, as Markdown")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("run", metavar="RUN")

    command = add_command(commands, "compare", compare, "the runs of the models stage side by side")
    command.add_argument("dir", metavar="DIR")


def _add_surroundings(commands: Any) -> None:
    """Sample data, JupyterLab, doctor."""
    data = commands.add_parser("data", help="public sample data").add_subparsers(metavar="ACTION", required=True)
    add_command(data, "list", data_list, "what there is, with licence and source")
    command = add_command(data, "get", data_get, "put a sample set into a study, which is made if there is none")
    command.add_argument("name", metavar="NAME")
    command.add_argument("dir", metavar="DIR")

    command = add_command(commands, "lab", lab, "JupyterLab on a study, with the templates at hand")
    command.add_argument("dir", nargs="?", default=".", metavar="DIR")
    command.add_argument("--port", type=int, default=8888)
    command.add_argument("--no-browser", action="store_true")
    command.add_argument("--lang", help="language of the views: en or fr")

    command = add_command(commands, "app", app, "a stage as a web page, for those who do not code; on this computer "
                          "only")
    command.add_argument("stage", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    command.add_argument("--study", required=True, metavar="DIR", help="the study folder")
    command.add_argument("--port", type=int, default=8866)
    command.add_argument("--no-browser", action="store_true")
    command.add_argument("--lang", help="language of the page: en or fr")

    command = add_command(commands, "export", export, "a notebook with its outputs as one HTML file that opens offline")
    command.add_argument("notebook", metavar="NOTEBOOK.ipynb")
    command.add_argument("--out", metavar="FILE.html", help="default: beside the notebook")

    add_command(commands, "doctor", doctor, "what is installed, what is missing, what to type")


# -- the commands -----------------------------------------------------------------------------------------------------


def demo(options: argparse.Namespace) -> None:
    folder = options.dir or (f"demo-{options.real}" if options.real else "demo-study")
    load("medomicslab_nb.demo:demo")(Path(folder), options.real)


def new(options: argparse.Namespace) -> None:
    study = load("medomicslab_nb.study:create_study")(options.dir, id_column=options.id_column,
                                                      index_date=options.index_date)
    print(f"Study {study.name} is made. Next: medomicslab add {options.dir} FILE ...")


def add(options: argparse.Namespace) -> None:
    if options.name and len(options.files) > 1:
        raise SettingsError("--name was given for several files", todo="Add them one by one")
    study = open_folder(options.dir)
    secret = load("medomicslab_nb.pseudonyms:read_key")(options.deidentify) if options.deidentify else None
    holds_images = load("medomicslab_nb.data.adding:holds_images")
    tables = 0
    for file in map(Path, options.files):
        if options.images or holds_images(file):
            _add_images(study, file, options, secret)
        else:
            _add_table(study, file, options, secret)
            tables += 1
    if tables:
        print("The dictionary is a guess. Correct it in the data loader's form, or add the file again with "
              "--column NAME.role=outcome and the like.")


def _add_table(study: Study, file: Path, options: argparse.Namespace, secret: Any) -> None:
    if options.modality or options.roi:
        raise SettingsError("--modality and --roi are for images, and this is a table", where=f"file {file.name}",
                            todo="Leave them out, or add the images' folder")
    given = {name: getattr(options, name) for name in ("block", "id_column", "date_column", "sheet", "date_order")
             if getattr(options, name) is not None}
    given |= {"level": options.level, "columns": corrections(options.columns), "replace": options.replace}
    prepared = load("medomicslab_nb.data.importing:prepare_file")(study, file, options.name, **given)
    if secret is not None:
        prepared = load("medomicslab_nb.data.deidentify:deidentify_prepared")(study, prepared, secret)
    else:
        load("medomicslab_nb.pseudonyms:refuse_identified")(study.path, prepared.frame[study.id_column],
                                                                 study.identifiers())
    info = load("medomicslab_nb.data.importing:add_prepared")(study, prepared)
    print(f"{info.name}: {info.n_rows} rows x {info.n_columns} columns, block '{info.block}'")
    for text in prepared.notes:
        print(f"  Note: {text}")
    for name, column in info.columns.items():
        details = ", ".join(part for part in (column.role, column.type, column.unit,
                                              column.endpoint and f"endpoint '{column.endpoint}'") if part)
        print(f"  {name}: {details}")
    if info.default_column:
        print(f"  every other column: {info.default_column.role}, {info.default_column.type}")


def _add_images(study: Study, path: Path, options: argparse.Namespace, secret: Any) -> None:
    from medomicslab_nb.progress import Progress
    from medomicslab_nb.protect import scrub
    from medomicslab_nb.runner import default_sinks

    done = load("medomicslab_nb.data.adding:add_images")(
        study, path, modalities=options.modality, rois=options.roi, deidentify=secret,
        progress=Progress(default_sinks()))
    print(f"images: {done.patients} patients, {done.series} images, {done.rois} ROIs")
    known = study.identifiers()
    for what, counts in (("Left out", done.rejected), ("Problem", done.problems)):
        for reason, n in list(counts.items())[:_MOST_REASONS]:
            print(f"  {what} ({n}): {scrub(reason, known)}")
        if len(counts) > _MOST_REASONS:
            print(f"  {what}: {len(counts) - _MOST_REASONS} more reasons")
    for flag, finding, n in done.flags_summed():
        print(f"  Check ({n} objects), {flag}: {finding}")
    for text in done.notes:
        print(f"  Note: {text}")


def key(options: argparse.Namespace) -> None:
    path = load("medomicslab_nb.pseudonyms:new_key")(options.file)
    print(f"The key is in {path.name}, readable for you only. Keep a copy in a safe place, never in a study: without "
          "it the same patients get other pseudonyms, and with it anybody can tell who they are.")


def corrections(assignments: Sequence[str]) -> dict[str, dict[str, str]]:
    """What ``--column NAME.FIELD=VALUE`` says of the data dictionary, by column.

    Raises
    ------
    SettingsError
        It is not of this form.
    """
    found: dict[str, dict[str, str]] = {}
    for assignment in assignments:
        key, separator, value = assignment.rpartition("=")
        name, dot, entry = key.rpartition(".")
        if not separator or not dot:
            raise SettingsError("--column takes NAME.FIELD=VALUE", where="command line",
                                todo="Type for instance: --column relapse.role=outcome")
        found.setdefault(name, {})[entry] = value
    return found


def status(options: argparse.Namespace) -> None:
    study = open_folder(options.dir)
    print(f"Study {study.name}")
    for info in study.tables.values():
        print(f"  table {info.name}: {info.n_rows} x {info.n_columns}, {info.level}, block '{info.block}'")
    _print_runs(study.runs)


def run(options: argparse.Namespace) -> int | None:
    if options.help or not options.stage:
        options.parser.print_help()
        if options.stage:
            print(f"\nsettings of stage {options.stage}:\n{describe(options.stage)}")
        return 0 if options.help else 2
    get_stage(options.stage)
    if not options.study:
        raise SettingsError("no study is named", todo=f"Type: medomicslab run {options.stage} --study DIR")
    run_stage(options.stage, options.study, given_settings(options), options.timeout)
    return None


def runs(options: argparse.Namespace) -> None:
    _print_runs(open_folder(options.dir).runs)


def verify(options: argparse.Namespace) -> int:
    record = open_folder(options.dir).run(options.run)
    return _print_comparisons(load("medomicslab_nb.runner:verify")(record))


def replay(options: argparse.Namespace) -> int:
    again, found = load("medomicslab_nb.runner:replay")(open_folder(options.dir).run(options.run))
    print(f"Run {again.id}")
    return _print_comparisons(found)


def report(options: argparse.Namespace) -> None:
    study = open_folder(options.dir)
    if options.run:
        path = study.run(options.run).report().path
    else:
        path = load("medomicslab_nb.report.html:write_study_report")(study)
    print(f"Report: {os.path.relpath(path)}")


def lint(options: argparse.Namespace) -> int:
    settings = given_settings(options)
    study = open_folder(options.dir)
    found = load("medomicslab_nb.models.lint:lint_study")(
        study, load("medomicslab_nb.models.settings:ModelsSettings").parse(settings))
    ids, scrub = study.identifiers(), load("medomicslab_nb.protect:scrub")
    for finding in found:
        print(scrub(f"{finding.level.upper()} {finding.kind}: {finding.what} {finding.todo}", ids))
    alarms = sum(finding.level == "alarm" for finding in found)
    print(f"Alarms: {alarms}, notices: {len(found) - alarms}")
    return int(alarms > 0)


def seal(options: argparse.Namespace) -> None:
    made = load("medomicslab_nb.models.study_patients:seal_patients")(
        open_folder(options.dir), options.outcome, share=options.share, centres=options.centres, seed=options.seed)
    print("\n".join(made.notes))
    print('It is opened by a run with validation=sealed and a reason, once.')


def predict(options: argparse.Namespace) -> None:
    frame = load("medomicslab_nb.models.predict:predict_tables")(
        open_folder(options.dir), options.run, options.tables, read=load("medomicslab_nb.data.reading:read_table"),
        centre=options.centre)
    load("medomicslab_nb.models.predict:write_csv")(frame, Path(options.out))
    flagged = int((frame["flags"] != "").sum())
    print(f"{len(frame)} patients, {flagged} with flags: {os.path.relpath(options.out)}")


def card(options: argparse.Namespace) -> None:
    print(load("medomicslab_nb.models.model_card:study_card")(open_folder(options.dir), options.run))


def compare(options: argparse.Namespace) -> None:
    study = open_folder(options.dir)
    runs_found = load("medomicslab_nb.models.compare_runs:compare_runs")(study)
    if runs_found.empty:
        print("no completed run of stage 'models' yet")
        return
    print(runs_found.to_string(index=False))
    pairs = load("medomicslab_nb.models.compare_runs:compare_pairs")(study)
    if len(pairs):
        print(f"\n{pairs.to_string(index=False)}")


def data_list(options: argparse.Namespace) -> None:
    print(load("medomicslab_nb.data.samples:list_samples")().to_string(index=False))


def data_get(options: argparse.Namespace) -> None:
    from medomicslab_nb.progress import Progress
    from medomicslab_nb.runner import default_sinks
    from medomicslab_nb.study import create_study

    folder = Path(options.dir)
    study = open_folder(options.dir) if (folder / "study.yaml").exists() else create_study(folder)
    load("medomicslab_nb.data.samples:get_sample")(options.name, study, Progress(default_sinks()))
    print(f"Study {study.name} now has: {', '.join(study.tables)}")


def lab(options: argparse.Namespace) -> None:
    load("medomicslab_nb.lab:lab")(Path(options.dir), port=options.port, browser=not options.no_browser,
                                   lang=options.lang)


def app(options: argparse.Namespace) -> None:
    load("medomicslab_nb.app:app")(options.stage, Path(options.study), port=options.port,
                                   browser=not options.no_browser, lang=options.lang)


def export(options: argparse.Namespace) -> None:
    path, checked = load("medomicslab_nb.report.notebook_html:export_notebook")(
        Path(options.notebook), Path(options.out) if options.out else None)
    print(f"Page: {os.path.relpath(path)}")
    if not checked:
        print("Note: no study was found for this notebook, so its text was not searched for patient identifiers.")


def doctor(options: argparse.Namespace) -> int:
    return int(load("medomicslab_nb.doctor:doctor")())


# -- their parts ------------------------------------------------------------------------------------------------------


def describe(stage: str) -> str:
    """Every setting of a stage: name, type, default and meaning, one a paragraph."""
    from medomicslab_nb.settings import Unit, fields_of, marker

    lines = []
    for name, field in fields_of(get_stage(stage).settings_class()):
        kind = str(field.annotation).replace("typing.", "")
        kind = field.annotation.__name__ if isinstance(field.annotation, type) else kind
        default = "required" if field.is_required() else f"default {field.get_default(call_default_factory=True)!r}"
        unit = marker(field, Unit)
        lines.append(f"  {name} ({kind}{', ' + unit.text if unit else ''}; {default})\n"
                     f"      {' '.join((field.description or '').split())}")
    return "\n".join(lines)


def _print_runs(records: Sequence[RunRecord]) -> None:
    for record in records:
        now = record.status
        stale = record.stale if now == "completed" else ()
        note = f", stale: {', '.join(stale)} changed since" if stale else f", {record.error}" if record.error else ""
        print(f"  run {record.id}: {now}{note}")
    if not records:
        print("  no runs yet")


def _print_comparisons(found: Sequence[Comparison]) -> int:
    for item in found:
        print(f"  {'ok     ' if item.equal else 'DIFFERS'} {item.what}: {item.found}")
    return 0 if all(item.equal for item in found) else 1


class TerminalBar:
    """A progress sink for a terminal: one line a task, which stays when it ends."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bars = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                              console=Console(stderr=True))
        self._tasks: dict[str, Any] = {}
        self._open: set[str] = set()

    def __call__(self, event: Event) -> None:
        if not self._open and not event.finished:
            self._bars.start()
        if event.task not in self._tasks:
            self._tasks[event.task] = self._bars.add_task(event.task, total=event.total)
        self._bars.update(self._tasks[event.task], completed=event.done, total=event.total)
        if event.finished:
            self._open.discard(event.task)
        else:
            self._open.add(event.task)
        if not self._open:
            self._bars.stop()


if __name__ == "__main__":
    sys.exit(main())
