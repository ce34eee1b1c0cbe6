"""How a feature's name reads in a sentence.

Belongs here: wording alone. Does not: what features are (`feature.py`), sentences about models (`models_ml/learning/explanations.py`) or
indices (`models_ml/indices/reasons.py`).
"""

from __future__ import annotations

import re


def in_words(feature: str) -> str:
    """A feature's name as a reader would say it: `return_vs_btc_30d` is `return vs btc of 30 days`."""
    spans = re.findall(r"(\d+)(d|w|y)(?=_|$)", feature)
    units = {"d": "days", "w": "weeks", "y": "years"}
    bare = re.sub(r"_\d+[dwy](?=_|$)", "", feature).replace("_", " ")
    return bare + "".join(
        f"{' of' if position == 0 else ' and'} {count} {units[unit]}" for position, (count, unit) in enumerate(spans)
    )
