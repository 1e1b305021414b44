"""Limits that the operating system sets on a process."""

import resource

from ringway.core.files import FEW, plan_files
from ringway.logger import get_logger

FILES_WANTED = 1_048_576

_log = get_logger()


def allow_many_files() -> None:
    """Raise the limit of open files as far as this user may: each connection needs one, each relay two.

    Systems start with 1,024 for programs that use `select`; ours do not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft == resource.RLIM_INFINITY:
        return
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:
            _log.warning("the limit of open files stays as it is", limit=soft, error=str(error))
        else:
            soft = wanted
    _tell_if_few(soft)


def _tell_if_few(limit: int) -> None:
    """Warn if the limit is low: when the first client is refused, nobody would suspect this limit."""
    if limit < FEW:
        stay = plan_files(limit).stay
        _log.warning(
            "this process may have few open files: it holds no more connections than that allows; raise the limit "
            "(ulimit -n, LimitNOFILE=, --ulimit nofile=)",
            limit=limit,
            connections=stay,
            proxied_websockets=stay // 2,
        )
