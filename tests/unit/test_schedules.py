"""What `fastscaler schedules` lists: scheduled floors, and those that hold now."""

from fastscaler.aws.stack import Schedule
from fastscaler.scaling.observation import Floor, Pause
from fastscaler.schedules import prewarm_rules

NOW = 1_000_000.0
SHOP = "shop/web"


def weekday(enabled: bool = True) -> Schedule:
    event = {
        "Directive": "prewarm",
        "Cluster": "shop",
        "Service": "web",
        "Owner": "weekday",
        "MinCapacity": 5,
        "DurationMinutes": 60,
    }
    return Schedule("WeekdayPrewarm", "cron(30 8 ? * MON-FRI *)", "Europe/Berlin", enabled, event)


def test_a_schedule_whose_floor_holds_says_until_when() -> None:
    [rule] = prewarm_rules([weekday()], [Floor(SHOP, "weekday", 5, NOW + 600)], NOW)
    assert (rule.service, rule.owner, rule.min_capacity, rule.timezone) == (SHOP, "weekday", 5, "Europe/Berlin")
    assert rule.active_until == NOW + 600


def test_an_expired_floor_does_not_hold() -> None:
    [rule] = prewarm_rules([weekday(enabled=False)], [Floor(SHOP, "weekday", 5, NOW - 1)], NOW)
    assert rule.active_until is None
    assert not rule.enabled


def test_a_floor_without_a_schedule_is_listed_as_well() -> None:
    by_hand = Floor(SHOP, "on-call", 12, NOW + 60, "ticket rush")
    rules = prewarm_rules([weekday()], [by_hand, Pause(SHOP, "ScaleIn", NOW + 60)], NOW)
    assert [(rule.owner, rule.schedule, rule.active_until) for rule in rules] == [
        ("weekday", "WeekdayPrewarm", None),
        ("on-call", "", NOW + 60),
    ]


def test_a_schedule_that_sends_something_else_is_no_prewarm_rule() -> None:
    pause = Schedule("NightPause", "cron(0 2 * * ? *)", "UTC", True, {"Directive": "pause"})
    assert prewarm_rules([pause], [], NOW) == []
