"""``python -m anyk.nn.train`` is ``anyk train``; where torchrun starts it, every process is one of the ranks.

torchrun --nproc-per-node 10 -m anyk.nn.train --error-rate 1e-2
"""

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:1] = ["train"]
    runpy.run_module("anyk", run_name="__main__", alter_sys=True)
