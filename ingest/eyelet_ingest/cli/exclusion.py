"""`--exclude NAME:VALUE`: what is left out, in the words of the other flags."""

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.select import NAMES


def excluded(said: str) -> tuple[str, str]:
    """`type:Notification` as a Filter has it; BadInput for a name that is none of the vocabulary's."""
    end = min((at for at in (said.find(":"), said.find("=")) if at >= 0), default=len(said))
    name, value = said[:end].replace("-", "_").lower(), said[end + 1 :]
    if (name, value) == ("is", "error"):
        return "errors", "1"
    if name not in NAMES or not value:
        from difflib import get_close_matches

        column = next((known for known, field in NAMES.items() if field == name), "")
        near = [column] if column else get_close_matches(name, NAMES, n=1, cutoff=0.6) if value else []
        hint = f"did you mean {near[0]}:{value or 'VALUE'}?" if near else f"write one of {', '.join(NAMES)} before it"
        raise BadInput("cannot use --exclude", repr(said[:100]), "it is no NAME:VALUE", hint)
    return NAMES[name], value
