"""How many files this process may open.

A day that stays open is three files, and shells often allow 1,024. A program may have more without asking anybody, up
to the hard limit; the low one is there for those that use select(2), which we do not.
"""

WANTED = 10_240  # what macOS allows at most; a hundred thousand would make programs slow that close all they could have


def allow() -> int:
    """Let this process, which is ours, and those that it starts open WANTED files, or as many as the hard limit allows;
    never fewer than before. Returns how many it may open, -1 for any number; 0 where that cannot be told."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return -1 if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # the system has its own idea: what there is has to do
        return soft
    return wanted
