"""docs/messages.md lists every sentence that a command can end with, and no other."""

import ast
import re
from collections.abc import Iterator

from {{ cookiecutter.__package }} import errors

from .conftest import PROJECT

RAISED = {name for name in vars(errors) if name.endswith("Error") or name == "Interrupted"} | {"diverged", "require"}
FORWARDED = {"what"}  # of `diverged`, which has it from others; of the parser


def sentences(node: ast.expr) -> list[str]:
    """Return what an expression says, with … for what differs; of a condition, both."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)]
    if isinstance(node, ast.IfExp):
        return [*sentences(node.body), *sentences(node.orelse)]
    assert ast.unparse(node) in FORWARDED, f"what does this say: {ast.unparse(node)}"
    return []


def raised(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the first part of every error that a function raises; it may be in a variable, assigned before."""
    assigned: list[tuple[int, str, ast.expr]] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            several = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            pairs = zip(target.elts, node.value.elts, strict=False) if several else [(target, node.value)]  # type: ignore[attr-defined]
            assigned += [(node.lineno, ast.unparse(name), value) for name, value in pairs]
    assigned.sort(key=lambda each: each[0])
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("self.") in RAISED:
            if ast.unparse(node.func) == "require":
                continue  # which itself raises, and is found there
            says = node.args[ast.unparse(node.func) == "Interrupted"]
            before = [value for line, name, value in assigned if name == ast.unparse(says) and line < node.lineno]
            yield from sentences(before[-1] if before else says)


def in_code() -> set[str]:
    functions = [
        node
        for path in (PROJECT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    return {sentence for function in functions for sentence in raised(function)}


def in_docs() -> set[str]:
    text = (PROJECT / "docs" / "messages.md").read_text(encoding="utf-8")
    return set(re.findall(r"^### `(.+?)`", text, re.MULTILINE)) - {"stopped by Ctrl-C"}


def test_the_page_lists_every_message_and_no_other() -> None:
    assert len(in_code()) > 40
    assert sorted(in_code() - in_docs()) == [] == sorted(in_docs() - in_code())


def test_every_message_has_a_cause_and_a_remedy() -> None:
    text = (PROJECT / "docs" / "messages.md").read_text(encoding="utf-8")
    for part in text.split("\n### ")[1:]:
        heading, _, body = part.partition("\n")
        assert len(body.split("\n## ")[0].strip()) > 20, heading
