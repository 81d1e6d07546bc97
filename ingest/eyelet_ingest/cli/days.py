"""What the commands about whole days share: which days, progress, the answer, and how trouble is said."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from eyelet_ingest.errors import BadInput, EyeletError

if TYPE_CHECKING:
    from eyelet_ingest.store.layout import PartitionKey
    from eyelet_ingest.store.store import Store

FAILED = 1  # the exit status where a day could not be served
_Command = TypeVar("_Command", bound=Callable[..., Any])
Facts = dict[str, object]
Act = Callable[["PartitionKey"], "tuple[Facts, str] | None"]  # of one day: what to say of it, to programs and to people


@dataclass(frozen=True, slots=True)
class Asked:
    """Which days were asked for: by their names, and of which contexts."""

    days: tuple[str, ...]
    contexts: tuple[str, ...]

    def keys(self, there: "Iterable[PartitionKey]", what: str = "day") -> "list[PartitionKey]":
        """Those of `there` that are meant; all of the contexts where no day is named. BadInput for a name that is
        none, and for a day that is not among them: there is no such `what`."""
        from eyelet_ingest.store import layout

        contexts = {layout.safe_context(context) for context in self.contexts}
        known = [key for key in there if not contexts or key.context in contexts]
        if not self.days:
            return known
        found: dict[PartitionKey, None] = {}
        for name in self.days:
            same = [key for key in known if name in (key.date, key.mount_name, f"{key.context}/{key.date}")]
            if not same:
                hint = "write 2026-03-20, work/2026-03-20 or work-2026-079; `eyelet partitions` lists those there are"
                raise BadInput(f"there is no {what}", repr(name), "", hint)
            found |= dict.fromkeys(same)
        return sorted(found)


def day_options(*, argument: bool = False) -> Callable[[_Command], _Command]:
    """`--context NAME` and `--day DAY`, with `argument` DAY… as well, as the one argument `asked: Asked`."""
    import functools

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_asked(*args: Any, **given: Any) -> Any:
            named = (*given.pop("named", ()), *given.pop("days"))
            return command(*args, asked=Asked(named, given.pop("contexts")), **given)

        decorated: Any = with_asked
        if argument:
            decorated = click.argument("named", metavar="[DAY]...", nargs=-1)(decorated)
        several: dict[str, Any] = {"multiple": True}
        decorated = click.option("--context", "contexts", metavar="NAME", help="Only this context.", **several)(
            decorated
        )
        return click.option("--day", "days", metavar="DAY", help="Only this day: 2026-03-20.", **several)(decorated)  # type: ignore[no-any-return]

    return decorate


@dataclass(slots=True)
class Outcome:
    """What a command did, day by day: the facts for programs, a line for people, and what went wrong."""

    facts: list[Facts]
    lines: list[str]
    failed: list[Facts]


def walk(keys: "Sequence[PartitionKey]", what: str, act: Act) -> Outcome:
    """Do it to one day after another, with a bar on a terminal; a day in trouble is noted and hinders no other."""
    done = Outcome([], [], [])
    with click.progressbar(keys, label=what, file=sys.stderr, hidden=len(keys) < 2 or not sys.stderr.isatty()) as shown:
        for key in shown:
            named: Facts = {"context": key.context, "day": key.date}
            try:
                answer = act(key)
            except EyeletError as bad:
                done.failed.append(named | {"error": str(bad)})
                continue
            if answer is not None:
                done.facts.append(named | answer[0])
                done.lines.append(f"{key.context} {key.date}: {answer[1]}")
    return done


def say(done: Outcome, as_json: bool, nothing: str, key: str = "days") -> None:
    """The answer on stdout, trouble on stderr, and the exit status that goes with it."""
    from eyelet_ingest.cli import output

    if as_json:
        given = click.get_current_context().params
        only_said: Facts = {"dry_run": given["dry_run"]} if "dry_run" in given else {}
        output.write_lines(sys.stdout, [output.json_value({**only_said, key: done.facts, "failed": done.failed})])
    else:
        lines = done.lines or ([] if done.failed else [nothing])
        output.write_lines(sys.stdout, [output.visible(line) for line in lines])
    for one in done.failed:
        click.echo(f"eyelet: {output.visible(str(one['error']))}", err=True)
    if done.failed:
        click.get_current_context().exit(FAILED)


def audited(root: str, action: str, keys: "Iterable[PartitionKey]", **more: object) -> None:
    """A line in the audit, before the thing is done: what cannot be audited is not done."""
    from eyelet_ingest.cli import moving

    moving.audited(root, action, {"days": [key.mount_name for key in keys], **more})


def sized(number: int) -> str:
    """A number of bytes as people read it: `1.4 MB`."""
    size = float(number)
    for unit in ("B", "kB", "MB"):
        if size < 1_000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} GB"


def instant(time_us: int | None) -> str:
    """A time as the tables show it, in UTC; "" for none."""
    from datetime import timezone

    from eyelet_ingest.ranges import display_time

    return "" if time_us is None else display_time(time_us, timezone.utc)[:19]


def there(store: "Store") -> "list[PartitionKey]":
    """The days that have a database: the maker of a folder may have been stopped before it had one."""
    from eyelet_ingest.store import connect, layout

    return [key for key in store.catalog.partitions() if connect.is_there(layout.db_path(store.root, key))]


def opened(root: str, dry_run: bool = False) -> "Store":
    """The Store of a root, what was spooled drained into it but for a dry run: to be used as a context manager."""
    from eyelet_ingest.cli.options import say_if_missing
    from eyelet_ingest.store.store import Store

    say_if_missing(root)
    store = Store(root)
    if not dry_run:
        store.drain_spool()
    return store
