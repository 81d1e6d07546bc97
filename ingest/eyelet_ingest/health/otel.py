"""The newest figures of a root over OTLP, where the extra `otel` is installed and the environment names an endpoint.

The families of `families.py` become data points of OpenTelemetry's SDK, which are handed to its OTLP exporter: where
to, headers, certificates and time-outs it reads itself from the standard variables
(https://opentelemetry.io/docs/specs/otel/protocol/exporter/). Sums and histograms add up since the figures began.
"""

import os
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from eyelet_ingest import __version__
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.health import families
from eyelet_ingest.health.families import COUNTER, Family, Spread
from eyelet_ingest.store.metrics import Metrics

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import HistogramDataPoint, Metric, MetricsData

ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
NAME = "eyelet"
_UNITS = {"_seconds": "s", "_bytes": "By"}


def is_wanted() -> bool:
    """Whether the environment asks for it."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_METRICS_EXPORTER") == "none":
        return False
    return any(os.environ.get(name) for name in ENDPOINTS)


class Sender:
    """Sends the figures of one root. `failed` is told why it could not, each time; of one thread at a time."""

    def __init__(self, root: str, failed: Callable[[str], object]) -> None:
        self.root, self.failed = root, failed
        self._exporter: OTLPMetricExporter | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Send them in a thread of its own, unless the last ones are still on their way."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self.send, name="eyelet-otel", daemon=True)
            self._thread.start()

    def send(self) -> bool:
        """Send them now; whether they were taken."""
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.sdk.metrics.export import MetricExportResult
        except ImportError as missing:
            self.failed(f"no figures are sent: {missing} (pip install 'datasette-eyelet[otel]')")
            return False
        try:
            if self._exporter is None:
                self._exporter = OTLPMetricExporter()
            done = self._exporter.export(data_of(self.root, time.time_ns()))
        except (EyeletError, OSError, ValueError) as bad:  # a wrong variable; no figures
            self.failed(f"no figures are sent: {bad}")
            return False
        if done is not MetricExportResult.SUCCESS:
            endpoint = next(name for name in ENDPOINTS if os.environ.get(name))
            self.failed(f"figures were not taken by whom {endpoint} names")
            return False
        return True

    def close(self) -> None:
        """What is on its way may end by itself; nothing more is sent."""
        if self._exporter is not None:
            self._exporter.shutdown(timeout_millis=0)
            self._exporter = None


def data_of(root: str, now_ns: int) -> "MetricsData":
    """All figures of the root at this moment; RootError where they cannot be read."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    resource = Resource.create({} if _is_named() else {SERVICE_NAME: NAME})
    with Metrics(root) as kept:
        began_ns = (kept.made_us() or now_ns // 1_000) * 1_000
        several = [_metric(family, began_ns, now_ns) for family in families.of(kept)]
    scope = InstrumentationScope(NAME, __version__)
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, several, "")], "")])


def _is_named() -> bool:
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )


def _metric(family: Family, began_ns: int, now_ns: int) -> "Metric":
    from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, Histogram, Metric, NumberDataPoint, Sum

    cumulative = AggregationTemporality.CUMULATIVE
    spreads: list[HistogramDataPoint] = []
    numbers = []
    for labels, value in family.samples:
        if isinstance(value, Spread):
            spreads.append(_point(dict(labels), value, began_ns, now_ns))
        else:
            numbers.append(NumberDataPoint(dict(labels), began_ns, now_ns, value))
    unit = next((unit for end, unit in _UNITS.items() if family.name.endswith(end)), "1")
    if spreads:
        return Metric(family.name, family.help, unit, Histogram(spreads, cumulative))
    if family.kind == COUNTER:  # its end, `_total`, is put back by who exports to Prometheus
        return Metric(family.name.removesuffix("_total"), family.help, unit, Sum(numbers, cumulative, True))
    return Metric(family.name, family.help, unit, Gauge(numbers))


def _point(labels: dict[str, str], spread: Spread, began_ns: int, now_ns: int) -> "HistogramDataPoint":
    from opentelemetry.sdk.metrics.export import HistogramDataPoint

    up_to = (0, *spread.up_to, spread.count)
    counts = [more - less for less, more in pairwise(up_to)]
    # The least and the most since the beginning say nothing of now: they are optional, and left out.
    none: Any = None
    total, sum_s = spread.count, spread.sum_s
    return HistogramDataPoint(labels, began_ns, now_ns, total, sum_s, counts, families.LE_S, min=none, max=none)
