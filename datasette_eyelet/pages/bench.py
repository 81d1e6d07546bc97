"""`/-/eyelet/bench`: what the load generator measured, compared and drawn, and a form that has it measure again.

For who may administer all contexts. Beginning and cancelling are POSTs of forms, audited before they are done. `.json`
tells the same, and how far a run is.
"""

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from typing import Any

from datasette import Response

from datasette_eyelet import bench_view, instance, responses
from datasette_eyelet.api.door import who
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import BENCH, HEALTH, Links
from datasette_eyelet.settings import BENCH_ROWS, BENCH_SECONDS
from datasette_eyelet.visible import visible
from eyelet_ingest import surroundings
from eyelet_ingest.bench import predecessor, results, scenario, scratch
from eyelet_ingest.bench.results import Result
from eyelet_ingest.bench.scenario import Scenario
from eyelet_ingest.bench.scratch import Running
from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import audit, layout

ROWS_MOST, SECONDS_MOST = 200_000, 600  # unless the plugin's settings say otherwise
LISTED = 50
REFRESH_S = 2
PARAMETERS = ("result", "beside")
# Field of the form: the parameter of a scenario, or "" for the others
OWN = {
    "contexts": "contexts",
    "days": "days",
    "rows": "rows_a_day",
    "depth": "src_depth",
    "payload": "payload_bytes",
    "errors": "error_percent",
    "session": "session_rows",
    "readers": "readers",
}
FORM = ("csrftoken", "do", "scenario", "scale", "seed", "seconds", *OWN)
DEFAULT_SCALE = {"A": 0.05, "B": 0.01, "C": 0.005, "D": 0.005, "W9": 0.2}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the URL chooses to show: a result, and another one beside it."""

    result: int | None
    beside: int | None


@dataclass(frozen=True, slots=True)
class Begun:
    """What a form asks for, as flags of the command, and as the audit says it."""

    flags: list[str]
    said: dict[str, object]


async def view(datasette: Any, request: Any) -> Any:
    if request.method == "POST":
        return await _changed(datasette, request)
    chosen = parse(request.args)
    held = instance.of(datasette)
    context = await asyncio.to_thread(_context, held, chosen, Links(datasette, ()))
    return await responses.page(datasette, request, "bench.html", context)


async def json_view(datasette: Any, request: Any) -> Any:
    held = instance.of(datasette)
    return responses.json_text(await asyncio.to_thread(_body, held))


def parse(args: Any) -> Chosen:
    """BadInput, with the reason, for what cannot be meant."""
    for name in args:
        if name not in PARAMETERS and not name.startswith("_"):
            raise BadInput("there is no parameter", repr(name[:60]), "", f"there are {', '.join(PARAMETERS)}")
    return Chosen(*(_number(name, args.get(name) or "") for name in PARAMETERS))


def asked(held: Instance, said: dict[str, str]) -> Begun:
    """What the form asks for; BadInput, which names the field, for what cannot be meant or is beyond the limits."""
    for name in said:
        if name not in FORM:
            raise BadInput("begin the run", reason=f"the form has no field {name[:60]!r}", hint=", ".join(FORM))
    rows_most, seconds_most = _limits(held)
    about, scale = _scenario(said)
    if about.rows > rows_most:
        reason = f"{about.said()}: {rows_most:,} are the most from a page"
        hint = f"take a smaller scale, or run eyelet bench; the plugin's setting {BENCH_ROWS} changes that"
        raise BadInput("begin the run", reason=reason, hint=hint)
    seed = _whole("seed", said.get("seed") or "1", 0, 2**31)
    seconds = _whole("seconds", said.get("seconds") or str(seconds_most), 1, seconds_most)
    name = about.name.rstrip("*")
    flags = [] if name == scenario.OWN else ["--scenario", name, "--scale", f"{scale!r}"]
    given = {field: said[field] for field in OWN if said.get(field)} if name == scenario.OWN else {}
    for field, value in given.items():
        flags += [f"--{field}", value]
    flags += ["--seed", str(seed), "--limit", str(seconds)]
    what = {"scenario": name, "rows": about.rows, "seed": seed, "seconds": seconds}
    root = surroundings.home() if held.root.startswith(layout.MEMORY) else held.root
    return Begun([*flags, "--root", root], what)


def _scenario(said: dict[str, str]) -> tuple[Scenario, float]:
    name = said.get("scenario") or scenario.OWN
    if name != scenario.OWN:
        scale = _share("scale", said.get("scale") or str(DEFAULT_SCALE.get(name, 1.0)))
        return scenario.named(name).scaled(scale), scale
    given: dict[str, int | float] = {}
    for field, parameter in OWN.items():
        if value := said.get(field):
            least, most = scenario.BOUNDS.get(parameter, (0, 100))
            given[parameter] = (
                _share(field, value, 100.0) if parameter == "error_percent" else _whole(field, value, least, most)
            )
    return scenario.with_own(Scenario(scenario.OWN), given), 1.0


async def _changed(datasette: Any, request: Any) -> Any:
    """Begin or cancel. Where the form came from, Datasette has looked (0.65: the token of the form; 1.0: the
    headers)."""
    said = {name: value.strip() for name, value in (await request.post_vars()).items()}
    held, actor = instance.of(datasette), who(request)
    if said.get("do") == "cancel":
        await held.apart(_cancel, held, actor)
    else:
        begun = asked(held, said)
        await asyncio.to_thread(_begin, held, actor, begun)
    return Response.redirect(Links(datasette, ()).to(BENCH))


def _begin(held: Instance, actor: str, begun: Begun) -> None:
    home = surroundings.home()
    if (other := scratch.running(home)) is not None:
        raise BadInput("begin the run", reason=f"process {other.pid} is at {other.scenario}", hint="wait for it")
    audit.record(_audited(held), actor, "bench.begin", begun.said)
    scratch.make_home(home)
    held.bench.begin(home, begun.flags)


def _cancel(held: Instance, actor: str) -> None:
    if held.bench.pid is None:
        raise BadInput("cancel the run", reason="this server has begun none", hint="look at the page again")
    audit.record(_audited(held), actor, "bench.cancel", {})
    held.bench.cancel()


def _audited(held: Instance) -> str:
    return surroundings.home() if held.root.startswith(layout.MEMORY) else held.root


def _limits(held: Instance) -> tuple[int, int]:
    rows, seconds = held.settings.get(BENCH_ROWS, ROWS_MOST), held.settings.get(BENCH_SECONDS, SECONDS_MOST)
    return int(rows), int(seconds)


def _body(held: Instance) -> str:
    home = surroundings.home()
    running = scratch.running(home)
    mine = held.bench.pid
    told = None
    if running is not None:
        told = {
            **{name: value for name, value in asdict(running).items() if name != "folder"},
            "may_cancel": running.pid == mine,
        }
    kept = [one.as_json() for one in results.known(home)]
    return json.dumps(
        {"ok": True, "running": told, "is_starting": bool(mine and not running), "trouble": held.bench.trouble,
         "results": kept}
    )  # fmt: skip


def _context(held: Instance, chosen: Chosen, links: Links) -> dict[str, object]:
    """All that the template shows. Not for the event loop."""
    home = surroundings.home()
    kept = results.known(home)
    running, mine = scratch.running(home), held.bench.pid
    shown, beside = _shown(kept, chosen)
    rows_most, seconds_most = _limits(held)
    return {
        "here_url": links.to(BENCH),
        "health_url": links.to(HEALTH),
        "alternate_url_json": links.to(f"{BENCH}.json"),
        "refresh_s": REFRESH_S,
        "is_running": running is not None or mine is not None,
        "running": _progress(running) if running else None,
        "may_cancel": mine is not None,
        "trouble": visible(held.bench.trouble),
        "rows": [bench_view.row(one) for one in kept[::-1][:LISTED]],
        "more_rows": max(len(kept) - LISTED, 0),
        "shown": bench_view.row(shown) if shown else None,
        "beside": bench_view.row(beside) if beside else None,
        "is_alike": shown is not None and beside is not None and shown.is_like(beside),
        "machine": visible(bench_view.machine(shown)) if shown else "",
        "bars": bench_view.bars(shown, beside) if shown else (),
        "bar_width": bench_view.BAR_WIDTH,
        "chart": bench_view.chart([one for one in kept if one.is_like(shown)]) if shown else None,
        "chart_size": (bench_view.WIDTH, bench_view.HEIGHT),
        "stated_by": predecessor.BY,
        "scenarios": [
            (name, scenario.MEANING[name], scenario.SCENARIOS[name].said(), DEFAULT_SCALE[name])
            for name in scenario.NAMES
        ],
        "own": _fields(),
        "rows_most": rows_most,
        "seconds_most": seconds_most,
    }


def _fields() -> list[tuple[str, str, int, int, object]]:
    """Of the form: name, what it is, least, most, what it is unless said."""
    labels = {
        "contexts": "contexts", "days": "days", "rows": "rows a day", "depth": "names in a src",
        "payload": "bytes of a payload", "errors": "percent of calls that fail", "session": "rows of a session",
        "readers": "readers at once",
    }  # fmt: skip
    usual = Scenario(scenario.OWN)
    return [
        (field, labels[field], *scenario.BOUNDS.get(parameter, (0, 100)), getattr(usual, parameter))
        for field, parameter in OWN.items()
    ]


def _shown(kept: list[Result], chosen: Chosen) -> tuple[Result | None, Result | None]:
    """The result to show, and the one beside it: the newest that measured something, and the last one like it, unless
    others are chosen."""
    by_number = {one.number: one for one in kept}
    for number in (chosen.result, chosen.beside):
        if number is not None and number not in by_number:
            raise BadInput("there is no result", str(number), "", "the list shows those there are")
    newest = next((one for one in reversed(kept) if one.measures), next(reversed(kept), None))
    shown = by_number[chosen.result] if chosen.result is not None else newest
    if chosen.beside is not None:
        return shown, by_number[chosen.beside]
    return shown, results.like(kept, shown) if shown else None


def _progress(running: Running) -> dict[str, object]:
    went_s = max(time.time() - running.begun_us / 1e6, 0.0)
    return {
        "scenario": visible(running.scenario[:40]),
        "rows": running.rows,
        "stage": visible(running.stage[:100]),
        "percent": round(min(max(running.part, 0.0), 1.0) * 100),
        "went": f"{went_s:,.0f} s",
        "limit": f"{running.limit_s:,.0f} s" if running.limit_s else "",
        "pid": running.pid,
    }


def _number(name: str, text: str) -> int | None:
    return _whole(name, text, 1, 10**9) if text else None


def _whole(name: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise BadInput(f"cannot use {name}", repr(text[:60]), "", f"write a whole number from {least:,} to {most:,}")
    return int(text)


def _share(name: str, text: str, most: float = 1.0) -> float:
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit() and len(text) < 20 and 0 <= float(text) <= most):
        raise BadInput(f"cannot use {name}", repr(text[:60]), "", f"write a number up to {most:g}, as in 0.01")
    return float(text)
