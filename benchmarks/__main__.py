"""`python -m benchmarks`: every figure of this project, from two kinds of measurement.

Simulations, which are the same on every machine: results.json, surges.json, ablations.json, sensitivity.json, charts
and RESULTS.md. And times and calls of the loop on this machine: figures.json. `--simulations` leaves the latter out.
"""

import argparse

from benchmarks.ablations import ablations
from benchmarks.figures import measure
from benchmarks.page import write_page
from benchmarks.rows import FOLDER, write
from benchmarks.sensitivity import sensitivity
from benchmarks.surges import surges
from benchmarks.tournament import tournament


def main() -> None:
    """Measures, and writes the files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures all figures of the project.")
    parser.add_argument("--simulations", action="store_true", help="only what does not depend on the machine")
    only_simulations = parser.parse_args().simulations
    write(FOLDER / "results.json", tournament(charts=FOLDER / "charts"))
    write(FOLDER / "ablations.json", ablations())
    write(FOLDER / "sensitivity.json", sensitivity())
    write(FOLDER / "surges.json", surges())
    write_page()
    if not only_simulations:
        measure()


if __name__ == "__main__":
    main()
