"""``python -m medomicslab_nb`` is the ``medomicslab`` command."""

import sys

from medomicslab_nb.cli import main

sys.exit(main())
