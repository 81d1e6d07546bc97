"""Rows of exports and of other roots on their way in, by the rules and the settings of today: they were redacted when
they were recorded, by whatever version and on whatever machine that was.

Markers that are there stay as they are: they have the hash of the root they were made in.
"""

from collections.abc import Sequence

from eyelet_ingest import past, redaction_gate
from eyelet_ingest.store import cleaning, identity, schema
from eyelet_ingest.store.transfer import WholeRow

_LOOKED_AT = tuple(
    at
    for at, name in enumerate(schema.COLUMNS)
    if name not in (*cleaning.UNTOUCHED, *cleaning.IDENTITY, *cleaning.WORDS)
)


class Incoming:
    """What makes rows fit for one root. RootError, BadInput as for `redactors.of_root`."""

    def __init__(self, root: str) -> None:
        self.cleaner = past.Rules().cleaner(identity.load_key(root))

    def __call__(self, rows: Sequence[WholeRow]) -> list[WholeRow]:
        """The rows without secrets; the same ones where there are none."""
        texts: list[str] = []
        owners: list[int] = []
        for at, row in enumerate(rows):
            for column in _LOOKED_AT:
                value = row[column]
                if isinstance(value, str) and value:
                    texts.append(value)
                    owners.append(at)
        suspects = {owners[at] for at in redaction_gate.suspects(texts, self.cleaner)}
        return [self._cleaned(row) if at in suspects else row for at, row in enumerate(rows)]

    def _cleaned(self, row: WholeRow) -> WholeRow:
        changed = cleaning.cleaned(self.cleaner, schema.COLUMNS, row).values
        if not changed:
            return row
        return tuple(changed.get(name, value) for name, value in zip(schema.COLUMNS, row, strict=True))
