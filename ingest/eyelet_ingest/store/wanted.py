"""What is to go: a filter, projects, prompts, or whole days. One meaning for every place that holds recorded data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import layout, select
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter

UIDS_A_PIECE = 500  # values in one `in (…)`: SQLite before 3.32 allows 999
Piece = tuple[str, list[object]]  # what stands behind `from hooks`, and its values

# The conditions that can be told of text that is no event: what it says, and when it was met.
_TOLD = frozenset(("since_us", "until_us", "contexts", "session_id", "text"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a deletion is asked for. All conditions must hold; several values of one are alternatives.

    `contexts` are safe names, None for all of them. `projects` are folders, each with what lies below it. `prompts` are
    the identifiers that were asked for; `uids` the rows of each context that belong to them, where they are worked out.
    `by_age`: the horizon of a context remembers what goes, instead of its uids.
    """

    where: Filter
    contexts: frozenset[str] | None = None
    projects: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    uids: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    by_age: bool = False

    @property
    def chooses(self) -> bool:
        """Whether anything is left out."""
        return self != Wanted(Filter())

    def has_context(self, context: str) -> bool:
        return self.contexts is None or context in self.contexts

    def in_time(self, time_us: int) -> bool:
        since_us, until_us = self.where.since_us, self.where.until_us
        return (since_us is None or since_us <= time_us) and (until_us is None or time_us < until_us)

    def meets(self, key: PartitionKey) -> bool:
        """Whether the day may hold anything of it, by its context and time."""
        first_us, end_us = key.bounds_us
        since_us, until_us = self.where.since_us, self.where.until_us
        in_range = (since_us is None or since_us < end_us) and (until_us is None or first_us < until_us)
        return in_range and self.has_context(key.context)

    def takes_whole(self, key: PartitionKey) -> bool:
        """Whether all that the day holds goes: nothing is asked for but a range that it lies in, and contexts."""
        first_us, end_us = key.bounds_us
        on_rows = self.where.on_rows() or self.projects or self.prompts
        return not on_rows and self.in_time(first_us) and self.in_time(end_us - 1)

    def pieces(self, context: str, *, any_time: bool = False) -> list[Piece]:
        """The rows of a partition of this context that go, as conditions that are deleted by one after the other."""
        clauses, params = ([], []) if any_time else select.id_range(self.where.since_us, self.where.until_us)
        more, more_params = select.conditions(self.where)
        clauses, params = clauses + more, params + more_params
        if self.projects:
            clauses.append(_below(self.projects, params))
        if not self.prompts:
            return [(select.where_sql(clauses), params)]
        found: list[Piece] = []
        uids = sorted(self.uids.get(context, ()))
        for at in range(0, len(uids), UIDS_A_PIECE):
            some = uids[at : at + UIDS_A_PIECE]
            named = f"uid in ({', '.join('?' * len(some))})"
            found.append((select.where_sql([*clauses, named]), [*params, *some]))
        return found

    def is_told_in(self, text: str, context: str, met_us: int) -> bool:
        """Whether text that could not be stored as an event is of what goes: what it holds, and when it was met.

        Of a session it is by its identifier, of a project by the folder's path, of a prompt by its identifier, each
        as JSON spells it. Where something else is asked for, nobody can tell, and it stays.
        """
        if not self.has_context(context) or not self.in_time(met_us) or self._asks_more():
            return False
        where = self.where
        folded = text.lower()
        return (
            (not where.session_id or any(_spelt_in(text, one) for one in where.session_id))
            and (not self.prompts or any(_spelt_in(text, one) for one in self.prompts))
            and (not self.projects or any(_path_in(text, one) for one in self.projects))
            and (not where.text or any(one.lower() in folded for one in _spellings(where.text)))
        )

    def _asks_more(self) -> bool:
        plain = Filter(**{name: getattr(self.where, name) for name in _TOLD})
        return self.where != plain


def wanted(
    where: Filter,
    only: frozenset[str] | None,
    *,
    projects: tuple[str, ...] = (),
    prompts: tuple[str, ...] = (),
    by_age: bool = False,
) -> Wanted:
    """What somebody who may see the contexts `only` (all where None) asks for. BadInput where that is everything."""
    where = replace(where, exact=False)  # a text is always one as it stands here, and no condition by itself
    if where == Filter() and not projects and not prompts:
        raise BadInput("delete", reason="no condition was given, that would be everything", hint="say what is to go")
    if any(name == "contexts" for name, _ in where.without):
        hint = "name those that are meant"
        raise BadInput("delete", reason="contexts cannot be left out: new ones come into being", hint=hint)
    if not all(prompts):
        raise BadInput("delete", reason="a prompt has no identifier", hint="name one")
    contexts = frozenset(layout.safe_context(context) for context in where.contexts) or None
    if only is not None:
        contexts = only if contexts is None else contexts & only
    cut = tuple(dict.fromkeys(_folder(one) for one in projects))
    return Wanted(select.bindable(where), contexts, cut, tuple(dict.fromkeys(prompts)), {}, by_age)


def redacted(where: Filter, only: frozenset[str] | None, projects: tuple[str, ...]) -> tuple[Wanted, dict[str, object]]:
    """What a redaction of what `where` chooses is asked for, which may be everything; and what may be said of that."""
    from eyelet_ingest.store import account

    where = replace(where, exact=False)
    said = account.asked(where, projects)
    if where == Filter() and not projects:
        return Wanted(where, only), said
    return wanted(where, only, projects=projects), said


def _folder(project: str) -> str:
    """The folder as events name it: without a separator at its end."""
    cut = project.rstrip("/\\") or project
    if cut in ("", "/", "\\"):
        raise BadInput("delete", repr(project), "that would be every project", "name a folder")
    return cut.encode("utf-8", "replace").decode()


def _below(projects: tuple[str, ...], params: list[object]) -> str:
    """The folder itself and what lies below it: `/` is followed by `0`, and `\\` by `]`."""
    for project in projects:
        params += [project, project + "/", project + "0", project + "\\", project + "]"]
    one = "(project_dir = ? or (project_dir >= ? and project_dir < ?) or (project_dir >= ? and project_dir < ?))"
    return f"({' or '.join([one] * len(projects))})"


def _spellings(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1])))


def _spelt_in(text: str, value: str) -> bool:
    return bool(value) and any(one in text for one in _spellings(value))


def _path_in(text: str, project: str) -> bool:
    """Whether the text names the folder or something below it, and not another whose name only begins like it."""
    for one in _spellings(project):
        at = text.find(one)
        while at >= 0:
            if text[at + len(one) : at + len(one) + 1] in ("", '"', "'", "/", "\\", "\n", " ", ",", ":"):
                return True
            at = text.find(one, at + 1)
    return False
