"""Random histories: whatever happens, in whatever order, the laws hold.

One ending; nothing decoded that was not answered; what the job believes to run is what runs; nothing is cancelled that
is idle; nothing runs after the end; the same history again says the same; and if all that runs answers, the job ends.
"""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from anyk.job import Job, State, deadline, everyone, first_threshold, until
from anyk.job.messages import (
    Cancel,
    Compute,
    Decode,
    Decoded,
    GiveUp,
    Joined,
    Left,
    Lost,
    Result,
    Suspected,
    WakeAt,
    Woke,
)
from anyk.job.table import ENDED
from tests.job.toys import AnyOf, OneOfEachPair

RULES = [
    first_threshold(),
    first_threshold(extra=2),
    until(0.4),
    until(1e-9),
    until(1e-9),
    deadline(0.5),
    deadline(3.0),
    everyone,
]
#: An answer is stamped where it arises, and may be heard a little later.
LAG = st.sampled_from([0.0, 0.05])
ERRORS = [None, 0.0, 1e-12, 0.1]

#: A job, any job.
JOBS = {
    "tasks": st.integers(1, 8),
    "workers": st.integers(1, 8),
    "threshold": st.integers(1, 8),
    "replicated": st.booleans(),
    "stop": st.sampled_from(RULES),
    "retries": st.integers(0, 3),
    "timeout": st.sampled_from([None, None, 2.0]),
    "at": st.sampled_from([0.0, 1e9]),
}


