"""What the demo with real requests says of them: counts, errors, response times."""

import pytest

from demo.app.access_log import Figures, Request, by_second, percentile


def test_a_log_line_is_a_request_that_arrived_before_it_was_answered() -> None:
    assert Request.read("request 1795275705739 39 200 ----\n") == Request(1795275705.7, 0.039, 200)


@pytest.mark.parametrize(
    "line", ["", "[WARNING] (1) : Server tasks/1 is UP", "Proxy load-balancer started.", "request 1 2 3"]
)
def test_what_else_haproxy_prints_is_no_request(line: str) -> None:
    assert Request.read(line) is None


@pytest.mark.parametrize(
    ("line", "failed", "aborted"),
    [
        ("request 2000 10 200 ----", False, False),
        ("request 2000 10 304 ----", False, False),
        ("request 2000 10 422 ----", True, False),
        ("request 2000 0 503 SC--", True, False),
        ("request 2000 10 504 sH--", True, False),
        ("request 2000 -1 -1 SD--", True, False),
        ("request 2000 -1 -1 CD--", False, True),  # The load generator's time was over.
    ],
)
def test_errors_are_the_services_and_not_those_of_a_client_that_leaves(line: str, failed: bool, aborted: bool) -> None:
    request = Request.read(line)
    assert request is not None
    assert (request.failed, request.aborted) == (failed, aborted)


def test_response_times_are_those_of_good_answers() -> None:
    good = [Request(0.0, number / 1000, 200) for number in range(1, 101)]
    bad = [Request(0.0, 60.0, 504), Request(0.0, 0.0, 503), Request(0.0, 30.0, 200, aborted=True)]
    assert Figures.of([*bad, *reversed(good)]) == Figures(requests=103, aborted=1, errors=2, p50=0.050, p99=0.099)


def test_without_a_good_answer_there_is_no_response_time() -> None:
    assert Figures.of([Request(0.0, 0.0, 503)]) == Figures(1, 0, 1, None, None)
    assert Figures.of([]) == Figures(0, 0, 0, None, None)


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (75, 3.0), (76, 4.0), (99, 4.0), (100, 4.0), (1, 1.0)])
def test_a_percentile_is_a_time_that_occurred(percent: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == value


def test_requests_are_shown_in_the_second_in_which_they_arrived() -> None:
    requests = [Request(at, 5.0, 200) for at in (9.9, 10.0, 10.99, 12.5, 13.0)]
    shown = by_second(requests, start=10.0, end=13.9)
    assert [(at, figures.requests) for at, figures in shown] == [(10.0, 2), (11.0, 0), (12.0, 1)]
