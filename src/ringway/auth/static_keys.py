"""Keys that the settings hold, or name files of."""

import math
from dataclasses import dataclass
from pathlib import Path

from ringway.auth.config import KEYS, PREVIOUS, TokenRulesConfig
from ringway.auth.key import TokenKey, make_public_key, make_secret_key
from ringway.errors import ConfigError, refuse


@dataclass(frozen=True, slots=True)
class KeyTexts:
    """What the settings of keys hold now, by their names; two that are equal make the same keys."""

    texts: dict[str, str]

    def of(self, name: str) -> str:
        """Return the text of the setting `name`; empty if it is not given."""
        return self.texts.get(name, "")


def key_files(config: TokenRulesConfig) -> list[str]:
    """Return the files of keys, which may change while the process runs."""
    names = (*KEYS, PREVIOUS)
    return [
        getattr(config, f"{name}_file")
        for name in names
        if getattr(config, f"{name}_file") and not getattr(config, name)
    ]


def read_key_texts(section: str, config: TokenRulesConfig) -> KeyTexts:
    """Read the settings and files of keys; raise `ConfigError` with each file that cannot be read, or is empty."""
    problems: list[str] = []
    texts = {}
    for name in (*KEYS, PREVIOUS):
        text, file = getattr(config, name), getattr(config, f"{name}_file")
        if not text and file:
            text = _read_file(f"{section}.{name}_file", file, problems, may_be_empty=name == PREVIOUS)
        if text:
            texts[name] = text
    refuse(problems)
    return KeyTexts(texts)


def make_keys(section: str, config: TokenRulesConfig, texts: KeyTexts) -> tuple[TokenKey, ...]:
    """Return the keys in `texts`; raise one `ConfigError` with every key that cannot be used."""
    problems: list[str] = []
    keys: list[TokenKey] = []
    secret, previous = texts.of("hmac_secret_key"), texts.of(PREVIOUS)
    ends = config.hmac_previous_secret_key_valid_until or math.inf
    if previous and previous == secret:
        problems.append(f"{section}.{PREVIOUS} is the same as hmac_secret_key; give the secret from before the change")
    for name, text, until in (("hmac_secret_key", secret, math.inf), (PREVIOUS, previous, ends)):
        try:
            if text:
                keys.append(make_secret_key(text.encode(), f"{section}.{name}", config.hmac_secret_bytes_min, until))
        except ConfigError as error:
            problems += error.problems
    for name in KEYS[1:]:
        try:
            if texts.of(name):
                keys.append(make_public_key(texts.of(name), f"{section}.{name}"))
        except ConfigError as error:
            problems += error.problems
    refuse(problems)
    return tuple(keys)


def _read_file(setting: str, file: str, problems: list[str], *, may_be_empty: bool) -> str:
    try:
        text = Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{setting}: the file {file} cannot be read ({error}); give another")
        return ""
    if not text and not may_be_empty:
        problems.append(f"{setting}: the file {file} is empty; write the key into it")
    return text
