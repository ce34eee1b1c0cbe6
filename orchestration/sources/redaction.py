"""Taking secrets out of what is said: in errors, in what httpx logs, in the structured log of a run.

Belongs here: the functions that do it. Does not: which secrets there are (`Settings.secrets`, keys that a client got for others).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

SECRET_PARAMETERS: Final = re.compile(r"(?i)([?&](?:[\w-]*(?:key|token|secret|signature|password)[\w-]*)=)[^&\s'\"]+")
USER_INFO: Final = re.compile(r"(://)[^/@\s]+@")
PASSWORD: Final = re.compile(r"(?i)(password\s*=\s*)(?:'(?:\\.|[^'\\])*'|(?:\\.|\S)+)")
"""A password as Postgres' library takes it: between apostrophes, or up to the next blank; a backslash takes the next sign as it is."""


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


def without_password(text: str) -> str:
    """Replace the password of an address of Postgres, which a text holds in whatever form, by `***`.

    What follows it up to the next blank may go too, so this is for messages and not for bodies of answers.

    Example:
        >>> without_password("dbname=lake password='two words' host=db, or postgresql://me:pw@db/lake")
        'dbname=lake password=*** host=db, or postgresql://***@db/lake'
    """
    return redact(PASSWORD.sub(r"\1***", text), ())
