"""Every target of fuzzing, for a short while: the same inputs on every run.

`python -m fuzzing` goes on from here for as long as one likes.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.edits import KINDS, edited
from tests.fuzz.seeds import SEEDS, pictures
from tests.fuzz.targets import PROMISED, TARGETS

from visionquery.images.decode import decode
from visionquery.images.formats import FORMATS

_MOST_SECONDS = 20  # for one input; the slowest takes a tenth of a second
_EXAMPLES = {"picture": 250, "metadata": 400, "query": 250, "document": 150, "model": 250}
_EXAMPLES_OF_A_LIBRARY = 40
_MANY = 30

_edits = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 1 << 20), st.binary(max_size=8)), max_size=6
)


@contextmanager
def in_time() -> Iterator[None]:
    """Break off what does not come to an end."""
    if sys.platform == "win32":
        yield
        return
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def _too_long(*_: object) -> None:
    pytest.fail(f"an input took more than {_MOST_SECONDS} seconds")


def check(name: str, times: int) -> None:
    """Run a target on its seeds, then on edited ones."""
    seeds = SEEDS[name]()
    for seed in seeds:
        with in_time():
            TARGETS[name](seed)

    @settings(
        max_examples=_EXAMPLES.get(name, _EXAMPLES_OF_A_LIBRARY) * times,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(seeds), _edits)
    def holds(seed, edits):
        with in_time():
            TARGETS[name](edited(seed, edits))

    holds()


@pytest.mark.parametrize("name", PROMISED)
def test_what_is_promised_holds_for_any_input(name):
    check(name, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROMISED)
def test_what_is_promised_holds_for_many_inputs(name):
    check(name, _MANY)


def test_the_seeds_are_what_they_seem():
    """Fuzzing that starts from what is refused at once would find little."""
    formats = {decode(data).facts.format for data in pictures()}
    # CUR is only read; the two others not every build of the decoders can write.
    assert set(FORMATS) - formats <= {"CUR", "AVIF", "HEIF"}
    assert set(TARGETS) == set(SEEDS)
