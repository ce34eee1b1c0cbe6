"""Taking secrets out of what is said: in errors, in what httpx logs, in the structured log of a run.

Belongs here: the one function that does it. Does not: which secrets there are (`Settings.secrets`, keys that a client got for others).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

SECRET_PARAMETERS: Final = re.compile(r"(?i)([?&](?:[\w-]*(?:key|token|secret|signature|password)[\w-]*)=)[^&\s'\"]+")
USER_INFO: Final = re.compile(r"(://)[^/@\s]+@")


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets, key-like query parameters and credentials in addresses by `***`.

    Args:
        text: What is to be said.
        secrets: Keys, the longest first, so that one that holds another is replaced whole.

    Example:
        >>> redact("GET https://me:pw@api.example/v1?api_key=abc&day=1 with abc-def", ["abc-def"])
        'GET https://***@api.example/v1?api_key=***&day=1 with ***'
    """
    for secret in secrets:
        text = text.replace(secret, "***")
    return USER_INFO.sub(r"\1***@", SECRET_PARAMETERS.sub(r"\1***", text))
