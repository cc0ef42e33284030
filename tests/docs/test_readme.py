"""The README's Python runs as it stands."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_python_example_runs_offline(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.S)
    pictures = tmp_path / "Pictures"
    pictures.mkdir()
    samples = Path(find_spec("skimage").origin).parent / "data"
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        shutil.copy(samples / name, pictures)
    code = code.replace("a dog on a beach -people", "a cat -people")
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"HOME": str(tmp_path), "HF_HUB_OFFLINE": "1",
                          "XDG_CACHE_HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf")},
    )
    assert ran.returncode == 0, ran.stderr
    assert "chelsea.png" in ran.stdout.splitlines()[0]
