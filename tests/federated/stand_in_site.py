"""What stands in for a site where only the way to it is tested: it answers with what it was asked."""

import os
import time
from pathlib import Path

from medomicslab_nb.federated.messages import Letter, Reply


class EchoSite:
    def __init__(self, study: Path):
        self.name = study.name

    def answer(self, letter: bytes) -> bytes:
        values = Letter.unpack(letter).values
        time.sleep(values.get("takes_s", 0))
        if values.get("crash") == self.name:
            os._exit(11)
        return Reply(self.name, {**values, "pid": os.getpid()}, "what was asked", 20).pack()
