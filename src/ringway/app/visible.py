r"""Texts of strangers, made safe to show: characters that would steer a terminal become visible.

Control characters (C0, DEL and C1 of ECMA-48), characters that turn the direction of text (Unicode UAX #9,
CVE-2021-42574), separators of lines and paragraphs, and halves of surrogate pairs are shown as Python writes them:
`\x1b`, `\u202e`, `\ud83d`.
"""

import re

_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, keep: str = "") -> str:
    """Return `text` with terminal controls made visible, except the characters in `keep`."""
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else _shown(found[0]), text)


def visible_json(text: str) -> str:
    """Return the JSON `text` as equal JSON, with terminal controls written as JSON escapes."""
    return _HIDDEN.sub(lambda found: " " if found[0] in "\n\r\t" else f"\\u{ord(found[0]):04x}", text)


def _shown(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"
