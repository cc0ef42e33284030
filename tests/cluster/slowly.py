"""Index a folder on a cluster with an encoder that takes its time: ON LIBRARY MODEL FOLDER SECONDS.

Prints a line for each written group, and the report as JSON; an error as its class and sentence.
Then may come what is wrong: `absent`, nodes do not have the model; `newer`, this is another
version. ON may be `here:THREADS` too, for no cluster at all.
"""

import json
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import ModelError, VisionQueryError
from visionquery.images.limits import Limits
from visionquery.indexing import connecting
from visionquery.indexing.cluster import on_cluster
from visionquery.indexing.on_node import load_model
from visionquery.indexing.places import add_roots, named_scopes
from visionquery.indexing.report import IndexReport, Progress
from visionquery.indexing.run import index
from visionquery.indexing.taking import here
from visionquery.models.encoder import Encoder, ImageTower
from visionquery.opening import Fetch, source_of
from visionquery.types import Decoded, Matrix, ModelIdentity


@dataclass
class Slow:
    """An encoder that sleeps for each picture."""

    encoder: Encoder
    seconds: float

    @property
    def image_side(self) -> int:
        return self.encoder.image_side

    def prepare(self, decoded: Decoded) -> NDArray[np.float32]:
        return self.encoder.prepare(decoded)

    def image_tower(self) -> ImageTower:
        tower = self.encoder.image_tower()

        def encode(prepared: NDArray[np.float32]) -> Matrix:
            time.sleep(self.seconds * len(prepared))
            return tower.encode(prepared)

        return ImageTower(tower.provider, encode)


def slowly(
    on: str, library: str, model: str, folder: str, seconds: float, *, absent: bool
) -> IndexReport:
    fetch = Fetch(offline=True, on_note=print, on_download=lambda *_: None)
    source = source_of(library, model, fetch, threads=1)
    store = source.store(create=True)
    encoder = source.encoder(store.model)

    def load(identity: ModelIdentity) -> Slow:
        if absent:
            raise ModelError("it is not there")
        return Slow(load_model(identity), seconds)

    def show(progress: Progress) -> None:
        print("done", progress.done, round(progress.seconds, 2), flush=True)

    where, _, threads = on.partition(":")
    if where == "here":
        slow = Slow(encoder, seconds)
        local = here(store, slow, limits=Limits(), threads=int(threads))
        reached = nullcontext(local)
    else:
        local = here(store, encoder, limits=Limits(), threads=1)
        reached = on_cluster(
            on, store, encoder.identity, here=local, limits=Limits(), load=load
        )
    with store.writing():
        add_roots(store, [folder])
        with reached as take_up:
            scopes = named_scopes(store, [folder])
            report = index(store, scopes, take_up=take_up, on_progress=show)
    store.close()
    return report


if __name__ == "__main__":
    try:
        if "newer" in sys.argv:
            connecting.own_version = lambda: "99.0"
        found = slowly(*sys.argv[1:5], float(sys.argv[5]), absent="absent" in sys.argv)
    except VisionQueryError as error:
        print(json.dumps({"error": type(error).__name__, "sentence": str(error)}))
    except KeyboardInterrupt:
        print(json.dumps({"error": "KeyboardInterrupt"}))
    else:
        print(json.dumps(asdict(found)))
