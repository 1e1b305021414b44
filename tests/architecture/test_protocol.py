"""PROTOCOL.md: a number names one clause, and cited clauses exist."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLAUSE = re.compile(r"^ *- \*\*(P-[0-9.]+)\*\*", re.MULTILINE)
CITED = re.compile(r"\bP-[0-9]+(?:\.[0-9]+)+")
ENDINGS = {".py", ".ts", ".md", ".json"}
FOLDERS = ("src", "tests", "docs", "bench", "clients/typescript/src")


def clauses() -> Counter[str]:
    return Counter(CLAUSE.findall((ROOT / "PROTOCOL.md").read_text()))


def test_a_number_names_one_clause() -> None:
    assert [number for number, count in clauses().items() if count > 1] == []


def test_every_clause_that_is_cited_is_there() -> None:
    known = set(clauses())
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS]
    texts = {path: path.read_text() for path in files if "node_modules" not in path.parts and path.is_file()}
    dead = {f"{path.relative_to(ROOT)}: {cited}" for path, text in texts.items() for cited in CITED.findall(text)
            if cited not in known}  # fmt: skip
    assert dead == set()
