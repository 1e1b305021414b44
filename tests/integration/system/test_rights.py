"""Rights in a system of processes: `ringway up` is open on this machine, and says so; elsewhere nothing is allowed."""

import json

import pytest

from support.system import running_system, wait_for

pytestmark = pytest.mark.timeout(240)

UNSAID = {"RINGWAY_NODE_INSECURE": ""}
CHECKED = {"RINGWAY_NODE_INSECURE": "false"}
KEY = {
    "RINGWAY_NODE_INSECURE": "",
    "RINGWAY_TOKEN_HMAC_SECRET_KEY": "a secret of tests, long enough for HS256",
    "RINGWAY_NODE_NAMESPACES": "default:allow_publish_for_client=true",
}


def test_up_on_this_machine_is_open_and_so_is_a_node_that_joins_it() -> None:
    with running_system(nodes=1, environ=UNSAID) as system:
        page = system.state / "up.out"
        wait_for(lambda: "none are checked (insecure)" in page.read_text(), "the page of `up`")
        system.ringway("pub", "any:room", "1")
        system.start("node", "--name", "late")
        wait_for(lambda: "late" in system.nodes(), "the node that joins")
        system.ringway("drain", "node-1")
        system.ringway("pub", "any:room", "2")


def test_a_system_that_checks_rights_refuses_clients_without_a_token() -> None:
    with running_system(nodes=1, environ=CHECKED) as system:
        page = system.state / "up.out"
        wait_for(lambda: "Ctrl-C" in page.read_text(), "the page of `up`")
        assert "insecure" not in page.read_text()
        with pytest.raises(RuntimeError, match="takes no clients without one"):
            system.ringway("pub", "room", "1")


def test_a_token_is_revoked_by_a_command_and_so_are_those_of_a_user() -> None:
    with running_system(nodes=2, environ=KEY) as system:
        first = system.ringway("token", "make", "--user", "carol", "--claim", 'jti="t1"').strip()
        second = system.ringway("token", "make", "--user", "carol", "--claim", 'jti="t2"').strip()
        assert "refuse the token t1" in system.ringway("token", "revoke", "--id", "t1", "--for", "1h")
        with pytest.raises(RuntimeError, match="invalid token"):
            system.ringway("pub", "room", "1", "--token", first)
        system.ringway("pub", "room", "1", "--token", second)
        told = json.loads(system.ringway("token", "revoke", "--of-user", "carol", "--json"))
        assert told["members"] >= 2
        with pytest.raises(RuntimeError, match="invalid token"):
            system.ringway("pub", "room", "1", "--token", second)
        with pytest.raises(RuntimeError, match="give one of them"):
            system.ringway("token", "revoke")


def test_with_a_key_clients_come_by_token_and_others_are_refused() -> None:
    with running_system(nodes=1, environ=KEY) as system:
        token = system.ringway("token", "make", "--user", "carol").strip()
        system.ringway("pub", "room", "1", "--token", token)
        with pytest.raises(RuntimeError, match="takes no clients without one"):
            system.ringway("pub", "room", "1")
        with pytest.raises(RuntimeError, match="invalid token"):
            system.ringway("pub", "room", "1", "--token", token[:-4])
        with pytest.raises(RuntimeError, match="permission denied"):
            system.ringway("sub", "room", "--token", token)
