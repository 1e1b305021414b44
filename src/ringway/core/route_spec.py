"""Specs of routes: `--route "path=/chat host=*.example.com group=chat policy=ring on-move=close"`.

In TOML a route is a table `[[route]]`, which is turned into its short form, as all lists of settings have one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ringway.core.move_options import MOVE_OPTIONS, read_close_code, read_on_move, read_restart_codes
from ringway.core.placement.spec import parse_spec, short_policy
from ringway.core.route import CLOSE_AT_END, GroupRoute
from ringway.core.sticky.kind import STICKY
from ringway.errors import ConfigError
from ringway.protocol.backend import check_problems
from ringway.protocol.group import CHANNELS, DEFAULT
from ringway.protocol.host import read_hosts
from ringway.protocol.name import check_name
from ringway.protocol.spec import OptionErrors, read_pairs

OPTIONS = (
    "path",
    "host",
    "group",
    "policy",
    *MOVE_OPTIONS,
    "check",
    "check-host",
    "auth",
    "auth-end",
    "http",
    "sticky",
)
AUTH = ("jwt",)
AUTH_END = (CLOSE_AT_END, "keep")
_SWITCH = {"true": True, "false": False}

_UNKNOWN = "the option {item!r} of route {subject!r} is unknown; there are " + ", ".join(f"{o}=" for o in OPTIONS)
_ERRORS = OptionErrors(
    malformed=_UNKNOWN,
    unknown=_UNKNOWN,
    repeated="the option {option} of route {subject!r} is given twice; give it once",
)


def short_route(table: Mapping[str, Any]) -> str:
    """Return the short form of a `[[route]]`; raise `ConfigError` that names each wrong key or value."""
    problems: list[str] = []
    parts = []
    subject = f"{table.get('host', '*')}{table.get('path', '/')}"
    for key, value in table.items():
        option = key.replace("_", "-")
        if option not in OPTIONS:
            known = ", ".join(each.replace("-", "_") for each in OPTIONS)
            problems.append(f"the route {subject!r} has no setting {key!r}; there are {known}")
            continue
        if option == "policy" and isinstance(value, Mapping):
            text = short_policy(value)
        elif isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, (list, tuple)):
            text = "+".join(map(str, value))
        else:
            text = str(value)
        if not text or any(char.isspace() or char == ";" for char in text):
            problems.append(f"{key} of the route {subject!r} is {value!r}; give a text without blanks and semicolons")
        parts.append(f"{option}={text}")
    if problems:
        raise ConfigError(*problems)
    return " ".join(parts)


def read_route(spec: str) -> GroupRoute:
    """Return the route that `spec` describes; raise `ConfigError` that names every problem in it."""
    problems: list[str] = []
    subject = f"route {spec!r}"
    given = read_pairs(spec.split(), spec, _ERRORS, problems, known=OPTIONS)
    problems += (
        f"{option}= of {subject} is empty; give a value, or leave it out"
        for option, value in given.items()
        if not value
    )
    route = GroupRoute(
        path=given.get("path") or "/",
        host=given.get("host", "").lower() if given.get("host") != "*" else "",
        group=given.get("group") or DEFAULT,
        policy=given.get("policy", ""),
        on_move=read_on_move(given, subject, problems),
        close_code=read_close_code(given, subject, problems),
        restart_codes=read_restart_codes(given, subject, problems),
        check=given.get("check", ""),
        check_host=given.get("check-host", ""),
        auth=given.get("auth", ""),
        auth_end=given.get("auth-end", ""),
        http=_SWITCH.get(given.get("http", ""), False),
        sticky=given.get("sticky", ""),
    )
    if given.get("http") and given["http"] not in _SWITCH:
        problems.append(f"http={given['http']} of {subject} must be true or false")
    problems += _problems_of(route, spec)
    if problems:
        raise ConfigError(*problems)
    return msgspec.structs.replace(route, host=route.place[0])


def read_routes(specs: Sequence[str]) -> tuple[GroupRoute, ...]:
    """Return all routes of `specs`; raise one `ConfigError` with all problems."""
    problems: list[str] = []
    routes: list[GroupRoute] = []
    for spec in specs:
        try:
            routes.append(read_route(spec))
        except ConfigError as error:
            problems.extend(error.problems)
    places = [route.place for route in routes]
    problems += (
        f"two routes are for host {host or 'any'} and path {path or '/'}; leave one out, or make one more specific"
        for host, path in sorted(set(places))
        if places.count((host, path)) > 1
    )
    for setting, option in (("policy", "policy"), ("check", "check"), ("check_host", "check-host")):
        problems += _contradictions(routes, setting, option)
    if problems:
        raise ConfigError(*problems)
    return tuple(routes)


def check_has_keys(routes: Sequence[GroupRoute], *, has_keys: bool) -> None:
    """Raise `ConfigError` if a route asks for tokens, and there is no key to check one with."""
    asking = [str(route) for route in routes if route.auth]
    if asking and not has_keys:
        raise ConfigError(
            f"the route {asking[0]} asks for a token (auth=jwt), and no key is set that could prove one; give "
            "token.hmac_secret_key_file, token.rsa_public_key_file, token.ecdsa_public_key_file, "
            "token.eddsa_public_key_file or token.jwks_public_endpoint"
        )


def setting_of_group(routes: Sequence[GroupRoute], group: str, setting: str) -> str:
    """Return the `setting` that the routes to `group` give it; empty if none does."""
    return next((text for route in routes if route.group == group and (text := getattr(route, setting))), "")


def _contradictions(routes: Sequence[GroupRoute], setting: str, option: str) -> list[str]:
    """Return the groups for which two routes give different values of a setting that a group has once."""
    problems = []
    for group in sorted({route.group for route in routes}):
        values = sorted({getattr(route, setting) for route in routes if route.group == group} - {""})
        if len(values) > 1:
            problems.append(
                f"routes give group {group!r} the {option} {' and '.join(map(repr, values))}; a group has one: leave "
                "the others out, or name another group"
            )
    return problems


def _problems_of(route: GroupRoute, spec: str) -> list[str]:
    problems = []
    path = route.path
    if not path.startswith("/") or "//" in path or any(char in "?#" or not "!" <= char <= "~" for char in path):
        problems.append(
            f"the path {path!r} of route {spec!r} must begin with / and have no blanks, no ?, no # and no // (an empty "
            "segment), as /chat"
        )
    for read, given in ((lambda text: read_hosts([text], "host"), route.host), (check_name, route.group)):
        try:
            if given:
                read(given)
        except ConfigError as error:
            problems += (f"route {spec!r}: {problem}" for problem in error.problems)
    if route.policy:
        try:
            parse_spec(route.policy)
        except ConfigError as error:
            problems += (f"route {spec!r}: {problem}" for problem in error.problems)
    if route.auth and route.auth not in AUTH:
        problems.append(f"auth={route.auth} of route {spec!r} must be jwt; leave it out if no token is asked for")
    if route.auth_end and (route.auth_end not in AUTH_END or not route.auth):
        problems.append(
            f"auth-end={route.auth_end} of route {spec!r} must be {' or '.join(AUTH_END)}, beside auth=jwt; "
            "without it WebSockets stay open when their token ends"
        )
    if route.sticky and route.sticky not in STICKY:
        problems.append(f"sticky={route.sticky} of route {spec!r} must be {', '.join(STICKY[:-1])} or {STICKY[-1]}")
    if route.sticky and not route.http:
        problems.append(f"sticky={route.sticky} of route {spec!r} is for plain HTTP; add http=true, or leave it out")
    problems += check_problems(route.check, route.check_host, f"route {spec!r}")
    of_backends = (
        ("on-move", route.on_move is not None), ("close-code", route.close_code is not None),
        ("restart-codes", route.restart_codes is not None), ("check", bool(route.check)),
        ("check-host", bool(route.check_host)), ("auth-end", bool(route.auth_end)),
        ("http", route.http),
    )  # fmt: skip
    useless = [option for option, is_given in of_backends if is_given]
    if route.group == CHANNELS and useless:
        problems.append(
            f"{', '.join(useless)} of route {spec!r} has no effect: the group {CHANNELS} has channel nodes, which move "
            "and check themselves, and speak nothing but WebSockets; leave it out"
        )
    return problems
