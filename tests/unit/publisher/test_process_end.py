"""The end of a real process: what is counted is published, and nobody's signal handler is lost."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from uuid import uuid4

import pytest

PUBLISHER = """
import os, signal, sys, time
from fastscaler.publisher import EmbeddedMetricSink, Publisher

def publish():
    publisher = Publisher(EmbeddedMetricSink(cluster="shop", service=os.environ["SERVICE"]))
    publisher.start()
    for _ in range(15):
        publisher.collector.request().end()
    return publisher

def wait_for_a_signal():
    print("ready", flush=True)
    while True:
        time.sleep(0.05)

def own_handler(number, frame):
    print("mine", flush=True)
    sys.exit(7)
"""


def end_of(program: str, *, sigterm: bool) -> tuple[int, list[str], float]:
    """Exit code, lines printed other than metrics, and requests published."""
    process = subprocess.Popen(
        [sys.executable, "-c", PUBLISHER + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SERVICE": uuid4().hex},
    )
    assert process.stdout is not None
    if sigterm:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    metrics = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    others = [line for line in output.splitlines() if not line.startswith("{")]
    return process.returncode, others, round(sum(line["RequestsPerSecond"] for line in metrics) * 5)


def test_sigterm_sends_the_unfinished_bucket_and_then_ends_the_process_as_ever() -> None:
    code, _, requests = end_of("kept = publish(); wait_for_a_signal()", sigterm=True)
    assert (code, requests) == (-signal.SIGTERM, 15)


@pytest.mark.parametrize(
    "program",
    [
        "signal.signal(signal.SIGTERM, own_handler); kept = publish(); wait_for_a_signal()",
        "kept = publish(); signal.signal(signal.SIGTERM, own_handler); wait_for_a_signal()",
    ],
    ids=["set before", "set after"],
)
def test_the_applications_own_handler_decides_how_the_process_ends(program: str) -> None:
    assert end_of(program, sigterm=True) == (7, ["mine"], 15)


def test_an_ignored_sigterm_stays_ignored() -> None:
    program = """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        kept = publish()
        os.kill(os.getpid(), signal.SIGTERM)
        print("still here", flush=True)
    """
    assert end_of(program, sigterm=False) == (0, ["still here"], 15)


def test_a_script_that_ends_by_itself_publishes_what_it_counted() -> None:
    assert end_of("kept = publish()", sigterm=False) == (0, [], 15)


def test_a_forked_child_publishes_its_own_requests_and_none_of_its_parents() -> None:
    program = """
        kept = publish()
        if os.fork() == 0:
            kept.start()
            for _ in range(4):
                kept.collector.request().end()
            sys.exit()
        os.wait()
    """
    assert end_of(program, sigterm=False) == (0, [], 19)
