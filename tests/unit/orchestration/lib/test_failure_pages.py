"""Every kind of error has a section of docs/how-to/when-it-fails.md, and every section is there."""

import importlib
import re

import pytest

import models_ml
import orchestration
from orchestration.cli import FAILED, REFUSED, guarded
from orchestration.lib.errors import TidemarkError
from orchestration.lib.failure_pages import ELSE, PAGE, SECTIONS, help_for, help_for_kinds
from orchestration.lib.run_lock import RunLockedError
from orchestration.settings import REPOSITORY_ROOT

NAMED = {name for names in SECTIONS.values() for name in names}
DEFINED = re.compile(r"^class (\w+Error|SearchProblem)\(", re.MULTILINE)
NOT_TOLD = {
    # They never leave the part of the program they are raised in.
    "ExpectationSpecError",
    "UnknownDatasetError",
    "UnreadableEncodingError",
    "UnreadableValueError",
    "YamlTextError",
}


def raised_classes():
    """Public error classes of the project, by name; the sandbox's are answers of a simulated provider."""
    for package in (orchestration, models_ml):
        for path in sorted((REPOSITORY_ROOT / package.__name__).rglob("*.py")):
            if "sandbox" not in path.parts:
                yield from DEFINED.findall(path.read_text(encoding="utf-8"))


def anchors():
    """As GitHub makes them from the headings."""
    text = (REPOSITORY_ROOT / PAGE).read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_every_error_class_has_a_section():
    classes = [name for name in raised_classes() if not name.startswith("_")]

    assert len(classes) > 30
    assert [name for name in classes if name not in NAMED | NOT_TOLD] == []


def test_every_subclass_that_is_loaded_leads_to_a_section_of_its_own_tree():
    importlib.import_module("orchestration.sources.exchanges.errors")

    waiting, seen = [TidemarkError], set()
    while waiting:
        kind = waiting.pop()
        seen.add(kind.__name__)
        waiting += kind.__subclasses__()

    assert {name for name in seen if name not in NAMED} == set()


def test_every_section_is_on_the_page_and_no_other():
    assert set(SECTIONS) <= set(anchors())
    assert set(anchors()) - set(SECTIONS) == {"a-run-is-unlike-its-past"}
    assert len(anchors()) == len(set(anchors()))


def test_a_class_is_in_one_section():
    assert len(NAMED) == sum(map(len, SECTIONS.values()))


def test_an_error_without_a_section_has_that_of_what_it_derives_from():
    class HalfADollarError(RunLockedError):
        pass

    assert help_for(HalfADollarError.__new__(HalfADollarError)) == f"{PAGE}#another-run-holds-the-lock"
    assert help_for(ValueError()) == f"{PAGE}#{ELSE}"
    assert help_for_kinds([None, "KeyError", "WeekError"]) == f"{PAGE}#the-week-cannot-be-built"


@pytest.mark.parametrize(
    ("error", "code", "section"),
    [
        (TidemarkError("PORT=x is no port"), REFUSED, "a-command-was-refused"),
        (OSError(28, "No space left on device", "/somewhere"), FAILED, "the-disk-is-full-or-read-only"),
    ],
)
def test_the_line_of_a_failed_command_ends_with_the_page(capsys, error, code, section):
    def fail():
        raise error

    assert guarded(fail) == code

    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.endswith(f"; more: {PAGE}#{section}\n")
