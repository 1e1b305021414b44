"""Measures of the house: the dependencies between its rooms, and the rules for its names and docstrings.

    scripts/house.py            print every measure, and exit with 1 if one is above its bound
    scripts/house.py --list M   print what measure M counts, a line each

Imports that only type checkers follow count like all others: they show which files must be understood together.
"""

import argparse
import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ROOT / "src" / "ringway"
ARROWS_MAX = {
    "node": 40, "engine": 24, "gateway": 31, "member": 49, "net": 15, "api": 12, "sources": 17, "sidecar": 13,
    "auth": 15, "hooks": 9,
}  # fmt: skip
"""Rooms whose arrows are bounded by number; circles are refused in every room."""

PURE = ("protocol", "core", "types", "errors")
"""Rooms and files without dice: they get a generator as an argument, and name its type only for type checkers."""

CLASSES_OF_A_VERB_MAX = 6
BARE_VERBS = frozenset({
    "ask", "come", "end", "give", "go", "hear", "hold", "keep", "leave", "let", "look", "make", "mind", "part", "pass",
    "put", "say", "see", "show", "stand", "take", "tell", "want",
})  # fmt: skip
"""Verbs that say nothing without an object. `close`, `run`, `start` and `stop` are Python's own words for a life."""

DEFERRED = re.compile(r"^(Who|What|Where|Which|When|Why|How|Whether)\b")
NOWHERE = re.compile(r"DESIGN\.md|HOUSE\.md|STYLE\.md|\bresearch:")
SEE_THE_MODULE = re.compile(r"\b[Ss]ee the module\b")


