"""`/-/eyelet/health`: how the recorder is, why, what helps, how it went, day by day; `.json` for programs.

For who may administer all contexts. Acknowledging and repairing are POSTs of forms, each audited before it is done.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from datasette import Response

from datasette_eyelet import health_view, heat, instance, responses, trend_chart
from datasette_eyelet.api.door import who
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import HEALTH, Links, Pairs
from datasette_eyelet.trend_chart import Trend
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.health import alerts, doctor, looking
from eyelet_ingest.health.finding import OK, Finding
from eyelet_ingest.health.looking import Look
from eyelet_ingest.store.alert_rows import Alert
from eyelet_ingest.store.day_figures import Figures
from eyelet_ingest.store.layout import PartitionKey, safe_context
from eyelet_ingest.store.metrics import Metrics

SPANS = {"6h": 6, "24h": 24, "7d": 168, "30d": 720}  # hours that trends show
DEFAULT_SPAN, DEFAULT_MEASURE = "24h", "size"
POINTS = 60
MOST_DAYS = 1_000
FIGURES_MS = 700  # for days that are not remembered
REPAIR_S = 30.0
HOUR_US = 3_600_000_000
PARAMETERS = ("span", "show", "context", "year")
FORM = ("csrftoken", "do", "name", "about")
# Title, unit, series: label and its name in Metrics
CHARTS = (
    ("Score", "score", (("score", "score"),)),
    ("A hook's time", "ms", (("half within", "capture.p50_ms"), ("99 % within", "capture.p99_ms"))),
    ("A search's time", "ms", (("half within", "search.p50_ms"), ("99 % within", "search.p99_ms"))),
    ("Writing to a day", "ms", (("half within", "append.p50_ms"), ("99 % within", "append.p99_ms"))),
    ("Hooks", "count", (("hooks", "capture.count"), ("failed", "capture.errors"))),
    ("Questions", "count", (("questions", "search.count"), ("failed", "search.errors"))),
    ("Days on disk", "bytes", (("days", "days_bytes"),)),
    ("Write-ahead logs", "bytes", (("waiting", "wal_bytes"),)),
    ("Free on the disk", "bytes", (("free", "disk_free_bytes"),)),
    ("Waiting in the spool", "count", (("events", "spool_events"),)),
    ("Open connections", "count", (("open", "connections.open_now"),)),
    ("Open files", "count", (("files", "process_files"),)),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the URL chooses: how far back trends go, what the calendar shows, of which contexts and year."""

    span: str
    measure: str
    contexts: tuple[str, ...]
    year: int | None

    @property
    def pairs(self) -> Pairs:
        year = (("year", f"{self.year:04d}"),) if self.year is not None else ()
        contexts = tuple(("context", one) for one in self.contexts)
        return (("span", self.span), ("show", self.measure), *contexts, *year)


@dataclass(frozen=True, slots=True)
class Days:
    """The days that are shown, oldest first, of all `there` in the contexts asked for; what there is to choose from."""

    keys: list[PartitionKey]
    figures: dict[PartitionKey, Figures]
    years: list[int]
    year: int | None
    contexts: list[str]
    there: int


async def view(datasette: Any, request: Any) -> Any:
    if request.method == "POST":
        return await _changed(datasette, request)
    asked = parse(request.args)
    held = instance.of(datasette)
    look = await held.health.shown()
    if look is None:
        raise EyeletError("look at the root", reason="it takes longer than a page waits", hint="load the page again")
    links = Links(datasette, asked.pairs)
    context = await asyncio.to_thread(_context, held, look, asked, links)
    return await responses.page(datasette, request, "health.html", context)


async def json_view(datasette: Any, request: Any) -> Any:
    asked = parse(request.args)
    held = instance.of(datasette)
    look = await held.health.shown()
    if look is None:
        raise EyeletError("look at the root", reason="it takes longer than a request waits", hint="try again")
    return responses.json_text(await asyncio.to_thread(_body, held, look, asked))


def parse(args: Any) -> Asked:
    """BadInput, with the reason, for what cannot be meant."""
    for name in args:
        if name not in PARAMETERS and not name.startswith("_"):
            raise BadInput("there is no parameter", repr(name[:60]), "", f"there are {', '.join(PARAMETERS)}")
    span, measure = args.get("span") or DEFAULT_SPAN, args.get("show") or DEFAULT_MEASURE
    for value, known in ((span, SPANS), (measure, heat.MEASURES)):
        if value not in known:
            raise BadInput("cannot show", repr(value[:60]), "", f"there are {', '.join(known)}")
    year = args.get("year") or ""
    if year and not (len(year) == 4 and year.isascii() and year.isdigit()):
        raise BadInput("cannot use year", repr(year[:60]), "", "write four digits, as in year=2026")
    contexts = tuple(dict.fromkeys(safe_context(one) for one in args.getlist("context") if one.strip()))
    return Asked(span, measure, contexts, int(year) if year else None)


def days_of(held: Instance, asked: Asked) -> Days:
    """Those of the year asked for, else of the newest; MOST_DAYS at most. RootError where the root cannot be listed."""
    everything = held.store.catalog.partitions()
    ours = [key for key in everything if not asked.contexts or key.context in asked.contexts]
    years = sorted({key.year for key in ours}, reverse=True)
    year = asked.year if asked.year is not None else (years[0] if years else None)
    shown = [key for key in ours if key.year == year][-MOST_DAYS:]
    figures = held.health.days.of(reversed(shown), FIGURES_MS)
    return Days(shown, figures, years, year, sorted({key.context for key in everything}), len(ours))


