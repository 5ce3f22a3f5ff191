"""Directives: what is refused, what is stored, and that duplicates change nothing."""

from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest

from fastscaler import directives
from fastscaler.directives import Observe, parse_directive
from fastscaler.errors import DirectiveRefused
from fastscaler.scaling.observation import Floor, Pause
from fastscaler.scaling.policy import Document
from tests.unit.loop.fakes import CLUSTER, EPOCH, Simulation, a_service

NAMES = {"Cluster": CLUSTER, "Service": "shop"}
PREWARM = {"Directive": "prewarm", **NAMES, "Owner": "morning", "MinCapacity": 5, "DurationMinutes": 60}
MINUTE = 60.0


def iso(t: float) -> str:
    return datetime.fromtimestamp(EPOCH + t, UTC).isoformat()


def carry_out(sim: Simulation, event: dict[str, Any], *, t: float = 0.0, request: str = "") -> list[bool]:
    """Carries the event out as it arrives at `t`; which of its entries changed anything."""
    document = Document.model_validate({"Services": [a_service().model_dump(by_alias=True)]})
    asked = parse_directive(event)
    assert not isinstance(asked, Observe)
    found = directives.carry_out(asked, document, sim.store, EPOCH + t, request or f"request at {t}")
    return [one.changed for one in found.stored]


def standing(sim: Simulation) -> list[Floor | Pause]:
    return list(sim.store.read_all().directives)


def floors(sim: Simulation) -> dict[str, int]:
    """The standing floors by owner."""
    return {floor.owner: floor.min_capacity for floor in standing(sim) if isinstance(floor, Floor)}


def refusal(event: Any) -> str:
    with pytest.raises(DirectiveRefused) as caught:
        parse_directive(event)
    return str(caught.value)


class TestPrewarm:
    def test_is_a_floor_that_expires(self, sim: Simulation) -> None:
        assert carry_out(sim, PREWARM | {"Reason": "doors open"}) == [True]
        assert standing(sim) == [Floor(f"{CLUSTER}/shop", "morning", 5, EPOCH + 60 * MINUTE, "doors open")]

    def test_counts_from_its_scheduled_time_not_from_its_arrival(self, sim: Simulation) -> None:
        carry_out(sim, PREWARM | {"ScheduledTime": iso(-600)}, t=0)
        (floor,) = standing(sim)
        assert floor.expires_at == EPOCH + 50 * MINUTE

    def test_the_same_owner_replaces_its_floor(self, sim: Simulation) -> None:
        carry_out(sim, PREWARM)
        carry_out(sim, PREWARM | {"MinCapacity": 9}, t=60)
        assert floors(sim) == {"morning": 9}

    def test_another_owner_has_a_floor_of_its_own(self, sim: Simulation) -> None:
        carry_out(sim, PREWARM)
        carry_out(sim, PREWARM | {"Owner": "sale", "MinCapacity": 9}, t=60)
        assert len(standing(sim)) == 2

    def test_a_duration_of_zero_releases_it(self, sim: Simulation) -> None:
        carry_out(sim, PREWARM)
        carry_out(sim, PREWARM | {"DurationMinutes": 0}, t=60)
        (floor,) = standing(sim)
        assert floor.expires_at == EPOCH + 60

    def test_it_can_be_released_after_max_capacity_was_lowered_below_it(self, sim: Simulation) -> None:
        assert carry_out(sim, PREWARM | {"MinCapacity": 500, "DurationMinutes": 0}) == [True]

    def test_a_delivery_that_is_repeated_changes_nothing(self, sim: Simulation) -> None:
        carry_out(sim, PREWARM, t=0, request="one")
        before = standing(sim)
        assert carry_out(sim, PREWARM, t=60, request="one") == [False]
        assert standing(sim) == before

    def test_an_older_one_that_arrives_late_does_not_replace_a_newer(self, sim: Simulation) -> None:
        carry_out(sim, PREWARM | {"MinCapacity": 9}, t=60)
        assert carry_out(sim, PREWARM | {"ScheduledTime": iso(30)}, t=120) == [False]
        assert floors(sim) == {"morning": 9}

    def test_a_scheduled_time_ahead_is_refused(self, sim: Simulation) -> None:
        """Stored, it would be newer than all that is asked for until then."""
        with pytest.raises(DirectiveRefused, match="ScheduledTime"):
            carry_out(sim, PREWARM | {"ScheduledTime": "2999-01-01T08:30:00Z"})
        assert standing(sim) == []

    def test_above_max_capacity_it_is_refused_and_nothing_is_stored(self, sim: Simulation) -> None:
        with pytest.raises(DirectiveRefused, match="MaxCapacity of shops/shop, which is 100"):
            carry_out(sim, PREWARM | {"MinCapacity": 101})
        assert sim.store.times("put_directive") == []


