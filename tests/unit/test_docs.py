"""What the documents name is there: files, classes, and where their links lead."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMBO = sorted((ROOT / "limbo").rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in LIMBO}
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *DECISIONS]
# A document may leave out the folders that a path begins with.
PATHS = [f"/{path.relative_to(ROOT)}" for path in [*LIMBO, *(ROOT / "tests").rglob("*.py")]]


def names():
    """Return what limbo's modules define or import, and ``Class.member`` for each class."""
    found = set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            match node:
                case ast.ClassDef(name=name, body=body):
                    members = {member for each in body for member in bound(each)}
                    found |= {name, *(f"{name}.{member}" for member in members)}
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    found.add(name)
                case ast.ImportFrom(names=aliases):
                    found |= {alias.name for alias in aliases}
    return found


def bound(statement):
    """Return the names that a statement in the body of a class binds."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case _:
            return []


NAMES = names()
MEMBERS = {name.partition(".")[2] for name in NAMES}
ROOMS = {part for path in PATHS for part in Path(path).with_suffix("").parts}


def quoted(path):
    """Return what a document has in backticks, but for its blocks of code."""
    prose = re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    return sorted(set(re.findall(r"`([^`\n]+)`", prose)))


def is_there(name):
    """Tell whether a name is one of the code, a file, a room, a request or a command."""
    if re.fullmatch(r"(GET|POST|DELETE) /\S+|make [a-z-]+", name):
        return True
    if name.startswith("LIMBO_"):
        return any(f'"{name}"' in path.read_text() for path in LIMBO)
    if "/" in name or name.endswith(".py"):
        return (ROOT / name).exists() or any(path.endswith(f"/{name}") for path in PATHS)
    module = name.replace(".", "/")
    return name in NAMES | MEMBERS | ROOMS or any(path.endswith(f"/{module}.py") for path in PATHS)


@pytest.mark.parametrize("name", quoted(ROOT / "docs/architecture.md"))
def test_the_architecture_names_nothing_that_is_not_there(name):
    assert is_there(name)


def test_the_architecture_draws_every_port():
    drawing = (ROOT / "docs/architecture.md").read_text().partition("    ports ")[2]
    ports = {path.stem for path in (ROOT / "limbo/ports").glob("[a-z]*.py")}
    assert set(re.findall(r"\w+", drawing.partition("    domain ")[0])) == ports


@pytest.mark.parametrize(
    "name",
    [name for name in quoted(ROOT / "docs/glossary.md") if re.fullmatch(r"[A-Z]\w*", name)],
)
def test_the_glossary_names_nothing_that_is_not_there(name):
    assert is_there(name)


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem[:4])
def test_a_decision_names_no_file_that_is_not_there(path):
    files = [name for name in quoted(path) if re.fullmatch(r"[\w/]+\.py", name)]
    assert [name for name in files if not is_there(name)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_the_links_of_a_document_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_decisions_are_numbered_without_a_gap_and_links_name_the_number_they_lead_to():
    heads = [path.read_text().partition(".")[0] for path in DECISIONS]
    assert heads == [f"# {number}" for number in range(1, len(DECISIONS) + 1)]
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    links = re.findall(r"\[(?:[Dd]ecision )?(\d+)\]\((?:docs/|decisions/)*(\d{4})-", text)
    assert links
    assert [link for link in links if int(link[0]) != int(link[1])] == []


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/health"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_proxy_of_the_guide_keeps_inside_what_is_for_the_inside(path, slash):
    # limbo takes one slash at the end of a path, so a rule about the bare path keeps nothing.
    guide = (ROOT / "SECURITY.md").read_text()
    rules = re.findall(r" (\^/\S+\$)", guide)
    assert len(rules) == guide.count("nginx:") + guide.count("Caddy:") + guide.count("HAProxy:")
    assert all(re.search(rule, path + slash) for rule in rules)
    assert not any(re.search(rule, "/v1/mail/metrics") for rule in rules)


def test_what_was_renamed_is_found_out():
    assert not any(
        is_there(name)
        for name in ("SqlArchive", "Worker.halt", "sql_queue.py", "http/protocol.py", "LIMBO_X")
    )
