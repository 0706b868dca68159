"""A thread with a large stack that runs what it is handed, one thing at a time.

JavaScript recurses on the machine's stack. The real server gives its processes 64 MB; a thread made here has as much,
whatever the caller's thread has, and being the only one that enters a QuickJS world it needs no further lock.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

STACK_SIZE = 64 * 1024 * 1024

_T = TypeVar("_T")


class Task(Generic[_T]):
    """One piece of work on its way through the thread."""

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[], _T]) -> None:
        self.work = work
        self.done = threading.Lock()
        self.done.acquire()
        self.error: BaseException | None = None
        self.result: _T | None = None

    def carry_out(self) -> None:
        try:
            self.result = self.work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, wait() raises it in the caller's thread
            self.error = error
        finally:
            del self.work
            self.done.release()

    def wait(self) -> _T:
        self.done.acquire()
        self.done.release()
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # the work's own result, None included


class OwnerThread:
    """Starts with its first errand and ends with ``close``, or when nobody holds it any more."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._errands: SimpleQueue[Task[object] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._finish = weakref.finalize(self, self._errands.put, None)
        self._closed = False

    def submit(self, work: Callable[[], _T]) -> Callable[[], _T]:
        """Hand over ``work``; the result is a function that waits for it and gives what it gave, or raises."""
        if self._thread is None or self._closed:
            self._start()
        errand = Task(work)
        self._errands.put(errand)  # type: ignore[arg-type]
        return errand.wait

    def run(self, work: Callable[[], _T]) -> _T:
        """``work``'s result, from the thread."""
        return self.submit(work)()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._finish()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("the JavaScript engine is closed")
            if self._thread is None:
                thread = threading.Thread(target=_work_through, args=(self._errands,), name=self._name, daemon=True)
                previous = threading.stack_size(STACK_SIZE)
                try:
                    thread.start()
                finally:
                    threading.stack_size(previous)
                self._thread = thread


def _work_through(errands: SimpleQueue[Task[object] | None]) -> None:
    while True:
        errand = errands.get()
        if errand is None:
            return
        errand.carry_out()
        del errand
