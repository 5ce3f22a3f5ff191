"""The model of CloudWatch's alarms against the examples of its user guide ("... when data is missing")."""

import pytest

from tests.unit.cloudwatch import ALARM, INSUFFICIENT, OK, state

POINTS = {"0": False, "X": True, "-": None}
KEPT = INSUFFICIENT  # The state before, where the guide says that it is retained.


@pytest.mark.parametrize(
    ("needed", "points", "ignore", "breaching", "not_breaching"),
    [
        (3, "0-X-X", OK, OK, OK),
        (3, "0----", OK, OK, OK),
        (3, "-----", KEPT, ALARM, OK),
        (3, "0XX-X", ALARM, ALARM, ALARM),
        (3, "----X", KEPT, ALARM, OK),
        (3, "X----", KEPT, ALARM, OK),
        (2, "0-X-X", ALARM, ALARM, ALARM),
        (2, "00X0X", ALARM, ALARM, ALARM),
        (2, "0-X--", OK, ALARM, OK),
        (2, "----0", OK, ALARM, OK),
        (2, "----X", KEPT, ALARM, OK),
    ],
)
def test_an_example_of_the_guide(needed: int, points: str, ignore: str, breaching: str, not_breaching: str) -> None:
    retrieved = [POINTS[point] for point in points]
    for treatment, wanted in (("ignore", ignore), ("breaching", breaching), ("notBreaching", not_breaching)):
        alarm = {"EvaluationPeriods": 3, "DatapointsToAlarm": needed, "TreatMissingData": treatment}
        assert state(retrieved, alarm, before=KEPT) == wanted, treatment
