"""What the code never does, read off its syntax: unpickle, evaluate, hand a line to a shell, put a value into SQL."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.unit.safety.sql_parts import KNOWN_PARTS

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGES = ("orchestration", "models_ml", "benchmarks", "dbt_project/models", "docs/notebooks")
FILES = [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]

UNPICKLERS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "torch"}
UNSAFE_CALLS = {
    *("eval", "exec", "compile", "__import__"),
    *("os.system", "os.popen", "yaml.load", "yaml.full_load", "yaml.unsafe_load", "pl.read_database_uri"),
    *("pd.read_pickle", "pandas.read_pickle", "np.loads", "numpy.loads", "pd.eval", "shutil.unpack_archive"),
}
ALLOWED = {
    # Messages are plain text: every fact in them is made harmless before (orchestration/alerts/text.py).
    ("orchestration/alerts/messages.py", "SandboxedEnvironment(autoescape=False)"),
}
SQL_METHODS = {"execute", "executemany", "sql", "query", "from_query", "read_database"}
SAFE_PART = re.compile(
    r"""
    [A-Z_][A-Z0-9_]*(\.[A-Za-z0-9_]+)?                                # a constant, or what a constant knows of itself
    | [A-Z_][A-Z0-9_]* ( \ [-+*/]\ \d+ )?
    | [\w.]*\b(sql_name|current_view_sql_name|full_name)              # identifiers that their class has checked and quoted
    | \w*(quoted|quote_name|quote_value|sql_text)\(.*\)               # quoted on the spot
    | token_of_day\(.*\)
    | without_keys\(connection,\ [A-Z_]+\)                            # a constant, in a lake without its key clause
    | \w+_sql\(.*\)                                                   # a function that makes SQL, checked itself
    | ',\ '\.join\('\?'\ \*\ .*\)                                     # a list of parameters
    """,
    re.VERBOSE | re.DOTALL,
)


def name_of(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""


def unsafe_in(tree: ast.AST):
    """What a module imports or calls that it must not, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names if each.name.split(".")[0] in UNPICKLERS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNPICKLERS:
            yield node.lineno, node.module
        elif isinstance(node, ast.Call):
            called = name_of(node.func)
            if called in UNSAFE_CALLS:
                yield node.lineno, called
            for keyword in node.keywords:
                if keyword.arg in ("allow_pickle", "shell") and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                ):
                    yield node.lineno, f"{called}({keyword.arg}=...)"
                if keyword.arg == "autoescape" and getattr(keyword.value, "value", None) is False:
                    yield node.lineno, f"{called}(autoescape=False)"


def sql_parts_in(tree: ast.AST):
    """Everything that is put into a text on its way to a database, with the line."""
    for node in ast.walk(tree):
        is_asked = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SQL_METHODS
        if not is_asked or not node.args:
            continue
        text = node.args[0]
        for part in ast.walk(text):
            if isinstance(part, ast.FormattedValue):
                yield part.lineno, ast.unparse(part.value)
            elif isinstance(part, ast.BinOp) and isinstance(part.op, (ast.Add, ast.Mod)):
                sides = (
                    each
                    for each in (part.left, part.right)
                    if not isinstance(each, (ast.Constant, ast.BinOp, ast.JoinedStr))
                )
                yield from ((part.lineno, ast.unparse(each)) for each in sides)
        if isinstance(text, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
            yield text.lineno, ast.unparse(text)


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(line, shell=True)",
        "os.system(line)",
        "Environment(autoescape=False)",
    ],
)
def test_what_is_unsafe_would_be_found(code):
    assert list(unsafe_in(ast.parse(code)))


def test_nothing_is_unpickled_evaluated_or_given_to_a_shell():
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {what}"
        for path in FILES
        for line, what in unsafe_in(ast.parse(path.read_text(encoding="utf-8")))
        if (str(path.relative_to(REPOSITORY)), what) not in ALLOWED
    ]

    assert len(FILES) > 300
    assert found == []


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("connection.execute(f'select * from t where id = {token_id}')", "token_id"),
        ("connection.sql('select * from ' + table)", "table"),
        ("connection.execute('select %s' % name)", "name"),
        ("connection.execute('select {}'.format(name))", "'select {}'.format(name)"),
        ("connection.execute(query)", "query"),
    ],
)
def test_a_value_in_sql_would_be_found(code, part):
    assert part in [found for _, found in sql_parts_in(ast.parse(code))]
    assert not SAFE_PART.fullmatch(part)


def test_sql_is_put_together_from_checked_identifiers_only():
    """A part that is new here is a question: is it an identifier of ours, or a value? Values are parameters (`?`)."""
    unknown, seen = [], defaultdict(set)
    for path in FILES:
        file = str(path.relative_to(REPOSITORY))
        _, known = KNOWN_PARTS.get(file, ("", frozenset()))
        for line, part in sql_parts_in(ast.parse(path.read_text(encoding="utf-8"))):
            if SAFE_PART.fullmatch(part):
                continue
            seen[file].add(part)
            if part not in known:
                unknown.append(f"{file}:{line}: {part}")

    gone = {file: sorted(known - seen[file]) for file, (_, known) in KNOWN_PARTS.items() if known - seen[file]}

    assert unknown == [], "add it to sql_parts.py with the reason, or make it a parameter"
    assert gone == {}, "take it out of sql_parts.py"
    assert all(len(reason) > 20 for reason, _ in KNOWN_PARTS.values())
