"""The manual's pictures, each drawn by one command.

    python -m docs.pictures                 # all of them, into docs/pictures/
    python -m docs.pictures timeline        # one

A picture is a file here with `draw()`; each run gives the same picture, as SVG and as PNG.
"""
