"""What users call: one verb per file."""

from anyk.verbs.decode import decode
from anyk.verbs.matmul import matmul
from anyk.verbs.product import Product, Stretch

__all__ = ["Product", "Stretch", "decode", "matmul"]
