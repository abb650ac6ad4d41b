"""What users call: one verb per file."""

from anyk.verbs.amatmul import amatmul
from anyk.verbs.coded_matrix import CodedMatrix, Transposed
from anyk.verbs.decode import decode
from anyk.verbs.discover import discover
from anyk.verbs.locate import locate
from anyk.verbs.matmul import matmul
from anyk.verbs.place import place
from anyk.verbs.product import Product
from anyk.verbs.stored import StoredProduct, matmul_stored
from anyk.verbs.stream import stream
from anyk.verbs.timeline import Stretch

__all__ = [
    "CodedMatrix",
    "Product",
    "StoredProduct",
    "Stretch",
    "Transposed",
    "amatmul",
    "decode",
    "discover",
    "locate",
    "matmul",
    "matmul_stored",
    "place",
    "stream",
]
