"""Random probes: the measured error of a product, and samples of it that decoding weights can be fitted to."""

from anyk.probes.columns import draw_columns
from anyk.probes.probe import Probe
from anyk.probes.sample import Sample
from anyk.probes.sketch import COLUMNS, Sketch, SketchedProduct

__all__ = ["Probe", "Sketch", "SketchedProduct", "COLUMNS", "Sample", "draw_columns"]
