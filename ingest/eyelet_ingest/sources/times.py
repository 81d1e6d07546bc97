"""The time a payload itself names → microseconds since 1970 UTC. Light: arithmetic only, the hook imports it."""

# Where a payload may keep its time, in the order in which they are asked.
KEYS = ("timestamp", "time", "ts", "@timestamp")

# Every second up to the year 2286 is below 10**10, so each further factor of 1,000 is the next finer unit.
_UNITS = ((10**10, 1_000_000, 1), (10**13, 1_000, 1), (10**16, 1, 1), (10**19, 1, 1_000))
_DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_DAYS_TO_1970 = 719_162
_DATE_CHARS = 10
_LONGEST_CHARS = 64


def payload_time_us(value: object) -> int | None:
    """The instant that `value` spells, or None where it spells none.

    ISO 8601 with `Z`, an offset or no zone (then UTC) and a fraction of any length; numbers, and text of digits,
    as seconds, milliseconds, microseconds or nanoseconds by their size. What is finer than a microsecond is cut.
    NaN, booleans, and what no calendar has are None. The result may lie in any year from 1 to 9999.
    """
    if type(value) is str:
        text = value.strip() if len(value) <= _LONGEST_CHARS else ""
        if text[4:5] == "-":
            return _iso_us(text)
        return _digits_us(text)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _sized_us(value, 0)
    if isinstance(value, float) and abs(value) < _UNITS[-1][0]:  # NaN is not below anything
        whole = int(value)
        return _sized_us(whole, round(abs(value - whole) * 1_000_000))
    return None


def of_payload(payload: "dict[str, object]") -> int | None:
    """The first usable time among the payload's own KEYS, or None."""
    for name in KEYS:
        value = payload.get(name)
        if value is not None and (time_us := payload_time_us(value)) is not None:
            return time_us
    return None


def _sized_us(number: int, millionths: int) -> int | None:
    for below, times, over in _UNITS:
        if abs(number) < below:
            fraction = millionths * times // (1_000_000 * over)
            whole = abs(number) * times // over + fraction
            return whole if number >= 0 else -whole
    return None


def _digits_us(text: str) -> int | None:
    sign = text[:1] if text[:1] in ("-", "+") else ""
    whole, _, fraction = text[len(sign) :].partition(".")
    if not (_is_digits(whole) and (not fraction or _is_digits(fraction))):
        return None
    return _sized_us(int(sign + whole), int((fraction + "000000")[:6]))


def _iso_us(text: str) -> int | None:
    """`YYYY-MM-DD[(T| )hh:mm[:ss[.f…]][zone]]`."""
    if not (text.isascii() and text[7:8] == "-" and _is_digits(text[:4] + text[5:7] + text[8:_DATE_CHARS])):
        return None
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    if not (year and 1 <= month <= 12 and 1 <= day <= 31) or len(text) < _DATE_CHARS:
        return None
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    before = _DAYS_BEFORE_MONTH[month - 1] + (leap and month > 2)
    month_end = 365 + leap if month == 12 else _DAYS_BEFORE_MONTH[month] + (leap and month > 1)
    if before + day > month_end:
        return None
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 - _DAYS_TO_1970 + before + day - 1
    of_day_us = _clock_us(text[_DATE_CHARS:])
    return None if of_day_us is None else days * 86_400_000_000 + of_day_us


def _clock_us(text: str) -> int | None:
    """Microseconds since the UTC day began, of `Thh:mm[:ss[.f…]][zone]`; a zone may lead out of the day."""
    if not text:
        return 0
    if text[0] not in "Tt " or text[3:4] != ":" or not _is_digits(text[1:3] + text[4:6]) or len(text) < 6:
        return None
    hour, minute, rest, second, micros = int(text[1:3]), int(text[4:6]), text[6:], 0, 0
    if rest[:1] == ":":
        if len(rest) < 3 or not _is_digits(rest[1:3]):
            return None
        second, rest = int(rest[1:3]), rest[3:]
        if rest[:1] in (".", ","):
            end = 1
            while end < len(rest) and "0" <= rest[end] <= "9":
                end += 1
            if end == 1:
                return None
            micros, rest = int((rest[1:end] + "00000")[:6]), rest[end:]
    offset_s = 0 if rest == "Z" else _offset_s(rest)
    # A leap second is written :60 and counts as the next minute's first.
    if offset_s is None or hour > 23 or minute > 59 or second > 60:
        return None
    return (hour * 3600 + minute * 60 + second - offset_s) * 1_000_000 + micros


def _offset_s(text: str) -> int | None:
    """Seconds east of UTC of `Z`, `UTC`, `±hh[:mm]` or nothing."""
    text = text.strip()
    if text.upper() in ("", "Z", "UTC"):
        return 0
    digits = text[1:].replace(":", "", 1)
    if text[0] not in "+-" or len(digits) not in (2, 4) or not _is_digits(digits):
        return None
    hours, minutes = int(digits[:2]), int(digits[2:] or "0")
    if hours > 23 or minutes > 59:
        return None
    seconds = hours * 3600 + minutes * 60
    return seconds if text[0] == "+" else -seconds


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
