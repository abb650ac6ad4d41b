"""A toy code for jobs, and short ways to tell a race."""

from dataclasses import dataclass

from anyk.job import Job, first_threshold


@dataclass(frozen=True)
class AnyOf:
    """Any ``threshold`` answers decode; below that the error falls linearly."""

    threshold: int

    def sufficient(self, tasks):
        return len(tasks) >= self.threshold

    def expected_error(self, tasks):
        return max(0.0, 1.0 - len(tasks) / self.threshold)


@dataclass(frozen=True)
class OneOfEachPair:
    """Replication: tasks 2i and 2i+1 compute the same; one of each pair suffices."""

    pairs: int

    def sufficient(self, tasks):
        return {task // 2 for task in tasks} == set(range(self.pairs))

    def expected_error(self, tasks):
        return 1.0 - len({task // 2 for task in tasks}) / self.pairs


def a_job(tasks=4, workers=4, threshold=3, stop=None, **settings):
    decodability = settings.pop("decodability", AnyOf(threshold))
    stop = first_threshold() if stop is None else stop
    return Job(tasks, workers, threshold=threshold, decodability=decodability, stop=stop, **settings)


def started(*args, at=0.0, **kwargs):
    job = a_job(*args, **kwargs)
    job.start(at)
    return job


def tell(job, *events):
    """Tell these events; the instructions of the last one come back, and every invariant holds throughout."""
    said = []
    for event in events:
        said = job.handle(event)
        job.check()
    return said
