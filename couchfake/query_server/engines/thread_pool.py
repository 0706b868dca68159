"""A small pool of threads with large stacks, on which scripts run.

JavaScript recurses on the machine's stack: the real server gives its processes 64 MB, and so has each thread here,
whatever the caller's thread has. ``concurrent.futures`` does not fit: its threads have the default stack, it joins them
when the interpreter exits, and it cannot replace a thread that runs a native call which does not end.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from couchfake.transports.monotonic import real_monotonic

STACK_SIZE = 64 * 1024 * 1024
POOL_SIZE = 8  # threads of one pool; they start when they are needed

_T = TypeVar("_T")


class Overdue(Exception):
    """A task used more time than it may."""


class PoolClosed(Exception):
    """The task was still waiting for a thread when the pool was closed."""


class _Worker:
    """One thread: its clock, and whether it runs a task."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.busy = False
        self._clock_id: int | None = None

    def enter(self) -> None:
        """Find the clock of the current thread, where the platform has one for each thread."""
        if hasattr(time, "pthread_getcpuclockid"):
            self._clock_id = time.pthread_getcpuclockid(threading.get_ident())

    def clock(self) -> float:
        """Return the seconds of processor time that the thread has used; wall time where that cannot be read."""
        if self._clock_id is None:
            return real_monotonic()
        return time.clock_gettime(self._clock_id)


class Task(Generic[_T]):
    """One piece of work. ``wait`` returns its result or raises its error."""

    __slots__ = ("_done", "_error", "_result", "_start", "_strand", "_work", "_worker", "abandoned", "finished")

    def __init__(self, strand: Strand, work: Callable[[], _T]) -> None:
        self._strand = strand
        self._work: Callable[[], _T] | None = work
        self._done = threading.Lock()
        self._done.acquire()
        self._error: BaseException | None = None
        self._result: _T | None = None
        self._worker: _Worker | None = None
        self._start = 0.0
        self.abandoned = False
        self.finished = False

    def run(self, worker: _Worker) -> None:
        work = self._work
        assert work is not None
        self._start = worker.clock()
        self._worker = worker
        try:
            self._result = work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, wait() raises it in the caller's thread
            self._error = error
        finally:
            self._work = None
            self._done.release()

    def cancel(self) -> None:
        """End a task that has not started: ``wait`` raises PoolClosed."""
        self._error = PoolClosed()
        self._work = None
        self._done.release()

    def wait(self, limit: float, give_up: Callable[[], None] | None = None) -> _T:
        """Return the result. Raise Overdue once the task has used ``limit`` seconds of its thread's processor time.

        The time that it waits for a thread, or its thread for a processor, does not count. An overdue task is
        abandoned: its thread serves nobody else any more and ends with it. ``give_up`` is called before the next task
        of the strand starts on another thread.
        """
        timeout = limit
        while not self._done.acquire(timeout=timeout):
            left = limit - self._used()
            if left <= 0 and self._strand.abandon(self, give_up):  # type: ignore[arg-type]  # nobody there looks at results
                raise Overdue
            timeout = max(left, 0.002)
        self._done.release()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # the work's own result, None included

    def yield_processor(self) -> None:
        """Give the thread that runs an abandoned task the lowest priority, where threads have one of their own."""
        worker = self._worker
        if sys.platform == "linux" and worker is not None and worker.thread is not None and worker.thread.native_id:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, worker.thread.native_id, 19)

    def _used(self) -> float:
        return 0.0 if self._worker is None else self._worker.clock() - self._start


