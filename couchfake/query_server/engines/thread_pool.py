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
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from couchfake.transports.monotonic import real_monotonic

STACK_SIZE = 64 * 1024 * 1024
POOL_SIZE = 8  # threads of one pool; they start when they are needed
UNWATCHED = 0.05  # seconds of waiting after which a task's processor time is counted
IDLE_TIME = 0.02  # seconds without work after which a thread prepares for later work

_T = TypeVar("_T")


class Overdue(Exception):
    """A task used more time than it may."""


class Withdrawn(Exception):
    """The task was taken back before it started."""


class PoolClosed(Exception):
    """The task was still waiting for a thread when the pool was closed."""


class _Worker:
    """One thread, its clock, and the pool's state."""

    def __init__(self, state: _State) -> None:
        self.state = state
        self.thread: threading.Thread | None = None
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

    __slots__ = ("_error", "_result", "_strand", "_work", "_worker", "abandoned", "done", "finished")

    def __init__(self, strand: Strand, work: Callable[[], _T]) -> None:
        self._strand = strand
        self._work: Callable[[], _T] | None = work
        self._error: BaseException | None = None
        self._result: _T | None = None
        self._worker: _Worker | None = None
        self.done = threading.Lock()
        self.done.acquire()
        self.abandoned = False
        self.finished = False

    def run(self, worker: _Worker) -> None:
        """Do the work. The strand releases ``done`` afterwards."""
        work = self._work
        assert work is not None
        self._worker = worker
        try:
            self._result = work()
        except BaseException as error:  # noqa: BLE001 - wait() raises it in the caller's thread
            self._error = error
        finally:
            self._work = None

    def cancel(self) -> None:
        """End a task that has not started: ``wait`` raises PoolClosed."""
        self._error = PoolClosed()
        self._work = None
        self.done.release()

    def wait(self, limit: float, give_up: Callable[[], None] | None = None, busy_timeout: float | None = None) -> _T:
        """Return the result. Raise Overdue once the task has used ``limit`` seconds of its thread's processor time.

        The time that it waits for a thread, or its thread for a processor, does not count. An overdue task is
        abandoned: its thread serves nobody else any more and ends with it. ``give_up`` is called before the next task
        of the strand starts on another thread. If the task waits behind another one of its strand for ``busy_timeout``
        seconds, it is taken back and Withdrawn raised.
        """
        first = UNWATCHED if busy_timeout is None else busy_timeout
        if not self.done.acquire(timeout=first):
            if busy_timeout is not None and self._strand.withdraw(self):  # type: ignore[arg-type]  # nobody there looks at results
                raise Withdrawn
            self._watch(limit, give_up)
        self.done.release()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # the work's own result, None included

    def _watch(self, limit: float, give_up: Callable[[], None] | None) -> None:
        """Wait for ``done``, looking at the thread's clock from now on: a short task never reads it."""
        start: float | None = None
        timeout = UNWATCHED
        while True:
            worker = self._worker
            if worker is not None and start is None:
                start = worker.clock()
                timeout = limit
            elif worker is not None and start is not None:
                left = limit - (worker.clock() - start)
                if left <= 0 and self._strand.abandon(self, give_up):  # type: ignore[arg-type]  # nobody there looks at results
                    raise Overdue
                timeout = max(left, 0.002)
            if self.done.acquire(timeout=timeout):
                return

    def yield_processor(self) -> None:
        """Give the thread that runs an abandoned task the lowest priority, where threads have one of their own."""
        worker = self._worker
        if sys.platform == "linux" and worker is not None and worker.thread is not None and worker.thread.native_id:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, worker.thread.native_id, 19)


class Strand:
    """Tasks that run one after the other, in the order of their submission, on any thread of the pool.

    A strand belongs to the process that made it: after a fork the child makes strands of its own.
    """

    __slots__ = ("_lock", "_pool", "_running", "_started", "_tasks")

    def __init__(self, pool: ThreadPool) -> None:
        pool.check_process()
        self._pool = pool
        self._lock = threading.Lock()
        self._tasks: deque[Task[object]] = deque()
        self._running = False  # a task runs, or the strand waits for a thread
        self._started = False  # a task runs

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
        """Run what is queued. Return False if the worker's task was abandoned meanwhile.

        Releasing ``done`` wakes the thread that waits for the task. It is the last step, so that the interpreter is
        free by then.
        """
        with self._lock:
            task = self._next()
        if task is None:
            worker.state.add_free_thread()
        while task is not None:
            task.run(worker)
            with self._lock:
                task.finished = True
                if task.abandoned:
                    return False
                following = self._next()
            if following is None:
                worker.state.add_free_thread()
            task.done.release()
            task = following
        return True

    def _next(self) -> Task[object] | None:
        """Take the next task, which is about to run, from the queue. The lock must be held."""
        task = self._tasks.popleft() if self._tasks else None
        self._running = self._started = task is not None
        return task

    def cancel(self) -> None:
        """End the tasks that have not started."""
        with self._lock:
            tasks, self._tasks, self._running = self._tasks, deque(), False
        for task in tasks:
            task.cancel()

    def withdraw(self, task: Task[object]) -> bool:
        """Take back a task that has not started while another one runs; return False otherwise."""
        with self._lock:
            if not self._started or task not in self._tasks:
                return False
            self._tasks.remove(task)
            return True

    def abandon(self, task: Task[object], give_up: Callable[[], None] | None) -> bool:
        """Go on without a task that does not end. Return False if it has ended after all."""
        with self._lock:
            if task.finished:
                return False
            task.abandoned = True
            if give_up is not None:
                give_up()
            self._started = False
            self._running = more = bool(self._tasks)
        task.yield_processor()
        self._pool.replace_thread()
        if more:
            self._pool.start(self)
        return True


