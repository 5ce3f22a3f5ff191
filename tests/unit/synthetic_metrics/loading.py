"""Loads the function's modules as Lambda does: by plain name, from the function's own folder."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[3] / "functions" / "synthetic_metrics"


def add_to_path() -> None:
    """Make `load_profile` and its neighbours importable. Appended, so that nothing else is hidden."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))


def load_app() -> ModuleType:
    """`app.py` under a name of its own: every function has a module called `app`."""
    add_to_path()
    spec = spec_from_file_location("synthetic_metrics_app", FOLDER / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
