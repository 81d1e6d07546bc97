"""The Datasette plugin: hook implementations only."""
