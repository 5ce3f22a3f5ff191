"""The storefront's Dockerfile, read without an engine: its stages and their instructions."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

FOLDER = Path(__file__).parents[3] / "examples" / "storefront"
PATH = FOLDER / "Dockerfile"


@dataclass
class Stage:
    """One FROM and what follows: (instruction, its text) in order."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """The texts of every instruction of this name."""
        return [text for instruction, text in self.instructions if instruction == name]

    def last(self, name: str) -> str:
        """The one that counts: of USER, CMD and their like the last wins."""
        return self.all(name)[-1]

    @property
    def command(self) -> list[str]:
        """CMD in exec form: a shell in between would take the stop signal and keep it."""
        found: list[str] = json.loads(self.last("CMD"))
        return found

    @property
    def health_command(self) -> list[str]:
        """The command of HEALTHCHECK, in exec form."""
        found: list[str] = json.loads(self.last("HEALTHCHECK").partition("CMD ")[2])
        return found

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets, in the form NAME=value."""
        return dict(pair.split("=", 1) for text in self.all("ENV") for pair in text.split())


@dataclass
class Dockerfile:
    """All stages; the last one is the image."""

    stages: list[Stage]

    @classmethod
    def read(cls) -> Self:
        """The file as it is."""
        lines = [line for line in PATH.read_text().splitlines() if not line.lstrip().startswith("#")]
        stages: list[Stage] = []
        for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
            instruction, _, text = line.strip().partition(" ")
            if instruction == "FROM":
                stages.append(Stage(text.strip()))
            elif instruction:
                stages[-1].instructions.append((instruction, text.strip()))
        return cls(stages)

    @property
    def image(self) -> Stage:
        return self.stages[-1]