def day_url(links: Links, key: PartitionKey) -> str:
    return links.to(f"{HEALTH}/day/{quote(key.context, safe='')}/{key.date}")


def _context(held: Instance, look: Look, asked: Asked, links: Links) -> dict[str, object]:
    """All that the template shows. Not for the event loop."""
    known = days_of(held, asked)
    worst = heat.worst_of_days((one.day, one.status) for one in look.findings)
    found = health_view.findings(look, lambda key: day_url(links, key))
    current, old, trouble = _alerts(held.root, look.at_us)
    total = look.score.total

    def to(**other: str) -> str:
        """This page with something else chosen."""
        rest = tuple(pair for pair in asked.pairs if pair[0] not in other)
        return links.to(HEALTH, (*rest, *((name, value) for name, value in other.items() if value)))

    return {
        "here_url": links.to(HEALTH, asked.pairs),
        "score": total,
        "level": health_view.level_of(total, look),
        "areas": health_view.areas(look),
        "at": health_view.moment(look.at_us),
        "took_ms": f"{look.took_ms:,.0f}",
        "is_old": held.health.is_old,
        "alerts": health_view.alerts(current),
        "old_alerts": health_view.alerts(old[:20]),
        "trouble": trouble,
        "findings": [one for one in found if one.status != OK],
        "well": [one for one in found if one.status == OK],
        "trends": trends(held.root, asked.span, look.at_us),
        "spans": [(name, f"{to(span=name)}#trends", name == asked.span) for name in SPANS],
        "heat": heat.heat(known.keys, known.figures, worst, asked.measure, lambda key: day_url(links, key)),
        "measures": [(label, f"{to(show=name)}#days", name == asked.measure) for name, label in heat.MEASURES.items()],
        "years": [(year, f"{to(year=f'{year:04d}')}#days", year == known.year) for year in known.years],
        "contexts": [(one, f"{to(context=one)}#days", asked.contexts == (one,)) for one in known.contexts[:50]],
        "all_contexts_url": f"{to(context='')}#days",
        "shown": len(known.keys),
        "there": known.there,
        "today": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "alternate_url_json": links.to(f"{HEALTH}.json", asked.pairs),
    }


def trends(root: str, span: str, now_us: int) -> list[Trend]:
    """The charts that have something to show. None where the figures cannot be read: a check says so."""
    since_us = now_us - SPANS[span] * HOUR_US
    found = []
    try:
        with Metrics(root) as metrics:
            there = set(metrics.trends())
            for title, unit, series in CHARTS:
                points = [
                    (label, metrics.trend(name, since_us, now_us + 1, POINTS))
                    for label, name in series
                    if name in there
                ]
                if (one := trend_chart.trend(title, unit, points)) is not None:
                    found.append(one)
    except EyeletError:
        return found
    return found


def _alerts(root: str, now_us: int) -> tuple[list[Alert], list[Alert], str]:
    try:
        return alerts.current(root), alerts.lately(root, now_us), ""
    except EyeletError as bad:
        return [], [], health_view.shown(f"{bad.reason} ({bad.hint})")


def _body(held: Instance, look: Look, asked: Asked) -> str:
    known = days_of(held, asked)
    worst = heat.worst_of_days((one.day, one.status) for one in look.findings)
    current, old, _ = _alerts(held.root, look.at_us)
    days = [
        {
            **health_view.day_json(key),
            "bytes": one.bytes,
            "wal_bytes": one.wal_bytes,
            "events": one.events,
            "errors": one.errors,
            "status": worst.get(key, OK) if not one.trouble else "error",
            "error": health_view.shown(one.trouble) or None,
        }
        for key, one in sorted(known.figures.items())
    ]
    return json.dumps({"ok": True, **health_view.as_json(look, current, old), "days": days, "days_there": known.there})


async def _changed(datasette: Any, request: Any) -> Any:
    """What a form of the page asks for, done, and told on the page that follows. Where it came from, Datasette has
    looked (0.65: the token of the form; 1.0: the headers)."""
    said = await request.post_vars()
    for name in said:
        if name not in FORM:
            raise BadInput("change", reason=f"the form has no field {name[:60]!r}", hint=", ".join(FORM))
    held, name = instance.of(datasette), said.get("name", "")[:200]
    if said.get("do") == "acknowledge":
        await held.apart(alerts.acknowledge, held.root, name, who(request))
        told = [f"{name} is acknowledged."]
    elif said.get("do") == "repair":
        told = await held.apart(_repair, held, name, said.get("about", ""), who(request))
    else:
        raise BadInput("change", reason="the form says nothing to do", hint="acknowledge or repair")
    held.health.forget()
    health_view.told(datasette, request, told)
    return Response.redirect(Links(datasette, ()).to(HEALTH))


def _repair(held: Instance, check: str, about: str, who_asks: str) -> list[str]:
    """Look once more, and put right what is still there and can put itself right. Not for the event loop."""
    patient = looking.patient_of(held.store, seconds=REPAIR_S)
    found = doctor.examine(patient, [check], held.plugins())
    wanted = [one for one in found if one.repair is not None and _is_about(one, about)]
    if not wanted:
        return [f"{check}: there is nothing to put right any more"]
    for one in wanted:
        if one.day is not None:
            held.let_go(one.day)
    return [f"{one.name}: {what}" for one, what in doctor.repair(patient, wanted, who_asks)]


def _is_about(finding: Finding, about: str) -> bool:
    return (finding.day.mount_name if finding.day is not None else "") == about
