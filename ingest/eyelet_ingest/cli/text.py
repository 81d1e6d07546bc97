"""`eyelet text`: the text indexes of days."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import days
from eyelet_ingest.cli.days import FAILED, Asked, Facts, day_options, sized
from eyelet_ingest.cli.options import root_option

if TYPE_CHECKING:
    from eyelet_ingest.store.layout import PartitionKey
    from eyelet_ingest.store.store import Store
    from eyelet_ingest.store.text_index import TextState

as_json_option = click.option("--json", "as_json", is_flag=True, help="One object.")


@click.group()
def text() -> None:
    """The text indexes of days. They are made by themselves; text is found without them, too, by reading."""


@text.command()
@day_options(argument=True)
@as_json_option
@root_option
def status(asked: Asked, as_json: bool, root: str) -> None:
    """How the indexes stand: what they hold, what arrived or changed since, what they weigh."""
    with days.opened(root, dry_run=True) as store:
        keys = asked.keys(days.there(store))
        outcome = days.walk(keys, "looking", lambda key: _facts_of(store.text_state(key)))
        _say_room(store.root)
    days.say(outcome, as_json, "no day")


@text.command()
@day_options(argument=True)
@click.option("--dry-run", is_flag=True, help="Only say what is lacking.")
@as_json_option
@root_option
def build(asked: Asked, dry_run: bool, as_json: bool, root: str) -> None:
    """Bring the indexes up to all that arrived. A sealed day without one is sealed again."""
    _build(asked, dry_run, as_json, root, anew=False)


@text.command()
@day_options(argument=True)
@click.option("--dry-run", is_flag=True, help="Only say which indexes.")
@as_json_option
@root_option
def rebuild(asked: Asked, dry_run: bool, as_json: bool, root: str) -> None:
    """Make the indexes anew, whatever state they are in. A sealed day is sealed again."""
    _build(asked, dry_run, as_json, root, anew=True)


@text.command()
@day_options(argument=True)
@as_json_option
@root_option
@click.pass_context
def check(ctx: click.Context, asked: Asked, as_json: bool, root: str) -> None:
    """Compare the indexes with the events, word by word. Exit status 1 where one is wrong."""
    with days.opened(root, dry_run=True) as store:
        keys = asked.keys(days.there(store))
        outcome = days.walk(keys, "comparing", _checked(store))
    days.say(outcome, as_json, "no day")
    if any(one["wrong"] for one in outcome.facts):
        ctx.exit(FAILED)


def _say_room(root: str) -> None:
    from eyelet_ingest.store import text_room

    room = text_room.of(root)
    if room is not None and not room.is_enough:
        hint = f"make room, or lower {text_room.KEPT_FREE}"
        click.echo(f"eyelet: nothing is indexed now: {text_room.reason(room)} ({hint})", err=True)


def _build(asked: Asked, dry_run: bool, as_json: bool, root: str, *, anew: bool) -> None:
    with days.opened(root, dry_run) as store:

        def planned(key: "PartitionKey") -> tuple[Facts, str] | None:
            state = store.text_state(key)
            if not (anew or state.behind or state.changed or not state.version):
                return None
            facts, line = _facts_of(state)
            return facts, f"would be made {'anew' if anew else 'complete'}; now {line}"

        def done(key: "PartitionKey") -> tuple[Facts, str]:
            caught = store.text_build(key, anew=anew)
            facts, line = _facts_of(store.text_state(key))
            return {**facts, "indexed": caught.rows}, f"{caught.rows:,} events indexed; now {line}"

        keys = asked.keys(days.there(store))
        outcome = days.walk(keys, "indexing", planned if dry_run else done)
    days.say(outcome, as_json, "nothing is lacking" if keys else "no day")


def _checked(store: "Store") -> "Callable[[PartitionKey], tuple[Facts, str]]":
    def act(key: "PartitionKey") -> tuple[Facts, str]:
        wrong = store.text_check(key)
        hint = f"make it anew with: eyelet text rebuild {key.mount_name}"
        return {"wrong": wrong}, f"{'; '.join(wrong)} ({hint})" if wrong else "as it has to be"

    return act


def _facts_of(state: "TextState") -> tuple[Facts, str]:
    if not state.version:
        return asdict(state), f"no index, {state.behind:,} events are found by reading"
    parts = [f"{state.rows:,} events, {sized(state.bytes)}"]
    parts += [f"{state.behind:,} not yet"] if state.behind else []
    parts += [f"{state.changed:,} changed since"] if state.changed else []
    return asdict(state), ", ".join([*parts, *(["complete"] if state.is_finished else [])])