@cache
def files(folder: Path) -> dict[Path, ast.Module]:
    """Every Python file below `folder`, parsed."""
    return {path: ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py"))}


def product() -> dict[Path, ast.Module]:
    """Every Python file of the product, parsed."""
    return files(PRODUCT)


def where(path: Path, line: int = 0) -> str:
    """Return the path below the repository, with the line if there is one."""
    return f"{path.relative_to(ROOT)}:{line}" if line else str(path.relative_to(ROOT))


def module_of(path: Path) -> tuple[str, ...]:
    """Return the dotted name of a file as a tuple, without the package's name; `__init__` stands for its room."""
    parts = path.relative_to(PRODUCT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


@cache
def imports() -> frozenset[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every import of one product file by another."""
    known = {module_of(path) for path in product()}
    found = set()
    for path, tree in product().items():
        for node in ast.walk(tree):
            for name in imported(node):
                while name and name not in known:
                    name = name[:-1]
                if name and name != module_of(path):
                    found.add((module_of(path), name))
    return frozenset(found)


def imported(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """The product modules that an import statement may mean; of `from a import b`, both `a.b` and `a`."""
    if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ringway":
        base = tuple(node.module.split(".")[1:])
        for alias in node.names:
            yield (*base, alias.name)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] == "ringway":
                yield tuple(alias.name.split(".")[1:])


def arrows_in(room: tuple[str, ...]) -> set[tuple[str, str]]:
    """The arrows between the direct children of a room: files, and rooms in it."""
    depth = len(room)
    return {
        (source[depth], target[depth])
        for source, target in imports()
        if source[:depth] == room == target[:depth]
        and len(source) > depth < len(target)
        and source[depth] != target[depth]
    }


def circle_of(arrows: Iterable[tuple[str, str]]) -> list[str]:
    """Return one circle among `arrows`, first name repeated at the end; empty if there is none."""
    targets: dict[str, list[str]] = defaultdict(list)
    for source, target in sorted(arrows):
        targets[source].append(target)
    done: set[str] = set()

    def search(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for target in targets[name]:
            if found := search(target, [*trail, name]):
                return found
        done.add(name)
        return []

    for name in list(targets):
        if found := search(name, []):
            return found
    return []


def arrows(room: str) -> Callable[[], list[str]]:
    """A measure: the arrows between the files and rooms of one room."""
    return lambda: [f"{source} -> {target}" for source, target in sorted(arrows_in((room,)))]


def circles() -> list[str]:
    """One circle of each room that has circles."""
    rooms = {module_of(path) for path in product() if path.name == "__init__.py"}
    found = ((room, circle_of(arrows_in(room))) for room in sorted(rooms))
    return [f"{'.'.join(('ringway', *room))}: {' -> '.join(circle)}" for room, circle in found if circle]


def shared_names() -> list[str]:
    """Public classes with the name of a different public class."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in product().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(where(path))
    return [f"{name}: {', '.join(at)}" for name, at in sorted(places.items()) if len(at) > 1]


def bare_verbs() -> list[str]:
    """Bare verbs that are public methods of too many classes."""
    owners: Counter[str] = Counter()
    for tree in product().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                owners.update(
                    each.name
                    for each in node.body
                    if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name in BARE_VERBS
                )
    return [f"{verb}: {count} classes" for verb, count in sorted(owners.items()) if count > CLASSES_OF_A_VERB_MAX]


def private_names(tree: ast.AST) -> set[str]:
    """The private names that a file defines: attributes, methods, functions, variables, slots."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


def private_parts() -> list[str]:
    """Places in tests that use private parts of the product."""
    ours = set().union(*map(private_names, product().values()))
    found = []
    for path, tree in files(ROOT / "tests").items():
        own = private_names(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in ours - own:
                if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                    found.append(f"{where(path, node.lineno)} {node.attr}")
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ringway"):
                found += [f"{where(path, node.lineno)} {a.name}" for a in node.names if a.name.startswith("_")]
    return found


def bare_tasks() -> list[str]:
    """Calls of `create_task` and `ensure_future` that bypass `ringway.tasks`; task groups own theirs."""
    return [
        where(path, node.lineno)
        for path, tree in product().items()
        if path != PRODUCT / "tasks.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr == "ensure_future"
            or (node.func.attr == "create_task" and "group" not in ast.unparse(node.func.value))
        )
    ]


def docstrings() -> Iterator[tuple[Path, ast.AST, str]]:
    """Every docstring of the product, with its subject."""
    for path, tree in product().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if text := ast.get_docstring(node):
                yield path, node, text


def deferred_nouns() -> list[str]:
    """Modules whose first line does not begin with the noun that it is about."""
    return [
        f"{where(path)}: {text.splitlines()[0]}"
        for path, node, text in docstrings()
        if isinstance(node, ast.Module) and DEFERRED.match(text)
    ]


def empty_references() -> list[str]:
    """Docstrings that only point at their module."""
    return [where(path, getattr(node, "lineno", 1)) for path, node, text in docstrings() if SEE_THE_MODULE.search(text)]


def missing_sources() -> list[str]:
    """Sources cited in the product or its tests that are not in the repository."""
    return [
        where(path, number)
        for folder in ("src", "tests", "bench")
        for path in files(ROOT / folder)
        if path.name != "test_measures.py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if NOWHERE.search(line)
    ]


def loaded(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes of a file, without the bodies of `if TYPE_CHECKING`."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        is_for_checkers = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        todo += node.orelse if isinstance(node, ast.If) and is_for_checkers else ast.iter_child_nodes(node)


def dice_in_pure_rooms() -> list[str]:
    """Imports of `random` by pure files that are followed when the file is loaded."""
    return [
        where(path, node.lineno)
        for path, tree in product().items()
        if module_of(path)[:1] and module_of(path)[0] in PURE
        for node in loaded(tree)
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "random" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "random")
    ]


def bags() -> list[str]:
    """Files called `shared`."""
    return [where(path) for path in product() if path.stem == "shared"]


MEASURES: dict[str, tuple[Callable[[], list[str]], int]] = {
    **{f"arrows-{room}": (arrows(room), bound) for room, bound in ARROWS_MAX.items()},
    "circles": (circles, 0),
    "shared-class-names": (shared_names, 0),
    "bare-verbs": (bare_verbs, 0),
    "private-parts-in-tests": (private_parts, 0),
    "bare-tasks": (bare_tasks, 0),
    "deferred-nouns": (deferred_nouns, 0),
    "see-the-module": (empty_references, 0),
    "missing-sources": (missing_sources, 0),
    "files-named-shared": (bags, 0),
    "dice-in-pure-rooms": (dice_in_pure_rooms, 0),
}


def main() -> int:
    """Print the measures; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--list", choices=MEASURES, metavar="M", help="one of " + ", ".join(MEASURES))
    chosen = parser.parse_args().list
    if chosen:
        sys.stdout.write("".join(f"{line}\n" for line in MEASURES[chosen][0]()))
        return 0
    above = 0
    for name, (measure, bound) in MEASURES.items():
        count = len(measure())
        above += count > bound
        sys.stdout.write(f"{name:<24}{count:>5}  {'above' if count > bound else 'within'} {bound}\n")
    return min(above, 1)


if __name__ == "__main__":
    sys.exit(main())
