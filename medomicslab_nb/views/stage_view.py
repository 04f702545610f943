"""The view of a stage: settings as a form, run and cancel, progress, result.

Where nobody looks (papermill, nbconvert) the view is a plain table and makes no widgets, so that the executed notebook
stays small and holds no widget state.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.evidence import part_records
from medomicslab_nb.report.settings_rows import settings_rows
from medomicslab_nb.settings import Settings, read_mapping
from medomicslab_nb.stages import get_stage, load
from medomicslab_nb.study import Study, open_study
from medomicslab_nb.views.form import complete
from medomicslab_nb.views.front_end import in_notebook, interactive
from medomicslab_nb.views.labels import stage_label
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import heading, plain_table, table
from medomicslab_nb.views.record_view import Bundle, mimebundle

if TYPE_CHECKING:
    from medomicslab_nb.views.panel import Panel


def view(stage: str, study: Study | str | Path,
         settings: Settings | Mapping[str, Any] | str | Path | None = None) -> StageView:
    """The view of a stage on a study: what the second cell of a template shows.

    Parameters
    ----------
    stage : str
        A name in ``STAGES``.
    study : Study or path
        The study folder.
    settings : mapping, YAML or JSON text, path or settings object
        What the form starts with. A required setting may be left for the form to ask.

    Raises
    ------
    SettingsError, StudyError
        A name or value is wrong, or there is no such study.
    """
    return load(get_stage(stage).view)(stage, study, settings)  # type: ignore[no-any-return]


class StageView:
    """Form, buttons, progress and result of one stage.

    Subclasses say what to show before a run (:meth:`before`) and of a result (:meth:`result`).

    Attributes
    ----------
    record : RunRecord or None
        The run that is shown.
    """

    def __init__(self, stage: str, study: Study | str | Path,
                 settings: Settings | Mapping[str, Any] | str | Path | None = None) -> None:
        self.spec = get_stage(stage)
        self.study = study if isinstance(study, Study) else open_study(study)
        given = settings if isinstance(settings, Settings) else read_mapping(settings)[0]
        self._values = complete(self.spec.settings_class(), given)
        self._missing = [name for name, field in self.spec.settings_class().model_fields.items()
                         if field.is_required() and name not in dict(given)]
        self.record: RunRecord | None = None
        self.panel: Panel | None = load("medomicslab_nb.views.panel:Panel")(self) if interactive() else None

    @property
    def settings(self) -> Settings:
        """The validated settings: those of the form where there is one.

        Raises
        ------
        SettingsError
        """
        if self.panel is not None:
            return self.panel.form.settings
        values = {name: value for name, value in self._values.items() if name not in self._missing}
        return self.spec.settings_class().parse(values)

    def run(self) -> RunRecord:
        """Run the stage in this process and wait for it: what Run All and papermill do.

        Raises
        ------
        SettingsError, RunError, Cancelled
        """
        settings = self.settings
        self.record = load("medomicslab_nb.runner:run")(self.spec.name, self.study, settings)
        if self.panel is not None:
            self.panel.show_end(self.record)
        if in_notebook():
            _display(self.result(self.record))
        return self.record

    def start(self) -> RunRecord:
        """Run the stage in a child process and return at once: what the button does."""
        self.record = load("medomicslab_nb.runner:start")(self.spec.name, self.study, self.settings)
        if self.panel is not None:
            self.panel.follow(self.record)
        return self.record

    def cancel(self) -> None:
        """Cancel the run that is shown."""
        if self.record is not None:
            self.record.cancel()

    def newest(self) -> RunRecord | None:
        """The run of this stage in this study that is still under way, whoever started it, else the newest one."""
        own = [record for record in reversed(self.study.runs) if record.stage == self.spec.name]
        return next((record for record in own if record.status == "running"), own[0] if own else None)

    def before(self) -> str:
        """HTML to show above the form; no identifiers."""
        return ""

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """Texts to offer in the form, by setting."""
        return {}

    def tools(self) -> tuple[Any, ...]:
        """Further widgets between the introduction and the form."""
        return ()

    def progress_widget(self) -> Any:
        """What shows a run under way: an object with ``widget``, ``show(record)`` and ``hide()``."""
        return load("medomicslab_nb.views.progress:RunBar")()

    def on_settings(self, settings: Settings) -> None:
        """Called when the form has come to hold other valid settings."""

    def result(self, record: RunRecord) -> list[Bundle]:
        """What to show of a finished run, as mime bundles; of a pipeline, every part."""
        return [mimebundle(one) for one in part_records(record) or [record]]

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if self.panel is None:
            return self.static()
        # Beside the widgets what is left of them in a notebook that is saved and opened without its kernel.
        return {**self.panel.widget._repr_mimebundle_(**kwargs), **StageView.static(self)}

    def static(self) -> Bundle:
        """Settings and study as plain HTML and text."""
        rows = settings_rows(self.spec.name, self._values)
        columns = [text("setting"), text("value"), text("default")]
        cells = [[row["name"], f"{row['value']} {row['unit']}".strip(), row["default"]] for row in rows]
        title = f"{stage_label(self.spec.name)} · {self.study.name}"
        markup = heading(title) + self.before() + heading(text("settings")) + \
            table(columns, cells, strong=[row["differs"] for row in rows])
        return {"text/html": markup, "text/plain": f"{title}\n{plain_table(columns, cells)}"}


def _display(bundles: list[Bundle]) -> None:
    from IPython.display import display

    for bundle in bundles:
        display(bundle, raw=True)
