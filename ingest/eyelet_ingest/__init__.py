"""Recording and storing agents' events. The import stays cheap: the hook pays for it on every tool call."""

__version__ = "0.1.0"
