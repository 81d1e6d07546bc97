"""Figures as Prometheus reads them, and as a receiver of OTLP gets them."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from eyelet_ingest.health import families, otel, prometheus
from eyelet_ingest.health.families import COUNTER, GAUGE, Family
from eyelet_ingest.store.metrics import Metrics, Sample
from eyelet_ingest.store.timings import BOUNDS_US, Measured

NOON_US = 1_774_008_000_000_000
HOSTILE = 'a"b\\c\nd'


@pytest.fixture
def filled(root: str) -> str:
    """A root with figures of every kind."""
    one = Measured()
    for took_us in (5, 10, 11, 900, 2_500_000, 200_000_000):
        one.add(took_us, errors=int(took_us == 900), retries=2)
    connections = {"open_now": 3, "hits": 7, "scanned": 12}
    gauges = {"wal_bytes": 4_096.0, "load": 0.25, "score": 87.0, "score.wal": 100.0}
    with Metrics(root) as metrics:
        metrics.write(Sample(NOON_US, "hook", {"capture": one}))
        metrics.write(Sample(NOON_US, "server", {"count": one}, connections, gauges, {"hooks_tool": 4, "": 1}))
        with metrics.writing() as conn:
            conn.execute(
                "insert into alerts (name, level, message, evidence, fix, since_us, changed_us, state) "
                "values (?, 'error', '', '{}', '', 1, 1, 'firing'), ('over', 'warn', '', '{}', '', 1, 1, 'resolved')",
                (HOSTILE,),
            )
    return root


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample, as Prometheus's own client reads it."""
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            at = (one.name, frozenset(one.labels.items()))
            assert at not in found, f"{one.name} {one.labels} twice"
            found[at] = one.value
    return found


def value(found: dict[tuple[str, frozenset[tuple[str, str]]], float], family: str, /, **labels: str) -> float:
    return found[(family, frozenset(labels.items()))]


def test_prometheus_reads_what_is_kept(filled: str) -> None:
    text = prometheus.text(filled)
    found = parsed(text)
    assert text.endswith("\n")
    of_hook = {"op": "capture", "role": "hook"}
    duration = "eyelet_operation_duration_seconds"
    assert value(found, f"{duration}_count", **of_hook) == 6
    assert value(found, f"{duration}_sum", **of_hook) == pytest.approx(202.500926)
    up_to = {
        bound: value(found, f"{duration}_bucket", le=bound, **of_hook) for bound in ("1e-05", "0.001", "5", "+Inf")
    }
    assert up_to == {"1e-05": 2, "0.001": 4, "5": 5, "+Inf": 6}
    assert value(found, "eyelet_operation_errors_total", **of_hook) == 1
    assert value(found, "eyelet_operation_retries_total", op="count", role="server") == 12
    assert value(found, "eyelet_connections_reused_total") == 7
    assert value(found, "eyelet_partitions_scanned_total") == 12
    assert value(found, "eyelet_index_uses_total", index="hooks_tool") == 4
    assert value(found, "eyelet_wal_bytes") == 4_096
    assert value(found, "eyelet_load") == 0.25
    assert value(found, "eyelet_score") == 87
    assert value(found, "eyelet_area_score", area="wal") == 100


def test_a_label_says_exactly_what_it_is_of(filled: str) -> None:
    found = parsed(prometheus.text(filled))
    assert value(found, "eyelet_alert", name=HOSTILE, level="error", state="firing") == 1
    assert not any(("name", "over") in labels for _, labels in found)


@settings(deadline=None)
@given(st.text(max_size=20), st.floats(allow_nan=False, allow_infinity=False))
def test_any_label_and_number_comes_back(text: str, number: float) -> None:
    """The parser takes lines apart at a line feed alone, as Prometheus does."""
    family = Family("eyelet_x", GAUGE, text, (({"label": text}, number),))
    found = parsed("".join(prometheus._lines(family)))
    assert found == {("eyelet_x", frozenset({("label", text)})): number}


