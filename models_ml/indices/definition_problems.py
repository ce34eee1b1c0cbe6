"""Problems of an index definition, told with file, line, field and remedy.

Belongs here: YAML with the line of every key, and turning what pydantic found into sentences.
Does not: the schema itself (`definition.py`).
"""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from models_ml.yaml_text import YamlTextError, compose_yaml

Path = tuple[Any, ...]


class FieldProblem(NamedTuple):
    """What is wrong with one field, found by comparing it with another."""

    field: str
    what: str
    remedy: str


class FieldProblemsError(ValueError):
    """Carries several problems out of one pydantic validator, which may raise only once."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        """Keep the problems as they are; `YamlSource.describe` adds file and line."""
        self.problems = problems
        super().__init__("; ".join(f"{problem.field} {problem.what}" for problem in problems))


@dataclass(frozen=True)
class YamlSource:
    """A YAML document with the line each of its keys stands on."""

    name: str
    content: Any
    lines: dict[Path, int]
    problems: list[str]

    @classmethod
    def parse(cls, text: str, *, name: str) -> "YamlSource":
        """Parse with the safe loader; syntax errors and repeated keys become `problems`."""
        try:
            node, content = compose_yaml(text)
        except YamlTextError as error:
            return cls(name, None, {}, [f"{name}:{error.line}: not valid YAML ({error}); correct this line"])
        if not isinstance(node, yaml.MappingNode):
            return cls(name, None, {}, [f"{name}:1: holds no keys; write `index_id: ...` and the other fields"])
        lines: dict[Path, int] = {(): 1}
        repeated = []
        for path, line in _walk(node, ()):
            if path in lines:
                repeated.append(
                    f"{name}:{line}: {_dotted(path)}: already given on line {lines[path]}; keep one of them"
                )
            lines.setdefault(path, line)
        return cls(name, content, lines, repeated)

    def describe(self, error: ValidationError, *, known_keys: Callable[[Path], list[str]]) -> list[str]:
        """One line for each problem, in the order of the file."""
        found: dict[tuple[int, str], str] = {}
        for item in error.errors(include_url=False):
            cause = item.get("ctx", {}).get("error")
            if isinstance(cause, FieldProblemsError):
                for problem in cause.problems:
                    field_path: Path = tuple(int(part) if part.isdigit() else part for part in problem.field.split("."))
                    found[self._line(field_path), problem.field] = f"{problem.what}; {problem.remedy}"
                continue
            path = tuple(item["loc"])
            what = _sentence(item, known_keys=known_keys(path[:-1]))
            found.setdefault((self._line(path), _dotted(path)), what)
        return [f"{self.name}:{line}: {field}: {what}" for (line, field), what in sorted(found.items())]

    def _line(self, path: Path) -> int:
        """Line of the path, or of the nearest section that is in the file."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def _walk(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key.start_mark.line + 1
            yield from _walk(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield (*path, position), value.start_mark.line + 1
            yield from _walk(value, (*path, position))


def _sentence(item: Any, *, known_keys: list[str]) -> str:
    """What is wrong and what to do, for one of pydantic's errors."""
    kind, given = item["type"], item["input"]
    if kind == "extra_forbidden":
        key = str(item["loc"][-1])
        near = difflib.get_close_matches(key, known_keys, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"remove it (known: {', '.join(known_keys)})"
        return f"unknown key; {remedy}"
    if kind == "missing":
        return "is missing; add it"
    if kind == "string_pattern_mismatch":
        return f"{given!r} is no identifier; use lower-case letters, digits and _, beginning with a letter"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if not message.startswith("must"):
        message = f"must be {message[0].lower()}{message[1:]}"
    shown = f"{given!r:.60}"
    return f"{shown} {message}; correct the value"


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path) or "file"
