"""A labelled corpus: texts as agents write and read them, in which we know of every secret where it stands.

`make` generates it from a seed, so that no secret stands in the repository. It was written from the providers' formats
and the public rule sets before anybody looked at our own rules, and must stay so: a line here that repeats a rule
proves nothing. `measure` says what a redactor finds of it, and what it takes that is none.
"""