def test_names_and_types_are_by_the_rules(filled: str) -> None:
    seen = set()
    with Metrics(filled) as metrics:
        for family in families.of(metrics):
            assert family.name.startswith("eyelet_") and family.name not in seen
            assert family.name.endswith("_total") == (family.kind == COUNTER)
            assert family.samples and family.help.endswith(".")
            seen.add(family.name)
    docs = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text("utf-8")
    table = docs[docs.index("## Prometheus") : docs.index("```yaml")]
    for name in seen:
        assert name in table or any(f"…{end}`" in table for end in ends(name)), name


def ends(name: str) -> Iterator[str]:
    words = name.split("_")
    return ("_" + "_".join(words[at:]) for at in range(2, len(words)))


def test_the_buckets_of_prometheus_are_whole_buckets_of_ours() -> None:
    assert families.LE_S[:4] == (1e-05, 2.5e-05, 5e-05, 0.0001)
    assert families.LE_S[-1] == BOUNDS_US[-1] / 1e6 == 100
    assert all(
        f"{bound:g}".lstrip("0.").rstrip("0")[:2] in ("1", "25", "5", "1e", "2.", "5e", "2") for bound in families.LE_S
    )


def test_of_a_root_without_figures_the_version_is_told(root: str) -> None:
    assert [name for name, _ in parsed(prometheus.text(root))] == ["eyelet_info"]


class Receiver(HTTPServer):
    """Takes what is posted, as a collector does; answers `status`."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.bodies = status, list[tuple[str, bytes]]()
        super().__init__(("127.0.0.1", 0), Taking)


class Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        server.bodies.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_receiver_of_otlp_gets_the_same_figures(filled: str, receiver: Receiver) -> None:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    troubles: list[str] = []
    sender = otel.Sender(filled, troubles.append)
    assert otel.is_wanted()
    assert sender.send()
    sender.close()
    assert not troubles
    ((path, body),) = receiver.bodies
    assert path == "/v1/metrics"
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    named = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert named["service.name"] == "eyelet"
    metrics = {one.name: one for one in resource.scope_metrics[0].metrics}
    told = parsed(prometheus.text(filled))
    duration = metrics["eyelet_operation_duration_seconds"]
    points = {p.attributes[0].value.string_value: p for p in duration.histogram.data_points}
    hook = points["capture"]
    assert (duration.unit, hook.count, sum(hook.bucket_counts)) == ("s", 6, 6)
    assert tuple(hook.explicit_bounds) == families.LE_S
    assert (hook.bucket_counts[0], hook.bucket_counts[-1]) == (2, 1)
    assert not hook.HasField("min") and hook.start_time_unix_nano == NOON_US * 1_000
    hits = metrics["eyelet_connections_reused"].sum
    assert hits.is_monotonic and hits.data_points[0].as_double == value(told, "eyelet_connections_reused_total")
    assert metrics["eyelet_wal_bytes"].unit == "By"
    assert metrics["eyelet_wal_bytes"].gauge.data_points[0].as_double == 4_096


def test_who_takes_nothing_is_a_trouble_that_is_told(
    filled: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status = 400
    troubles: list[str] = []
    sender = otel.Sender(filled, troubles.append)
    assert not sender.send()
    sender.close()
    assert len(troubles) == 1 and "OTEL_EXPORTER_OTLP_ENDPOINT" in troubles[0]


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1/v1/metrics"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_METRICS_EXPORTER": "none"}, False),
    ],
)
def test_figures_are_sent_only_where_the_environment_asks(
    variables: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*otel.ENDPOINTS, "OTEL_SDK_DISABLED", "OTEL_METRICS_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert otel.is_wanted() is wanted


def test_without_the_extra_it_is_named(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    troubles: list[str] = []
    assert not otel.Sender(filled, troubles.append).send()
    assert "datasette-eyelet[otel]" in troubles[0]
