"""The password of an engine in a file, so that it stands neither in a URL nor in the environment."""

from pathlib import Path

from ringway.errors import ConfigError


def read_password(path: str) -> str:
    """Return what `path` holds, without the line's end. Raise `ConfigError` where that cannot be a password."""
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
    # A UnicodeDecodeError shows bytes of the file.
    return error.strerror or "it cannot be opened" if isinstance(error, OSError) else "it is not text in UTF-8"
