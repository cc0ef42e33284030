"""Threads that compute: what is urgent, what is cancelled, and room in bytes."""

import threading

import pytest

from visionquery.indexing.workers import Room, Workers


def test_what_is_urgent_goes_first():
    done, gate = [], threading.Event()
    with Workers(1) as workers:
        futures = [workers.submit(gate.wait)]
        futures += [workers.submit(lambda n=n: done.append(n)) for n in (1, 2)]
        futures += [workers.submit(lambda n=n: done.append(n), urgent=True) for n in (3, 4)]
        gate.set()
        for future in futures:
            future.result(5)
    assert done == [3, 4, 1, 2]


def test_what_is_not_begun_is_cancelled_on_leaving():
    gate, begun = threading.Event(), threading.Event()
    with Workers(1) as workers:
        first = workers.submit(lambda: (begun.set(), gate.wait(5)))
        second = workers.submit(lambda: None)
        begun.wait(5)
        threading.Timer(0.05, gate.set).start()
    assert first.done()
    assert second.cancelled()


def test_an_error_is_the_askers():
    def fail() -> None:
        raise ValueError("no")

    with Workers(1) as workers, pytest.raises(ValueError, match="no"):
        workers.submit(fail).result(5)


def test_a_thread_without_a_task_starves():
    gate = threading.Event()
    with Workers(1) as workers:
        workers.submit(lambda: None).result(5)
        for _ in range(500):
            if workers.starve:
                break
            gate.wait(0.01)
        assert workers.starve
        workers.submit(lambda: gate.wait(5))
        assert not workers.starve
        gate.set()


def test_room_is_for_so_many_bytes():
    room = Room(10)
    assert room.take(6)
    assert not room.take(5)
    assert room.take(4)
    room.give(10)
    assert room.take(50), "what is larger than all of it goes alone"
    assert not room.take(1)


def test_a_claim_waits_for_room():
    room, held, most = Room(10), [], []
    with Workers(4) as workers:

        def work() -> None:
            with room.claiming() as claim:
                claim(4)
                held.append(4)
                most.append(sum(held))
                threading.Event().wait(0.01)
                held.pop()

        for future in [workers.submit(work) for _ in range(12)]:
            future.result(5)
    assert max(most) <= 8
    assert room.taken == 0


def test_a_claim_that_was_not_made_gives_nothing_back():
    room = Room(10)
    with room.claiming():
        pass
    assert room.taken == 0
