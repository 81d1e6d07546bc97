"""The flags that commands share, each named once, and what they become: a root, a context, a Filter."""

import functools
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from eyelet_ingest.cli import recorded
from eyelet_ingest.commands import DEFAULT_ROOT
from eyelet_ingest.commands import runnable as runnable
from eyelet_ingest.errors import BadInput, EyeletError, RootError

if TYPE_CHECKING:
    from datetime import tzinfo

    from eyelet_ingest.store.layout import PartitionKey
    from eyelet_ingest.store.select import Filter
    from eyelet_ingest.store.spool import Drained
    from eyelet_ingest.store.store import Store
    from eyelet_ingest.surroundings import Surroundings

DEFAULT_CONTEXT = "default"
MAINTENANCE_MS = 500  # of finished days, at the end of a command that wrote
TEXT_MS = 200  # likewise, for text that is not indexed yet
CHECKPOINT_MS = 200  # likewise, for WALs that are due
RETENTION_MS = 200  # of days that retention retires, likewise
STATUSES = ("ok", "error", "interrupted", "denied", "pending")  # every one that an event may have
LEVELS = ("debug", "info", "warn", "error")
RANGES = ("15m", "1h", "6h", "24h", "7d", "30d", "today", "yesterday", "all")

_Command = TypeVar("_Command", bound=Callable[..., Any])


class WholeNumber(click.IntRange):
    """click's range of numbers, refusing in words that need no knowledge of click."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            span = f"from {self.min} on" if self.max is None else f"from {self.min} to {self.max}"
            self.fail(f"{value!r} is not a whole number {span}, written in digits", param, ctx)


class Chosen(NamedTuple):
    """What the vocabulary's flags said: which events, and the zone in which people see times."""

    where: "Filter"
    tz: "tzinfo"
    tz_name: str
    label: str


class _OneFolder(click.types.StringParamType):
    """EYELET_ROOT names one folder, whatever is in its name: for an option given several times click parts it."""

    def split_envvar_value(self, rv: str) -> list[str]:
        return [rv]


def root_option(command: _Command) -> _Command:
    """`--root DIR`: the folder that holds `logs/`, an absolute path in the argument `root`; a second one is refused."""
    return _root("root", _only_root, "")(command)


