"""What a database over days is about, told from its name alone: every context, or one of them."""

from dataclasses import dataclass

from eyelet_ingest.store.layout import key_from_mount_name, safe_context

ALL = "eyelet"
_PREFIX = ALL + "-"


@dataclass(frozen=True, slots=True)
class Scope:
    """All days of the context of this safe name; of every context where it is None."""

    context: str | None

    @property
    def name(self) -> str:
        """The name of its database in Datasette."""
        return ALL if self.context is None else _PREFIX + self.context


def scope_of(name: str) -> Scope | None:
    """What the database of this name is over; None where it is no database over days.

    Names part from the right: `eyelet-x-2026-001` is a day of the context `eyelet-x`, not the context `x-2026-001`.
    """
    if name == ALL:
        return Scope(None)
    context = name.removeprefix(_PREFIX)
    if context == name or not context or safe_context(context) != context or key_from_mount_name(name) is not None:
        return None
    return Scope(context)
