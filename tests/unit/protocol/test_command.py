import msgspec
import pytest

from ringway.protocol.command import METHODS, Command

decode = msgspec.json.Decoder(Command).decode


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_found(method: str) -> None:
    assert decode(b'{"id":1,"%s":{"unknown":[{}]}}' % method.encode()).method() == method


@pytest.mark.parametrize("raw", [b"{}", b'{"id":1}', b'{"id":1,"other":{}}', b'{"id":1,"ping":{},"rpc":{}}'])
def test_none_or_several_are_no_method(raw: bytes) -> None:
    assert decode(raw).method() is None


def test_data_stays_as_it_was_written() -> None:
    command = decode(b'{"id":1,"publish":{"channel":"c","data": {"a" : 1.0e5, "b":"\\u00fc"} }}')
    assert command.publish is not None
    assert bytes(command.publish.data).strip() == b'{"a" : 1.0e5, "b":"\\u00fc"}'
