"""The file by which a coordinator asks sites to approve a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from medomicslab_nb.errors import SettingsError, StudyError
from medomicslab_nb.federated.plan import plan_hash, plan_of
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.files import FORMAT_PREFIX, read_document, write_yaml

FORMAT_VERSION = 1


@dataclass(frozen=True)
class PlanFile:
    """A run as sites are asked to approve it.

    Attributes
    ----------
    federation : str
    settings : FederatedSettings
    code : str
        Hash of the code that the coordinator has installed, and that a site must have.
    """

    federation: str
    settings: FederatedSettings
    code: str

    @property
    def plan(self) -> str:
        """What is approved: the settings as canonical JSON."""
        return plan_of(self.settings)

    def write(self, path: Path) -> None:
        write_yaml(path, {"format": FORMAT_PREFIX + "plan", "format_version": FORMAT_VERSION,
                          "federation": self.federation, "plan": plan_hash(self.plan), "code": self.code,
                          "settings": json.loads(self.plan)["settings"]})

    @classmethod
    def read(cls, path: Path) -> PlanFile:
        """The plan of a file.

        Raises
        ------
        StudyError
            It is missing, damaged or no plan, or its settings are not those of its hash.
        SettingsError
            It holds settings that do not exist here.
        """
        content = read_document(path, "plan", FORMAT_VERSION)
        try:
            found = cls(str(content["federation"]), FederatedSettings.parse(content["settings"]), str(content["code"]))
            same = content["plan"] == plan_hash(found.plan)
        except KeyError:
            raise StudyError("the plan is not complete", where=path.name, todo="Ask for it again") from None
        except SettingsError as error:
            raise SettingsError(error.found, where=path.name, todo="Install the coordinator's version of "
                                "medomicslab_nb") from None
        if not same:
            raise StudyError("the settings in the file are not those of its hash", where=path.name,
                             todo="Ask the coordinator to send it again; both need the same version of medomicslab_nb")
        return found
