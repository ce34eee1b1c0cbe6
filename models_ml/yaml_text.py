"""YAML as users and strangers write it, read within bounds.

Belongs here: size, depth and aliases of a text, before anything is made of it. Does not: what a file should hold (the schema
of each kind of file).

A few lines of aliases make lists of lists beyond any memory once something walks them or shows them in a message; brackets
without end run into the recursion limit; and a date that is none comes as a bare ValueError.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

LONGEST: Final = 256 * 1024
"""Characters. The largest file that is shipped has a tenth of it, and the reader takes some seconds for so much."""

DEEPEST: Final = 50
"""Levels of lists and keys."""

MOST_VALUES: Final = 50_000
"""Values after aliases are written out."""


class YamlTextError(ValueError):
    """A text is no YAML, or beyond the bounds.

    Attributes:
        line: Line it is about, from 1 on.
    """

    def __init__(self, message: str, *, line: int = 1) -> None:
        """Keep what is wrong and where."""
        super().__init__(message)
        self.line = line


def compose_yaml(text: str) -> tuple[yaml.Node | None, Any]:
    """Read a text with the safe loader.

    Returns:
        The document's node, with the places of its values (None of an empty text), and what it holds.

    Raises:
        YamlTextError: It is no YAML, holds a value that is none (2020-02-30), is too long or too deep, or its aliases come to
            more values than `MOST_VALUES`.
    """
    if len(text) > LONGEST:
        raise YamlTextError(f"it has {len(text)} characters, {LONGEST} are the most")
    try:
        _refuse_depth(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _count(node)
        return node, yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or " ".join(str(error).split())
        raise YamlTextError(str(what), line=mark.line + 1 if mark else 1) from None
    except YamlTextError:
        raise
    except (
        ValueError,
        OverflowError,
        TypeError,
        RecursionError,
    ) as error:  # values that the loader makes: dates, numbers, keys
        raise YamlTextError(f"{error}") from None


def load_yaml(text: str) -> Any:
    """What a text holds, see `compose_yaml`.

    Raises:
        YamlTextError: See there.
    """
    return compose_yaml(text)[1]


def _refuse_depth(text: str) -> None:
    """Go through the text's events, which needs no recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise YamlTextError(f"nested more than {DEEPEST} levels deep", line=_line(event.start_mark))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line(mark: Any) -> int:
    return 1 if mark is None else int(mark.line) + 1


def _count(node: yaml.Node) -> int:
    """Values of a node with its aliases written out; an alias within what it stands for has no end."""
    known: dict[int, int] = {}
    under_way: set[int] = set()

    def count(one: yaml.Node) -> int:
        if id(one) in known:
            return known[id(one)]
        if id(one) in under_way:
            raise YamlTextError("an alias stands for what holds it", line=_line(one.start_mark))
        under_way.add(id(one))
        parts = one.value if isinstance(one, yaml.CollectionNode) else []
        total: int = 1 + sum(sum(map(count, part)) if isinstance(part, tuple) else count(part) for part in parts)
        under_way.discard(id(one))
        known[id(one)] = total
        if total > MOST_VALUES:
            raise YamlTextError(f"its aliases come to more than {MOST_VALUES} values", line=_line(one.start_mark))
        return total

    return count(node)
