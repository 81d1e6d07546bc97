"""How long ago something was, for people."""

_UNITS = (("days", 86_400), ("h", 3_600), ("min", 60))


def spelt_s(seconds: float) -> str:
    """A time that passed, in words, rounded: `40 s`, `12 min`, `5 h`, `3 days`."""
    for unit, length in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def ago(now_us: int, time_us: int) -> str:
    """How long before `now_us` it was: `5 h ago`; a time that is yet to come is `just now`."""
    return "just now" if now_us - time_us < 2_000_000 else f"{spelt_s((now_us - time_us) / 1e6)} ago"