class Strand:
    """Tasks that run one after the other, in the order of their submission, on any thread of the pool."""

    def __init__(self, pool: ThreadPool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._tasks: deque[Task[object]] = deque()
        self._running = False

    @property
    def idle(self) -> bool:
        """Whether no task runs or waits."""
        return not self._running

    def submit(self, work: Callable[[], _T]) -> Task[_T]:
        """Queue ``work``. Any thread may call this."""
        task = Task(self, work)
        with self._lock:
            self._tasks.append(task)  # type: ignore[arg-type]  # nobody here looks at results
            if self._running:
                return task
            self._running = True
        self._pool.start(self)
        return task

    def run(self, worker: _Worker) -> bool:
        """Run what is queued. Return False if the worker's task was abandoned meanwhile."""
        while True:
            with self._lock:
                if not self._tasks:
                    self._running = False
                    return True
                task = self._tasks.popleft()
            task.run(worker)
            with self._lock:
                task.finished = True
                if task.abandoned:
                    return False

    def cancel(self) -> None:
        """End the tasks that have not started."""
        with self._lock:
            tasks, self._tasks, self._running = self._tasks, deque(), False
        for task in tasks:
            task.cancel()

    def abandon(self, task: Task[object], give_up: Callable[[], None] | None) -> bool:
        """Go on without a task that does not end; False if it has ended after all."""
        with self._lock:
            if task.finished:
                return False
            task.abandoned = True
            if give_up is not None:
                give_up()
            self._running = bool(self._tasks)
        task.yield_processor()
        self._pool.replace_thread()
        if self._running:
            self._pool.start(self)
        return True


class _State:
    """What a pool and its threads share; the threads do not hold the pool itself, so that it can be collected."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.lock = threading.Lock()
        self.queue: SimpleQueue[Strand | None] = SimpleQueue()
        self.workers: set[_Worker] = set()
        self.count = self.waiting = self.queued = 0

    def stop(self) -> None:
        """End each thread after its present task, and the strands that wait for one at once."""
        while not self.queue.empty():
            strand = self.queue.get()
            if strand is not None:
                strand.cancel()
        for _ in range(len(self.workers)):
            self.queue.put(None)


class ThreadPool:
    """Threads that start on demand. After ``close`` the pool starts anew with the next task; so it does in a child
    process after a fork, where the threads of the parent do not exist. ``when_idle`` runs on a thread that has
    finished its work and finds nothing else to do."""

    def __init__(self, name: str, size: int = POOL_SIZE, when_idle: Callable[[], None] | None = None) -> None:
        self._name = name
        self._size = size
        self._when_idle = when_idle
        self._renew()

    def _renew(self) -> None:
        self._state = _State()
        self._finish = weakref.finalize(self, self._state.stop)

    def running(self) -> int:
        """Return the number of threads that run a task."""
        return sum(worker.busy for worker in list(self._state.workers))

    def start(self, strand: Strand) -> None:
        """Run a strand's tasks on the next thread that is free."""
        if self._state.process != os.getpid():
            self._finish.detach()
            self._renew()
        state = self._state
        with state.lock:
            state.queued += 1
            more = state.queued > state.waiting and state.count < self._size
            if more:
                state.count += 1
        state.queue.put(strand)
        if more:
            self._start_thread(state)

    def replace_thread(self) -> None:
        """Let another thread start in place of one that was abandoned."""
        with self._state.lock:
            self._state.count -= 1
            more = self._state.queued > self._state.waiting
            if more:
                self._state.count += 1
        if more:
            self._start_thread(self._state)

    def close(self) -> None:
        """End the threads: those that are free at once, the others with the task that they run."""
        state = self._state
        self._finish()
        self._renew()
        if state.process != os.getpid():
            return
        for worker in list(state.workers):
            if not worker.busy and worker.thread is not threading.current_thread() and worker.thread is not None:
                worker.thread.join(timeout=1)

    def _start_thread(self, state: _State) -> None:
        worker = _Worker()
        worker.thread = threading.Thread(
            target=_work, args=(state, worker, self._when_idle), name=self._name, daemon=True
        )
        previous = threading.stack_size(STACK_SIZE)
        try:
            state.workers.add(worker)
            worker.thread.start()
        finally:
            threading.stack_size(previous)


def _work(state: _State, worker: _Worker, when_idle: Callable[[], None] | None) -> None:
    worker.enter()
    kept = True
    while kept:
        if when_idle is not None and state.queue.empty():
            when_idle()
        with state.lock:
            state.waiting += 1
        strand = state.queue.get()
        worker.busy = strand is not None
        with state.lock:
            state.waiting -= 1
            state.queued -= strand is not None
        if strand is None:
            break
        kept = strand.run(worker)
        worker.busy = False
        del strand
    with state.lock:
        state.workers.discard(worker)
