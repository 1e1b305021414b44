"""SRV records: the lowest priority, and weights beside those of other backends."""

from ringway.core.service_record import SMALL_WEIGHT, ServiceRecord, weigh_records


def record(weight: int, target: str = "a", priority: int = 0, port: int = 9000) -> ServiceRecord:
    return ServiceRecord(priority, weight, port, target)


def test_only_the_lowest_priority_is_used() -> None:
    records = [record(1, "a", 20), record(5, "b", 10), record(2, "c", 10), record(9, "d", 30)]
    assert weigh_records(records) == {records[1]: 5.0, records[2]: 2.0}


def test_records_that_name_no_server_do_not_count() -> None:
    assert weigh_records([record(1, "", 0), record(1, "a", 0, port=0), record(3, "b", 10)]) == {record(3, "b", 10): 3.0}
    assert weigh_records([record(0, "", 0, 0)]) == {}
    assert weigh_records([]) == {}


def test_weights_of_zero_are_equal_alone_and_small_beside_others() -> None:
    assert list(weigh_records([record(0, "a"), record(0, "b")]).values()) == [1.0, 1.0]
    assert list(weigh_records([record(0, "a"), record(5, "b")]).values()) == [SMALL_WEIGHT, 5.0]


def test_great_weights_keep_their_proportions() -> None:
    assert list(weigh_records([record(65535, "a"), record(13107, "b"), record(0, "c")]).values()) == [
        1000.0, 200.0, SMALL_WEIGHT,
    ]  # fmt: skip


def test_the_order_of_records_does_not_matter() -> None:
    records = [record(weight, target) for weight, target in ((2, "b"), (1, "a"), (1, "b"))]
    assert list(weigh_records(records)) == list(weigh_records(records[::-1]))
