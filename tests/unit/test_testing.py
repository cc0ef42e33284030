"""What other programs may import to test with."""

from visionquery import Library
from visionquery.models.catalog import resolve
from visionquery.models.encoder import load_encoder
from visionquery.testing import STORE_CHECKS, MemoryStore, make_tiny_model


def test_a_library_in_memory_finds_colours(tmp_path, pictures):
    encoder = load_encoder(resolve(str(make_tiny_model(tmp_path / "model"))))
    with Library(MemoryStore(encoder.identity), lambda _: encoder) as library:
        assert library.add(pictures).added == 12
        best = library.search("a blue picture", limit=2, min_confidence=0)
    assert {hit.path.rpartition("/")[2] for hit in best} == {"blue.png", "blue.jpg"}


def test_there_are_checks_for_stores():
    assert len(STORE_CHECKS) >= 20
    assert len({check.__name__ for check in STORE_CHECKS}) == len(STORE_CHECKS)
