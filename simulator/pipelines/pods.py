"""What Kubernetes and Knative would see of the same tasks, and what a poller would."""

from simulator.world import World

STABLE_WINDOW, PANIC_WINDOW = 60, 6  # Seconds. Knative: stable-window 60 s, panic-window-percentage 10.


class PodCpu:
    """CPU of each pod as metrics-server has it, in percent of what one can do.

    A pod's figure is its use between two scrapes, so a pod that was scraped once has none yet (metrics-server, FAQ:
    "How CPU usage is calculated").
    """

    def __init__(self, world: World) -> None:
        self._world, self._settings = world, world.settings
        self._finished: dict[int, float] = {}
        self._values: dict[int, float] = {}
        self._shown: dict[int, float] = {}
        self._shown_from = 0.0
        interval, phase = int(self._settings.pod_scrape), self._settings.pod_phase
        if phase is None:
            phase = interval * float(world.draws.uniform("scrapes", 0))
        world.every(interval, self._scrape, int(phase))

    def values(self, now: float) -> list[float]:
        """The figures of the pods that are ready and have one."""
        values = self._values if now >= self._shown_from else self._shown
        return [values[task.number] for task in self._world.fleet.serving if task.number in values]

    def _scrape(self, now: int) -> None:
        before, self._finished = self._finished, self._world.service.finished()
        whole = self._settings.task_capacity * self._settings.pod_scrape / 100.0
        self._shown, self._shown_from = self._values, now + self._settings.pod_delay
        self._values = {
            number: max(0.0, done - before[number]) / whole
            for number, done in self._finished.items()
            if number in before
        }


class PodRequests:
    """Requests/s of the whole service, as Knative's autoscaler has it from the queue proxies, in buckets of 1 s."""

    def __init__(self, world: World) -> None:
        self._world = world

    def stable_mean(self, now: float) -> float:
        """Mean of the last 60 s."""
        return self._mean(now, STABLE_WINDOW)

    def panic_mean(self, now: float) -> float:
        """Mean of the last 6 s."""
        return self._mean(now, PANIC_WINDOW)

    def _mean(self, now: float, window: int) -> float:
        end = int(now - self._world.settings.knative_delay)
        buckets = self._world.load[max(0, end - window) : max(0, end)]
        return sum(buckets) / len(buckets) if buckets else 0.0