class TestPauseAndResume:
    def test_a_pause_stops_both_directions_until_it_is_resumed(self, sim: Simulation) -> None:
        carry_out(sim, {"Directive": "pause", **NAMES})
        key = f"{CLUSTER}/shop"
        assert standing(sim) == [Pause(key, "ScaleOut", inf), Pause(key, "ScaleIn", inf)]
        carry_out(sim, {"Directive": "resume", **NAMES}, t=60)
        assert {pause.expires_at for pause in standing(sim)} == {EPOCH + 60}

    def test_a_pause_of_one_direction_may_end_by_itself(self, sim: Simulation) -> None:
        carry_out(sim, {"Directive": "pause", **NAMES, "Direction": "ScaleIn", "DurationMinutes": 30})
        assert standing(sim) == [Pause(f"{CLUSTER}/shop", "ScaleIn", EPOCH + 30 * MINUTE)]

    def test_resuming_one_direction_leaves_the_other_paused(self, sim: Simulation) -> None:
        carry_out(sim, {"Directive": "pause", **NAMES})
        carry_out(sim, {"Directive": "resume", **NAMES, "Direction": "ScaleOut"}, t=60)
        pauses = [pause for pause in standing(sim) if isinstance(pause, Pause)]
        assert {pause.direction: pause.expires_at for pause in pauses} == {"ScaleOut": EPOCH + 60, "ScaleIn": inf}

    def test_half_of_it_stored_a_retry_stores_the_rest(self, sim: Simulation) -> None:
        pause = {"Directive": "pause", **NAMES}
        carry_out(sim, pause | {"Direction": "ScaleOut"}, request="one")
        assert carry_out(sim, pause, t=60, request="one") == [False, True]


class TestRefusals:
    @pytest.mark.parametrize("directive", [None, "", "scale", 5, ["prewarm"]])
    def test_an_unknown_directive_says_which_there_are(self, directive: object) -> None:
        assert "must be one of prewarm, pause, resume, observe" in refusal({"Directive": directive})

    @pytest.mark.parametrize("event", [{}, [], "prewarm", None, 7])
    def test_what_is_no_directive_at_all_is_refused_in_the_same_words(self, event: object) -> None:
        assert "Directive = (missing)" in refusal(event)

    def test_every_problem_is_told_at_once(self) -> None:
        told = refusal(
            {"Directive": "prewarm", "Cluster": "arn:aws:ecs:x", "MinCapacity": "five", "DurationMinutes": -1, "Min": 2}
        )
        for key in ("Cluster", "Service", "Owner", "MinCapacity", "DurationMinutes", "Min ="):
            assert key in told, key

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("MinCapacity", 0),
            ("MinCapacity", 2.5),
            ("MinCapacity", True),
            ("DurationMinutes", 10**6),
            ("Owner", "a b"),
            ("Owner", ""),
            ("ScheduledTime", "2026-01-05T08:30:00"),
            ("ScheduledTime", "<aws.scheduler.scheduled-time>"),
            ("Reason", "x" * 300),
        ],
    )
    def test_a_value_out_of_range_is_named(self, key: str, value: object) -> None:
        assert f"{key} = " in refusal(PREWARM | {key: value})

    @pytest.mark.parametrize(
        ("changed", "line"),
        [
            ({"MinCapacity": "5"}, "MinCapacity = '5': must be a whole number from 1 to 5000"),
            ({"Owner": None}, "Owner = (missing): must be 1 to 64 letters, digits, dots, hyphens or underscores"),
            (
                {"Service": "a/b"},
                "Service = 'a/b': must be 1 to 255 letters, digits, hyphens or underscores: the name,",
            ),
            ({"Zone": 1}, "Zone = 1: no such key; allowed here: Cluster, Service, Reason, ScheduledTime, Directive"),
            (
                {"ScheduledTime": "2026-11-21 09:00"},
                "ScheduledTime = '2026-11-21 09:00': must be a time in ISO 8601 with its zone, such as 2026-11-21",
            ),
        ],
    )
    def test_what_is_allowed_is_said_in_the_words_of_the_policy_document(
        self, changed: dict[str, Any], line: str
    ) -> None:
        (told,) = refusal(PREWARM | changed).splitlines()
        assert told.startswith(f"event: {line}")

    def test_a_misspelt_key_is_one_problem_and_the_right_one_is_named(self) -> None:
        event = {**PREWARM, "durationMinutes": 60}
        del event["DurationMinutes"]
        assert refusal(event) == "event: durationMinutes = 60: no such key; did you mean DurationMinutes?"
        assert refusal({"directive": "observe"}) == "event: directive = 'observe': no such key; did you mean Directive?"

    def test_a_key_that_is_missing_is_told_with_what_it_may_be(self) -> None:
        told = refusal({"Directive": "pause", "Cluster": CLUSTER, "Direction": "Down"}).splitlines()
        assert told[0].startswith("event: Service = (missing): is required: 1 to 255 letters, digits")
        assert told[1] == "event: Direction = 'Down': must be one of ScaleOut, ScaleIn, Both"

    @pytest.mark.parametrize("looks", [0, 61, "3", True])
    def test_an_observation_has_from_one_to_sixty_looks(self, looks: object) -> None:
        assert "Looks = " in refusal({"Directive": "observe", "Looks": looks})

    def test_an_unknown_service_is_refused_and_the_known_ones_are_named(self, sim: Simulation) -> None:
        with pytest.raises(
            DirectiveRefused, match=r"shops/nobody.*must be a service of the policy document: shops/shop"
        ):
            carry_out(sim, PREWARM | {"Service": "nobody"})
        assert sim.store.times("put_directive") == []
