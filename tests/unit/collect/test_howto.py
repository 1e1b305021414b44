"""Examples of docs/howto/custom-load.md, read by the product."""

import re
import sys
from pathlib import Path

import pytest

from ringway.app.config import load_config
from ringway.collect.sources import AgentOptions, HttpOptions, SnmpOptions, read_probes
from ringway.collect.spec import SECRETS

PAGE = (Path(__file__).parents[3] / "docs/howto/custom-load.md").read_text()

ENVIRON = dict.fromkeys(("COMMUNITY", "SNMP_AUTH_KEY", "SNMP_PRIV_KEY", "METRICS_TOKEN"), "long-enough")


@pytest.fixture
def mymeasures(tmp_path, monkeypatch):
    [module] = re.findall(r"^```python\n# mymeasures.py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "mymeasures.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("mymeasures", None)


def test_its_commands_can_be_read(mymeasures):
    specs = re.findall(r"--collect '(.*?)'", PAGE)
    assert len(specs) == 3
    for spec in specs:
        read_probes([spec], ENVIRON)


def test_its_file_can_be_read(tmp_path):
    [text] = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "ringway.toml"
    file.write_text(text)
    config = load_config(file=str(file), environ={}).config
    cpu, queue = read_probes(config.load.collect, ENVIRON)
    assert (cpu.metric.name, cpu.metric.threshold) == ("cpu", 0.8)
    assert (queue.metric.threshold, queue.metric.gate) == (100, False)


def test_its_sources_can_be_read():
    sources = re.findall(r"^\| `((?:snmp|http|agent):.*?)` \|", PAGE, re.MULTILINE)
    assert len(sources) == 7
    for source in sources:
        needs = ",community=public" if source.startswith("snmp") else ""
        read_probes([f"m={source.replace('1.3.6.1...', '1.3.6.1.2.1')}{needs}"], {})


def test_every_option_is_told():
    told = PAGE.replace("metric =", "`metric`")
    for options in (SnmpOptions, HttpOptions, AgentOptions):
        for option in options.__struct_fields__:
            assert re.search(rf"`{option}[`=]|,{option}=|^{option} =", told, re.MULTILINE), option


def test_secrets_of_a_file_are_not_shown(tmp_path, capsys):
    from ringway.cli.config import show

    file = tmp_path / "ringway.toml"
    lines = [f'{name} = "kept-from-{name}"' for name in SECRETS]
    file.write_text("\n".join(["[[load.collect]]", 'name = "m"', 'source = "snmp://h/cpu"', *lines]))
    show(config_file=str(file))
    out = capsys.readouterr().out
    assert "kept-from" not in out
    assert out.count("(hidden)") >= len(SECRETS)
