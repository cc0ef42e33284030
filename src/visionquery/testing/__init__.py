"""What programs built on VisionQuery can test with: a small real model, a store in memory, and the
list of checks that every store must pass.

>>> from visionquery.testing import STORE_CHECKS, MemoryStore, make_tiny_model
"""

from visionquery.store.memory import MemoryStore
from visionquery.testing.store_checks import STORE_CHECKS
from visionquery.testing.tiny_model import make_tiny_model

__all__ = ["STORE_CHECKS", "MemoryStore", "make_tiny_model"]
