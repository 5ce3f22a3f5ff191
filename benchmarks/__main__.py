"""`python -m benchmarks`: FastScaler against its peers, simulated, the same on every machine.

Writes results.json, surges.json, ablations.json, sensitivity.json, the charts and RESULTS.md. What depends on the
machine, times and calls of the loop, is `python -m benchmarks.figures`.
"""

from benchmarks.ablations import ablations
from benchmarks.page import write_page
from benchmarks.rows import FOLDER, write
from benchmarks.sensitivity import sensitivity
from benchmarks.surges import surges
from benchmarks.tournament import tournament


def main() -> None:
    """Simulates, and writes the files."""
    write(FOLDER / "results.json", tournament(charts=FOLDER / "charts"))
    write(FOLDER / "ablations.json", ablations())
    write(FOLDER / "sensitivity.json", sensitivity())
    write(FOLDER / "surges.json", surges())
    write_page()


if __name__ == "__main__":
    main()
