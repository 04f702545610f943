"""What we use of spaCy, imported without PyTorch.

spaCy's library of layers imports PyTorch wherever it is installed: two seconds and 180 MB for nothing here, since our
components are rules and its own recogniser needs none. A process that has imported PyTorch or spaCy before keeps what
it has; a pipeline with PyTorch layers (transformers) needs ``import spacy`` before this module.
"""

from __future__ import annotations

import sys

from medomicslab_nb.errors import MissingExtraError

_HEAVY = tuple(name for name in ("torch",) if name not in sys.modules and "thinc" not in sys.modules)
try:
    for _name in _HEAVY:
        sys.modules[_name] = None  # type: ignore[assignment]  # what makes "import torch" an ImportError
    import spacy
    from spacy.attrs import IDX, SENT_START  # type: ignore[import-not-found]  # compiled, without a stub
    from spacy.language import Language
    from spacy.tokens import Doc, DocBin, Span
    from spacy.training import Example
    from spacy.util import filter_spans, fix_random_seed  # type: ignore[attr-defined]
    from spacy.vocab import Vocab
except ImportError:
    raise MissingExtraError("reading notes", "text") from None
finally:
    for _name in _HEAVY:
        sys.modules.pop(_name, None)

__all__ = ["IDX", "SENT_START", "Doc", "DocBin", "Example", "Language", "Span", "Vocab", "filter_spans",
           "fix_random_seed", "spacy"]
