"""Index folders with rclip 3.3 and an ONNX encoder of ours; run by `benchmarks.indexing`.

    RCLIP_PYTHON indexing_rclip.py IMAGE.onnx SIDE INPUT OUTPUT

Needs rclip alone. Its own `RClip.ensure_index` does all the work: its walk, hashes, threads,
preprocessing, batches and database; only the encoder and the size of its square are replaced. It
reads the names of folders from stdin and answers each with the seconds that a new index took.
"""

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

from rclip import db, model_download
from rclip.main import RClip
from rclip.model import Model
from rclip.utils import helpers, preprocess

BATCH = 8
"""The default of rclip's --indexing-batch-size."""


class Renamed:
    """A session under the names that rclip expects."""

    def __init__(self, session, input_name: str, output: str) -> None:
        self.session, self.input, self.output = session, input_name, output

    def get_inputs(self):
        return self.session.get_inputs()

    def run(self, _outputs, feeds):
        return self.session.run([self.output], {self.input: feeds["input"]})


def seconds(model: Model, folder: str) -> float:
    """Index a folder into a new database."""
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        database = db.DB(Path(place) / "db.sqlite3")
        rclip = RClip(model, database, BATCH, None, False, helpers.AUTO_MAX_IMAGE_PIXELS)
        rclip.ensure_index(folder)
        rclip.close()
        taken = time.perf_counter() - started
        indexed = sum(1 for _ in database.get_image_vectors_by_dir_path(folder))
        database.close()
    if indexed != len(os.listdir(folder)):  # noqa: PTH208
        sys.exit(f"rclip indexed {indexed} pictures of {folder}")
    return taken


def main() -> None:
    """Answer until stdin ends."""
    file, side, input_name, output = sys.argv[1:]
    preprocess.IMAGE_SIZE = int(side)
    model = Model()
    session = model_download._load_onnx_session(file)
    model._session_visual_var = Renamed(session, input_name, output)
    for line in sys.stdin:
        with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):  # noqa: PTH123
            taken = seconds(model, line.strip())
        print(taken, flush=True)


if __name__ == "__main__":
    main()
