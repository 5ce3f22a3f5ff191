"""docs/deploying.md as a script: the end to end run does what it tells the reader to do."""

import re

from tests.e2e.project import ROOT, Project

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


class Guide:
    """The commands under each heading, and which of them have been run."""

    def __init__(self) -> None:
        _, *parts = _HEADING.split((ROOT / "docs" / "deploying.md").read_text())
        self._blocks = {heading: _BLOCK.findall(text) for heading, text in zip(parts[::2], parts[1::2], strict=True)}
        self._followed: set[str] = set()

    def follow(self, heading: str, project: Project, *, shown: bool = False) -> str:
        """Runs all blocks under a heading in `project`, and returns what they printed. Raises Failed."""
        self._followed.add(heading)
        blocks = self._blocks[heading]
        assert blocks, f"no commands under {heading!r}"
        return "".join(project.shell(block, shown=shown) for block in blocks)

    @property
    def left_out(self) -> list[str]:
        """The headings whose commands have not been run."""
        return [heading for heading, blocks in self._blocks.items() if blocks and heading not in self._followed]
