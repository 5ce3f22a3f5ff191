"""Which requests count for nothing."""

from collections.abc import Iterable


def excluded(paths: Iterable[str]) -> frozenset[str]:
    """The exact paths to leave out. Raises ValueError for what no path can equal."""
    if isinstance(paths, str):
        raise ValueError(f"exclude_paths = {paths!r}: must be a list of paths, as in [{paths!r}]")
    chosen = frozenset(paths)
    for path in chosen:
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"exclude_paths: {path!r} must be a path that begins with /")
    return chosen
