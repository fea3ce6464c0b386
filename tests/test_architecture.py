"""The house rules that a reader may rely on, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("features", "heads", "pipeline")
# Package -> the project's packages it may import besides itself. `errors` of heads is torch-free and for all.
MAY_IMPORT = {"features": set(), "heads": set(), "pipeline": {"features", "heads"}}
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
OURS = sorted(
    path
    for folder in (*PACKAGES, "encoders", "benchmarks", "tests", "data/sample")
    for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name(path)} uses a relative import"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_run_one_way(path: Path) -> None:
    """Features and heads know nothing of each other nor of the pipeline; the pipeline may use both."""
    package = path.relative_to(ROOT).parts[0]
    others = {module.split(".")[0] for module in imports(path)} & set(PACKAGES) - {package}
    assert others <= MAY_IMPORT[package]


@pytest.mark.parametrize("path", [path for path in MODULES if "heads" in path.parts], ids=name)
def test_heads_need_torch_alone(path: Path) -> None:
    """A head imports torch, safetensors and the standard library, nothing heavier."""
    heavy = {"numpy", "sklearn", "scipy", "h5py", "transformers", "matplotlib", "jieba", "pydantic"}
    assert not {module.split(".")[0] for module in imports(path)} & heavy


@pytest.mark.parametrize("path", OURS, ids=name)
def test_rooms_are_small(path: Path) -> None:
    """No file is longer than 250 lines and no function longer than 40."""
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= 250
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)
            assert length <= 40, f"{node.name} has {length} lines"


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    if ast.get_docstring(node) is None or not isinstance(first, ast.Expr):
        return 0
    return (first.end_lineno or first.lineno) - first.lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_room_for_odds_and_ends(path: Path) -> None:
    """No module is called utils, helpers, common or misc."""
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_is_unpickled_and_no_remote_code_trusted(path: Path) -> None:
    """Product code neither unpickles nor runs code from a model's repository."""
    source = path.read_text("utf-8")
    assert not imports(path) & {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}
    for forbidden in ("torch.load(", "allow_pickle=True", "trust_remote_code=True"):
        assert forbidden not in source


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_every_test_says_what_holds(path: Path) -> None:
    """Each test has a docstring of one sentence."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            text = ast.get_docstring(node)
            assert text, f"{node.name} has no docstring"
            assert text.rstrip().endswith("."), f"{node.name}: {text!r} is no sentence"
