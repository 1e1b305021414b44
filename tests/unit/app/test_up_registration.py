"""The registration port of `ringway up`: free when it is chosen, and another one if it is taken meanwhile."""

import socket

from ringway.app.up_registration import REGISTRATION_PORT, RegistrationPort
from ringway.sources.registration.config import RegistrationConfig


def take(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def test_a_port_that_was_chosen_makes_way_for_another_process(tmp_path) -> None:
    settled = RegistrationPort(RegistrationConfig(), tmp_path)
    environ = {REGISTRATION_PORT: str(settled.config.port)}
    assert not settled.make_way(environ)
    with take(settled.config.port) as quicker:
        assert settled.make_way(environ)
        assert settled.config.port not in (0, None, quicker.getsockname()[1])
    assert environ[REGISTRATION_PORT] == str(settled.config.port)


def test_a_port_that_was_asked_for_does_not(tmp_path) -> None:
    with take(0) as quicker:
        port = quicker.getsockname()[1]
        settled = RegistrationPort(RegistrationConfig(port=port), tmp_path)
        environ = {REGISTRATION_PORT: str(port)}
        assert not settled.make_way(environ)
        assert environ == {REGISTRATION_PORT: str(port)}
