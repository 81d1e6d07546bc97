"""What hatch does besides packing: builds the extension in C where that can be done. It is an optional step.

Where a compiler or SQLite's headers are missing, the install succeeds without the extension and one line says what is
missing (pip shows it with -v; `eyelet config show` says it, too). `EYELET_NO_EXTENSION=1` leaves it out.
"""

import importlib.util
import os
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = os.path.join("ingest", "eyelet_ingest", "extension")


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """hatch calls `initialize` before it packs a wheel, or what stands for one in an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if os.environ.get("EYELET_NO_EXTENSION"):
            return
        builder = self._builder()
        try:
            path = builder.build()
        except builder.NotBuilt as why:
            self.app.display_warning(f"The extension for SQL over all days is not built: {why}")
            return
        if version == "editable":
            return  # it lies beside its sources, where it is looked for
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{builder.platform_tag()}"
        build_data["force_include"][path] = f"eyelet_ingest/extension/{builder.NAME}"

    def _builder(self) -> ModuleType:
        """`build.py`, by path: the package is not installed yet."""
        path = os.path.join(self.root, FOLDER, "build.py")
        spec = importlib.util.spec_from_file_location("eyelet_build", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
