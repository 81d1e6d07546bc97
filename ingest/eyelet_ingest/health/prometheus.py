"""The newest figures of a root in Prometheus's text format, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats (escaping, order, the last line's end).
"""

from eyelet_ingest.health import families
from eyelet_ingest.health.families import Family, Labels, Spread
from eyelet_ingest.store.metrics import Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(root: str) -> str:
    """What a scrape gets. Of a root without figures, the version alone; RootError where they cannot be read."""
    with Metrics(root) as metrics:
        return "".join(line for family in families.of(metrics) for line in _lines(family))


def _lines(family: Family) -> list[str]:
    lines = [f"# HELP {family.name} {_escaped(family.help)}\n", f"# TYPE {family.name} {family.kind}\n"]
    for labels, value in family.samples:
        if isinstance(value, Spread):
            lines += _of_spread(family.name, labels, value)
        else:
            lines.append(f"{family.name}{_labels(labels)} {_number(value)}\n")
    return lines


def _of_spread(name: str, labels: Labels, spread: Spread) -> list[str]:
    bounds = [*(_number(bound) for bound in families.LE_S), "+Inf"]
    counts = [*spread.up_to, spread.count]
    lines = [
        f"{name}_bucket{_labels({**labels, 'le': bound})} {count}\n"
        for bound, count in zip(bounds, counts, strict=True)
    ]
    return [
        *lines,
        f"{name}_sum{_labels(labels)} {_number(spread.sum_s)}\n",
        f"{name}_count{_labels(labels)} {spread.count}\n",
    ]


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped_label(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escaped_label(value: str) -> str:
    return _escaped(value).replace('"', '\\"')


def _number(value: float) -> str:
    """A number as Go's ParseFloat reads it, whole ones without a point."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
