"""Password files of engines: a password in a file is neither in a URL nor in the environment."""

from pathlib import Path

from ringway.errors import ConfigError


def read_password(path: str) -> str:
    """Return the content of `path` without the line end. Raise `ConfigError` if it cannot be a password."""
    try:
        text = Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the engine's password_file cannot be read ({path}: {_why(error)}); give another one"
        ) from None
    if not text:
        raise ConfigError(f"the engine's password_file {path} is empty; write the password into it")
    return text


def _why(error: Exception) -> str:
    # The text of a UnicodeDecodeError contains bytes of the file, so it is not used.
    return error.strerror or "it cannot be opened" if isinstance(error, OSError) else "it is not text in UTF-8"