class _State:
    """What a pool and its threads share; the threads do not hold the pool itself, so that it can be collected."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.lock = threading.Lock()
        self.queue: SimpleQueue[Strand | None] = SimpleQueue()
        self.workers: set[_Worker] = set()
        self.count = 0  # threads that serve, or start
        self.free = 0  # threads that wait for a strand, less the strands that wait for a thread

    def add_free_thread(self) -> None:
        with self.lock:
            self.free += 1

    def stop(self) -> None:
        """End each thread after its present task, and the strands that wait for one at once."""
        while not self.queue.empty():
            strand = self.queue.get()
            if strand is not None:
                strand.cancel()
        for _ in range(len(self.workers)):
            self.queue.put(None)


class ThreadPool:
    """Threads that start on demand.

    After ``close`` the pool starts again with the next task; so it does in a child process after a fork, where the
    threads of the parent do not exist. ``prepare`` runs on a thread that has found nothing to do for IDLE_TIME seconds,
    and on one that ends.
    """

    def __init__(self, name: str, size: int = POOL_SIZE, prepare: Callable[[], None] | None = None) -> None:
        self._name = name
        self._size = size
        self._prepare = prepare
        self._renew()

    def _renew(self) -> None:
        self._state = _State()
        self._finish = weakref.finalize(self, self._state.stop)

    def running(self) -> int:
        """Return the number of threads that run a task."""
        state = self._state
        return state.count - max(state.free, 0)

    def check_process(self) -> None:
        """Start again with no threads if this is a child process of the one that made them."""
        if self._state.process != os.getpid():
            self._finish.detach()
            self._renew()

    def start(self, strand: Strand) -> None:
        """Run a strand's tasks on the next thread that is free."""
        state = self._state
        with state.lock:
            state.free -= 1
            more = self._wants_thread(state)
        state.queue.put(strand)
        if more:
            self._start_thread(state)

    def replace_thread(self) -> None:
        """Let another thread start in place of one that was abandoned."""
        state = self._state
        with state.lock:
            state.count -= 1
            more = self._wants_thread(state)
        if more:
            self._start_thread(state)

    def close(self) -> None:
        """End the threads: those that are free at once, the others with the task that they run."""
        state = self._state
        busy = self.running()
        self._finish()
        self._renew()
        if state.process != os.getpid() or busy:
            return
        for worker in list(state.workers):
            if worker.thread is not threading.current_thread() and worker.thread is not None:
                worker.thread.join(timeout=1)

    def _wants_thread(self, state: _State) -> bool:
        """Count one more thread if strands wait for one and the pool may grow."""
        if state.free >= 0 or state.count >= self._size:
            return False
        state.count += 1
        return True

    def _start_thread(self, state: _State) -> None:
        worker = _Worker(state)
        worker.thread = threading.Thread(target=_work, args=(worker, self._prepare), name=self._name, daemon=True)
        previous = threading.stack_size(STACK_SIZE)
        try:
            state.workers.add(worker)
            worker.thread.start()
        finally:
            threading.stack_size(previous)


def _work(worker: _Worker, prepare: Callable[[], None] | None) -> None:
    state = worker.state
    worker.enter()
    state.add_free_thread()
    while True:
        strand = _next_strand(state, prepare)
        if strand is None:
            if prepare is not None:
                prepare()
            break
        if not strand.run(worker):
            break
        del strand
    with state.lock:
        state.workers.discard(worker)


def _next_strand(state: _State, prepare: Callable[[], None] | None) -> Strand | None:
    if prepare is not None:
        try:
            return state.queue.get(timeout=IDLE_TIME)
        except Empty:
            prepare()
    return state.queue.get()
