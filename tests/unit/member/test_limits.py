import os
import resource
from pathlib import Path

import pytest

from ringway.member.limits import read_limits

GIB = 1 << 30
MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
ROUTES = "Iface\tDestination\tGateway\neth1\t000200C0\t00000000\neth0\t00000000\t010200C0\n"


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_without_groups_it_is_the_machine(tmp_path: Path) -> None:
    limits = read_limits(root=tmp_path)
    assert limits.memory_bytes == MACHINE
    assert limits.files == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert limits.egress_bytes_per_s == 0.0


@pytest.mark.parametrize(
    ("own", "parent", "expected"),
    [
        ("1048576", "max", 1048576),
        ("max", "2097152", 2097152),
        ("3145728", "2097152", 2097152),
        ("max", "max", MACHINE),
    ],
)
def test_the_least_of_a_group_and_those_around_it(tmp_path: Path, own: str, parent: str, expected: int) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/outer/inner\n")
    write(tmp_path, "sys/fs/cgroup/outer/inner/memory.max", own + "\n")
    write(tmp_path, "sys/fs/cgroup/outer/memory.max", parent + "\n")
    assert read_limits(root=tmp_path).memory_bytes == expected


def test_a_container_that_sees_its_group_as_the_root(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/kubepods/pod7\n")
    write(tmp_path, "sys/fs/cgroup/memory.max", "1048576\n")
    assert read_limits(root=tmp_path).memory_bytes == 1048576


def test_groups_of_the_first_version(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "4:memory:/docker/a\n3:cpuset:/\n0::/\n")
    write(tmp_path, "sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes", "1048576\n")
    write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert read_limits(root=tmp_path).memory_bytes == 1048576


@pytest.mark.parametrize(("speed", "expected"), [("10000\n", 1.25e9), ("-1\n", 0.0), ("", 0.0)])
def test_the_speed_of_the_card_behind_the_default_route(tmp_path: Path, speed: str, expected: float) -> None:
    write(tmp_path, "proc/net/route", ROUTES)
    write(tmp_path, "sys/class/net/eth0/speed", speed)
    write(tmp_path, "sys/class/net/eth1/speed", "100\n")
    assert read_limits(root=tmp_path).egress_bytes_per_s == expected
    assert read_limits(5e6, root=tmp_path).egress_bytes_per_s == 5e6


def test_this_machine_can_be_read() -> None:
    assert 0 < read_limits().memory_bytes <= MACHINE
