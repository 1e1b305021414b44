"""Limits that the operating system sets on a process."""

import resource

import structlog

FILES_WANTED = 1_048_576

_log = structlog.get_logger()


def allow_many_files() -> None:
    """Raise the limit of open files as far as this user may: each connection is one, each relay two.

    Systems give 1,024 to begin with, for the sake of programs that use `select`; we do not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        _log.warning("the limit of open files stays as it is", limit=soft, error=str(error))
