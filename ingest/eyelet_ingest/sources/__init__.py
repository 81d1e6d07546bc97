"""One file an agent or format: what arrives → Event. Imports nothing by itself: the hook pays for it."""
