#!/usr/bin/env python3
"""Check that every relative link in the Markdown files leads to a file, and every #anchor to a heading in it.

Usage: scripts/links.py [ROOT]. Prints each dead link and exits with 1 if there is a dead link.
"""

import re
import subprocess
import sys
from pathlib import Path

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    text = _FENCE.sub("", page.read_text())
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in _HEADING.findall(text)}


def dead_links(page: Path) -> list[str]:
    """The dead links of a page."""
    dead = []
    for target in _LINK.findall(_FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            dead.append(target)
    return dead


def main() -> int:
    """Check all pages in git, and new pages that git does not ignore."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=root, capture_output=True, text=True, check=True
    )
    pages = [root / name for name in listed.stdout.split("\n") if name and (root / name).exists()]
    found = [f"{page.relative_to(root)}: dead link {link}" for page in pages for link in dead_links(page)]
    sys.stdout.write("".join(f"{line}\n" for line in found) or f"links: {len(pages)} pages, none dead\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
