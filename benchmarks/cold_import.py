"""What a cold start imports: the scaler's handler, and how much of that is boto3's own time."""

import subprocess
import sys
from pathlib import Path
from statistics import median

FUNCTION = Path(__file__).parents[1] / "functions" / "scaler"
RUNS = 11
PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
begun = time.perf_counter()
import boto3, botocore.config, botocore.exceptions
boto3_done = time.perf_counter()
import app
print(boto3_done - begun, time.perf_counter() - boto3_done)
"""


def cold_import() -> dict[str, float]:
    """Median milliseconds, each run in a new interpreter."""
    command = [sys.executable, "-c", PROGRAM, str(FUNCTION)]
    subprocess.run(command, check=True, capture_output=True)  # Compiles what was never imported.
    runs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(RUNS)]
    boto3, handler = (round(median(float(run[column]) for run in runs) * 1000, 1) for column in (0, 1))
    return {"handler_without_boto3": handler, "boto3": boto3}
