"""Recorded values as the language of the search box writes them."""

from datasette_eyelet.links import is_linkable
from datasette_eyelet.visible import visible
from eyelet_ingest.store import text_query
from eyelet_ingest.store.text_query import Field, Or

VALUE_MAX_CHARS = 200


def is_plain(value: str) -> bool:
    """Whether people can see what they would look for: nothing is in it that hides, or that a box of one line loses."""
    return is_linkable(value) and len(value) <= VALUE_MAX_CHARS and value == visible(value) and value.isprintable()


def written(name: str, value: str) -> str:
    """The value as it stands behind `name:` and in `name:(one OR two)`: between quotes where it would otherwise mean
    something else."""
    try:
        alone = text_query.parse(f"{name}:{value}", with_fields=True)
        among = text_query.parse(f"{name}:({value} OR -)", with_fields=True)
    except text_query.BadQuery:
        return _quoted(value)
    meant = Field(name, value)
    return value if alone == meant and among == Or((meant, Field(name, "-"))) else _quoted(value)


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
