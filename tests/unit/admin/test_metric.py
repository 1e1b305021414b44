from ringway.admin.metric import Metric, Metrics, Sample

OPENED = Metric("ringway_opened_total", "counter", "Opened.", ("kind",))
OPEN = Metric("ringway_open", "gauge", "Open.")


def test_samples_become_prometheus_text_with_one_head_a_metric():
    def first():
        yield Sample(OPENED, 1, ("a",))
        yield Sample(OPEN, 2.5)

    def second():
        yield Sample(OPENED, 3, ('b"\n',))

    lines = Metrics([first, second]).render().decode().splitlines()
    own = [line for line in lines if "ringway" in line]
    assert own == [
        "# HELP ringway_opened_total Opened.",
        "# TYPE ringway_opened_total counter",
        'ringway_opened_total{kind="a"} 1.0',
        'ringway_opened_total{kind="b\\"\\n"} 3.0',
        "# HELP ringway_open Open.",
        "# TYPE ringway_open gauge",
        "ringway_open 2.5",
    ]
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)


def test_sources_are_read_anew_at_each_scrape_and_not_before():
    asked = []

    def source():
        asked.append(1)
        yield Sample(OPEN, len(asked))

    metrics = Metrics([source])
    assert asked == []
    metrics.render()
    assert b"ringway_open 2.0" in metrics.render()
