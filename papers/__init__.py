"""Experiments of papers, done again with anyk; anyk never depends on them."""
