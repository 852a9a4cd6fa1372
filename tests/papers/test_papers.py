"""What the papers promise is what the code has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
APPS = ("dockrev", "checks", "integrations", "notifications")
START_ERRORS = {"CannotStart", "BadEnvironment"}
# Set by Dockrev for its own children.
INTERNAL = {"DOCKREV_PROCESS"}


def sources() -> Iterator[Path]:
    for app in APPS:
        yield from CHECKOUT.joinpath(app).rglob("*.py")


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names of what is called with an argument, and that first argument."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            yield ast.unparse(node.func), node.args[0]


def words(argument: ast.expr) -> str:
    """A text as people see it, with … for what is filled in."""
    if isinstance(argument, ast.JoinedStr):
        return "".join(words(part) for part in argument.values)
    return str(argument.value) if isinstance(argument, ast.Constant) else "…"


def variables() -> set[str]:
    """Every name of ours, and the database's, that the code looks for in the environment."""
    nodes = (node for path in sources() for node in ast.walk(ast.parse(path.read_text())))
    named = {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    return {name for name in named if re.fullmatch(r"DOCKREV_[A-Z_]+|DATABASE_URL", name)}


def start_errors() -> set[str]:
    """The first sentence of every line that a start can end with."""
    raised = set()
    for path in sources():
        for name, argument in calls(ast.parse(path.read_text())):
            if name.rpartition(".")[2] in START_ERRORS:
                raised.add(re.split(r"(?<=\.) (?=[A-Z…])", words(argument))[0])
    return raised


def test_it_lists_every_variable() -> None:
    table = re.findall(r"^\| `(\w+)` \|", CHECKOUT.joinpath("README.md").read_text(), re.M)
    assert variables() - INTERNAL == set(table)


def test_it_explains_every_start_error() -> None:
    explained = " ".join(CHECKOUT.joinpath("docs/troubleshooting.md").read_text().split())
    assert {line for line in start_errors() if line not in explained} == set()


def test_it_links_to_files_that_are_there() -> None:
    papers = [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")]
    broken = {
        (paper.name, target)
        for paper in papers
        for target in re.findall(r"\]\(([^):#]+)\)", paper.read_text())
        if not paper.parent.joinpath(target).exists()
    }
    assert broken == set()