class Histories(RuleBasedStateMachine):
    @initialize(**JOBS)
    def begin(self, tasks, workers, threshold, replicated, stop, retries, timeout, at):
        threshold = min(threshold, tasks + 1)
        pairs = (tasks + 1) // 2
        code = OneOfEachPair(pairs) if replicated else AnyOf(threshold)
        self.make = lambda: Job(
            tasks,
            workers,
            threshold=tasks if replicated else threshold,
            decodability=code,
            stop=stop,
            retries=retries,
            timeout=timeout,
        )
        self.job, self.now, self.began, self.timeout = self.make(), at, at, timeout
        self.tasks, self.workers = tasks, workers
        self.running, self.sent, self.answered = {}, set(), set()
        self.versions, self.formed, self.doubted, self.repeats = Counter(), None, None, False
        self.alive, self.alarms = set(range(workers)), set()
        self.decoding, self.end = None, None
        self.perform(self.job.start(at))

    @precondition(lambda self: self.end is not None)
    @rule(**JOBS)
    def begin_again(self, **job):
        """One history may hold several lives."""
        self.teardown()
        self.begin(**job)

    # --- the world: it obeys, and objects to what makes no sense ------------------------------------------------

    def tell(self, event):
        self.perform(self.job.handle(event))

    def perform(self, said):
        for instruction in said:
            match instruction:
                case Compute(task, worker, attempt):
                    assert worker in self.alive, "work for a worker that is gone"
                    assert (task, attempt) not in self.sent, "the same attempt twice"
                    self.sent.add((task, attempt))
                    self.running[task, attempt] = worker
                case Cancel(task, worker, attempt):
                    assert self.running.pop((task, attempt)) == worker
                case Decode(tasks):
                    assert set(tasks) <= self.answered, "decodes what it lacks"
                    assert self.decoding is None
                    self.decoding = tasks
                    formed = {task: self.versions[task] for task in tasks}
                    assert formed != self.doubted, "decodes again what is known to be wrong"
                    self.repeats, self.formed = formed == self.formed, formed
                case WakeAt(at):
                    assert at not in self.alarms, "the same alarm twice"
                    self.alarms.add(at)
                case GiveUp(reason):
                    assert reason.startswith("no product, for ")
                    assert self.job.state is State.FAILED
        if self.end is not None:
            assert not said, "something is said after the end"
            assert self.end == (self.job.state, self.job.reason, self.job.used)
        elif self.job.state in ENDED:
            self.end = self.job.state, self.job.reason, self.job.used

    def one_running(self, data):
        return data.draw(st.sampled_from(sorted(self.running)))

    @precondition(lambda self: self.end is None)
    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def answer(self, data):
        task, attempt = self.one_running(data)
        del self.running[task, attempt]
        self.answered.add(task)
        self.versions[task] += 1
        self.tell(Result(task, attempt, self.now - data.draw(LAG)))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def lose(self, data):
        task, attempt = self.one_running(data)
        del self.running[task, attempt]
        self.tell(Lost(task, attempt, self.now - data.draw(LAG), "lost"))

    @precondition(lambda self: self.end is None and len(self.alive) > 1)
    @rule(data=st.data())
    def leave(self, data):
        worker = data.draw(st.sampled_from(sorted(self.alive)))
        self.running = {key: place for key, place in self.running.items() if place != worker}
        self.alive.discard(worker)
        self.tell(Left(worker, self.now))

    @precondition(lambda self: self.end is None)
    @rule(data=st.data())
    def join(self, data):
        worker = data.draw(st.integers(0, self.workers - 1))
        self.alive.add(worker)
        self.tell(Joined(worker, self.now))

    @rule(data=st.data(), lost=st.booleans())
    def stray(self, data, lost):
        """The answer or loss of an attempt that does not run: a duplicate, a late one, one never sent."""
        task, attempt = data.draw(st.integers(-1, self.tasks + 1)), data.draw(st.integers(-1, 3))
        if (task, attempt) not in self.running:
            before = self.job.received, self.job.pending
            self.tell(Lost(task, attempt, self.now, "stray") if lost else Result(task, attempt, self.now))
            assert (self.job.received, self.job.pending) == before

    @rule(error=st.sampled_from(ERRORS))
    def decoded(self, error):
        """Also when nothing is being decoded."""
        self.decoding, repeats = None, self.decoding and self.repeats
        self.tell(Decoded(self.now, error))
        assert not repeats or self.end, "decoded the same answers twice, and went on"

    @rule(data=st.data())
    def suspected(self, data):
        """Some of the answers in hand, none by name, or answers that are not there."""
        tasks = data.draw(st.lists(st.integers(0, self.tasks), max_size=3, unique=True))
        held = set(tasks) & set(self.job.received)
        if self.decoding is not None:
            self.formed, self.doubted = (None, None) if held else (self.formed, self.formed)
        self.decoding = None
        self.answered -= set(tasks) if self.end is None else set()
        self.tell(Suspected(tuple(tasks), self.now))

    @precondition(lambda self: self.alarms)
    @rule(data=st.data())
    def wake(self, data):
        at = data.draw(st.sampled_from(sorted(self.alarms)))
        self.now = max(self.now, at)
        self.tell(Woke(self.now))
        assert self.job.state is not State.COLLECTING or not self.timeout or self.now < self.began + self.timeout

    # --- the laws -----------------------------------------------------------------------------------------------

    @invariant()
    def the_job_is_sound(self):
        self.job.check()

    @invariant()
    def what_runs_is_what_is_pending(self):
        assert {task for task, _ in self.running} == self.job.pending
        assert set(self.job.received) <= self.answered

    @invariant()
    def a_decoding_is_awaited_exactly_while_decoding(self):
        assert (self.job.state is State.DECODING) == (self.decoding is not None)

    @invariant()
    def a_timeout_has_its_alarm(self):
        if self.timeout and self.job.state is State.COLLECTING:
            assert self.began + self.timeout in self.alarms

    def teardown(self):
        if hasattr(self, "job"):
            self.the_same_history_says_the_same()
            self.if_all_that_runs_answers_the_job_ends()

    def the_same_history_says_the_same(self):
        again = self.make()
        for step in self.job.story():
            assert tuple(again.handle(step.event)) == step.instructions
        assert again.reason == self.job.reason

    def if_all_that_runs_answers_the_job_ends(self):
        for _ in range(100):
            if self.job.state in ENDED:
                break
            if self.decoding is not None:
                self.decoding = None
                self.tell(Decoded(self.now, ERRORS[len(self.job.story()) % len(ERRORS)]))
                continue
            task, attempt = min(self.running)
            del self.running[task, attempt]
            self.answered.add(task)
            self.tell(Result(task, attempt, self.now))
        assert self.job.state in ENDED
        assert not self.running


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=500, stateful_step_count=30, deadline=None)
