"""Registers the generated stage in every Python process with this folder on its path: kernels, children, workers."""

import os
from pathlib import Path

from medomicslab_nb.stages import STAGES, Stage

STAGES["generated"] = Stage(
    "generated",
    "Generated",
    "generated_stage:GeneratedSettings",
    "generated_stage:run",
    "medomicslab_nb.views.stage_view:StageView",
    str(Path(__file__).parent / "generated.ipynb"),
)

# Bad input 66: the first kernel dies before it says a word.
flag = os.environ.get("GENERATED_KERNEL_FAILS_ONCE")
if flag and Path(flag).exists() and "ipykernel" in " ".join(__import__("sys").orig_argv):
    Path(flag).unlink()
    os._exit(1)