def _only_root(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> str:
    if len(value) > 1:
        raise click.UsageError(f"{ctx.info_name} works on one root: give --root once.", ctx)
    return _all_roots(ctx, param, value)[0]


def _all_roots(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Absolute paths, each once; what the settings say where neither a flag nor the environment says anything."""
    if _is_unsaid(ctx, param):
        value = (*around(ctx).global_roots(), *value)[:1]
    return tuple(dict.fromkeys(map(_absolute, value)))


def _said_context(ctx: click.Context, param: click.Parameter, value: str) -> str:
    return around(ctx).context if _is_unsaid(ctx, param) else value


def _is_unsaid(ctx: click.Context, param: click.Parameter) -> bool:
    return param.name is not None and ctx.get_parameter_source(param.name) is click.core.ParameterSource.DEFAULT


def around(ctx: click.Context) -> "Surroundings":
    """The settings that hold where the command runs, as a hook has them; what is wrong with them is said once."""
    from eyelet_ingest.surroundings import Surroundings

    kept = ctx.find_root().meta
    if __name__ not in kept:
        try:
            folder = os.getcwd()
        except OSError:  # it was deleted
            folder = os.sep
        kept[__name__] = found = Surroundings(folder)
        if found.problem and not ctx.resilient_parsing:
            from eyelet_ingest.cli.output import visible

            click.echo(visible(f"eyelet: {found.problem}"), err=True)
    held: Surroundings = kept[__name__]
    return held


def roots_option(command: _Command) -> _Command:
    """`--root DIR`, which may be given several times, as absolute paths in the argument `roots`, each once.

    The first is the root as it is with `root_option`; the others are read with it.
    """
    return _root("roots", _all_roots, " Given several times, all of them are read as one.")(command)


def _root(argument: str, callback: Callable[..., Any], more: str) -> Callable[[_Command], _Command]:
    return click.option(
        "--root",
        argument,
        multiple=True,
        type=_OneFolder(),
        metavar="DIR",
        envvar="EYELET_ROOT",
        default=(DEFAULT_ROOT,),
        show_envvar=True,
        callback=callback,
        help=f"The folder that holds logs/.{more}",
    )


def project_option(help: str) -> Callable[[_Command], _Command]:
    """`--project DIR`, as it was given, in the argument `project`; "" where it was not."""
    return click.option("--project", metavar="DIR", default="", show_default=False, help=help)


def context_option(command: _Command) -> _Command:
    """`--context NAME`: the one context to record into, in the argument `context`."""
    return click.option(
        "--context",
        metavar="NAME",
        envvar="EYELET_CONTEXT",
        default=DEFAULT_CONTEXT,
        show_envvar=True,
        callback=_said_context,
        shell_complete=recorded.contexts,
        help="The context to record into.",
    )(command)


def filter_options(
    *, without: str = "", only: "Collection[str]" = (), statuses: tuple[str, ...] = (), of_payload: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The flags that choose events, as the one argument `chosen: Chosen`.

    `without` names the flag that the command has another way to say (`--session`, `--text`), `only` the arguments of
    FILTER_FLAGS that the command takes where it does not take all, `statuses` those that it knows besides an event's.
    `of_payload`: the command changes what it finds, and its text is looked for as it stands, nothing read into it.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_chosen(*args: Any, **given: Any) -> Any:
            flags = {name: given.pop(name) for name in FILTER_FLAGS if name in given}
            return command(*args, chosen=_chosen(flags, (*STATUSES, *statuses), as_it_stands=of_payload), **given)

        decorated: Callable[..., Any] = with_chosen
        for name, (names, said, help_text) in reversed(FILTER_FLAGS.items()):
            if name == "status" and statuses:
                known = (*STATUSES, *statuses)
                said, help_text = _known(recorded.words(*known)), f"Only this status: {', '.join(known)}."
            if name == "text" and of_payload:
                help_text = "Only events whose payload holds this text, as it stands."
            if of_payload and name in _NOT_OF_PAYLOAD:
                continue
            if without not in names and (not only or name in only):
                decorated = click.option(*names, name, help=help_text, **said)(decorated)
        return decorated

    return decorate


_ONE: dict[str, Any] = {"default": "", "show_default": False}
_SEVERAL: dict[str, Any] = {"multiple": True, "metavar": "NAME"}


def _known(complete: recorded.Complete) -> dict[str, Any]:
    return _SEVERAL | {"shell_complete": complete}


# argument → (flags, how click takes it, help). The column vocabulary of docs/decisions.md, in its order.
FILTER_FLAGS: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "since": (
        ("--since",),
        _ONE | {"metavar": "TIME"},
        "From this time on: 6h, today, 2026-07-31, an epoch.",
    ),
    "until": (("--until",), _ONE | {"metavar": "TIME"}, "Before this time; a day or a month is included."),
    "range": (
        ("--range",),
        _ONE | {"metavar": "RANGE", "shell_complete": recorded.words(*RANGES)},
        "15m, 1h, 6h, 24h, 7d, 30d, today, yesterday or all; also 3h or 10d.",
    ),
    "tz": (
        ("--tz",),
        _ONE | {"metavar": "ZONE"},
        "The zone to read and show times in: Europe/Berlin. Else UTC.",
    ),
    "contexts": (("--context",), _known(recorded.contexts), "Only this context."),
    "src": (
        ("--src",),
        _known(recorded.values("src")),
        "Only this src and what is below its dots; `x*` is a plain prefix.",
    ),
    "hook_type": (("--type", "--hook-type"), _known(recorded.values("hook_type")), "Only this type of event."),
    "tool_name": (("--tool",), _known(recorded.values("tool_name")), "Only this tool."),
    "session_id": (("--session",), _known(recorded.sessions), "Only this session."),
    "status": (
        ("--status",),
        _known(recorded.words(*STATUSES)),
        f"Only this status: {', '.join(STATUSES)}.",
    ),
    "errors": (("--errors",), {"is_flag": True}, "Only events that failed."),
    "error_code": (("--error-code",), _SEVERAL, "Only what failed with this code: exit:128, timeout."),
    "git_branch": (("--branch",), _known(recorded.values("git_branch")), "Only this git branch."),
    "agent": (("--agent",), _known(recorded.values("agent")), "Only this agent."),
    "model": (("--model",), _known(recorded.values("model")), "Only this model."),
    "project_dir": (
        ("--project",),
        _known(recorded.values("project_dir")) | {"metavar": "DIR"},
        "Only this folder and what is below it; a name without a slash is any folder of that name.",
    ),
    "loglevel": (("--level",), _known(recorded.words(*LEVELS)), f"Only this level: {', '.join(LEVELS)}."),
    "without": (
        ("--exclude",),
        _SEVERAL | {"metavar": "NAME:VALUE"},
        "Not these: type:Notification, tool:Read, src:'claude.*'; any flag's name and a value of it.",
    ),
    "text": (("--text",), _ONE | {"metavar": "TEXT"}, "Only events with this text; docs/text.md has its language."),
}
# Who deletes or redacts names folders by a flag of his own.
_NOT_OF_PAYLOAD = ("project_dir",)


@contextmanager
def opened_store(
    root: str, *also: str, only_reads: bool = True, alongside: bool = False, drain: bool = True
) -> "Iterator[Store]":
    """The Store of `root`, what was spooled drained into it, read with the roots `also`; closed at the end. With
    `alongside` it reads what is beside the root too. Without `drain`, for a dry run, nothing is changed.

    Events that cannot leave the spool yet are one line on stderr: what is stored can be read all the same.
    So is a root that is not there, where the command `only_reads`.
    """
    from eyelet_ingest.metering import Meter
    from eyelet_ingest.store.alongside import roots_of
    from eyelet_ingest.store.store import Store

    with Store(root, also=(*also, *(roots_of(root) if alongside else ()))) as store:
        if only_reads:
            say_if_missing(root)
        try:
            drained = store.drain_spool() if drain else None
        except EyeletError as error:
            _say(f"the spool stays as it is: {error}")
        else:
            if drained and (drained.left or drained.bad):
                _say("; ".join([spool_story(drained), *drained.reasons]))
        yield store
        Meter(store, "", "command").leave()


def maintain(root: str, first: "Iterable[PartitionKey]" = ()) -> None:
    """A moment for the finished days, those of `first` before others: at the end of a command that wrote, when its
    answer has been given. Nothing is said of it: what it cannot do now, the next command or the server does."""
    from eyelet_ingest.store.store import Store

    sys.stdout.flush()
    with Store(root) as store, suppress(EyeletError):
        store.maintain(MAINTENANCE_MS, first)
        store.index_text(TEXT_MS, first)
    retain(root)
    _look_after(root)


def _look_after(root: str) -> None:
    """A moment for WALs, and for what was measured."""
    from eyelet_ingest import metering, surroundings
    from eyelet_ingest.health import checkpointing
    from eyelet_ingest.plugins import Plugins
    from eyelet_ingest.store.store import Store

    with suppress(EyeletError), Store(root) as store:
        meter = metering.Meter(store, surroundings.home(), "command")
        try:
            done = checkpointing.run(store, CHECKPOINT_MS, Plugins.load)
        except EyeletError as error:
            _say(str(error))  # a strategy that is not there
            done = []
        meter.keep(metering.gauges(store), done)


def index_text(root: str) -> None:
    """A moment for the text indexes, at the end of a command that looked for text, when its answer has been given."""
    from eyelet_ingest.store.store import Store

    sys.stdout.flush()
    with suppress(EyeletError), Store(root) as store:
        store.index_text(TEXT_MS)


def retain(root: str) -> None:
    """A moment for what retention says. Only what is wrong with it is said: a day that cannot be read, a file that says
    no rules; nothing of that is retired."""
    from eyelet_ingest.store.store import Store

    try:
        with Store(root) as store:
            failed = store.retain(deadline_ms=RETENTION_MS).failed
    except EyeletError as error:
        _say(str(error))
    else:
        for bad in failed:
            _say(f"not retired: {bad.context} {bad.day}: {bad.error}")


def spool_story(drained: "Drained") -> str:
    """One drain in a sentence: `3 events stored from the spool, 1 still waiting`."""
    parts = [f"{drained.stored} {'event' if drained.stored == 1 else 'events'} stored from the spool"]
    for number, what in (
        (drained.known, "known already"),
        (drained.dead, "deleted while they waited"),
        (drained.bad, "set aside as unreadable"),
        (drained.left, "still waiting"),
    ):
        if number:
            parts.append(f"{number} {what}")
    return ", ".join(parts)


def say_if_missing(root: str) -> None:
    """A line on stderr where the root is not there: to a command that only reads it looks like an empty one."""
    if not os.path.exists(root):
        _say(f"(no such folder: {root}{', a link to nothing' if os.path.islink(root) else ''})")


def utf8(what: str, text: str) -> str:
    """`text`, which a person gave; BadInput where it is not UTF-8, as nothing that is stored could be found by it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInput(f"cannot use the {what}", repr(text), "it is not UTF-8", "write it in UTF-8") from None
    return text


def now_us() -> int:
    return time.time_ns() // 1_000


def _say(text: str) -> None:
    from eyelet_ingest.cli.output import visible

    click.echo(f"eyelet: {visible(text)}", err=True)


def _absolute(folder: str) -> str:
    if not folder.strip():
        raise click.BadParameter("the name of the folder is empty", param_hint="'--root'")
    try:
        return os.path.abspath(os.path.expanduser(folder))
    except OSError as error:  # only a relative path asks for the folder one stands in
        hint = "the folder you are in is gone: name it from / on"
        raise RootError("find the root", folder, error.strerror or str(error), hint) from error


def _chosen(flags: dict[str, Any], statuses: tuple[str, ...], *, as_it_stands: bool) -> Chosen:
    """The Filter of these flags; but for a text that is looked for as it stands, with the fields that it names."""
    from eyelet_ingest import ranges
    from eyelet_ingest.cli.exclusion import excluded
    from eyelet_ingest.store.select import Filter

    for name, given in flags.items():
        for text in given if isinstance(given, tuple) else [given]:
            if isinstance(text, str):
                utf8(f"value of {FILTER_FLAGS[name][0][0]}", text)
    flags["without"] = tuple(map(excluded, flags.get("without", ())))
    left_out = (value for name, value in flags["without"] if name == "status")
    for status in (*flags.get("status", ()), *left_out):
        if status not in statuses:
            raise BadInput("there is no status", repr(status), "", f"write one of {', '.join(statuses)}")
    times = {name: flags.pop(name, "") for name in ("range", "since", "until", "tz")}
    found = ranges.resolve(**times, now_us=now_us())
    where = Filter(since_us=found.since_us, until_us=found.until_us, **flags)
    if where.text and not as_it_stands:
        from eyelet_ingest.store import text_filters

        where = text_filters.split(where, statuses)
    return Chosen(where, ranges.zone(times["tz"]), found.tz, found.label)
