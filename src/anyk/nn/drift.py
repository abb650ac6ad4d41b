"""How far rounding has carried stored blocks away from their code.

Every node rounds its own updates, so after T of them the blocks are a codeword up to about 0.15 sqrt(T) machine
epsilons. Screening expects that (`Program.noise`). Where large gradients cancel step after step (a whole data set in
each batch, trained to the end) the same rounding is added every time and grows with T, until right nodes look wrong.
"""

import numpy as np
import torch
from torch import Tensor

from anyk.nn.program import Program
from anyk.screening import draw_columns

#: Columns of random fingerprints; every one has a word for each row of a block.
_COLUMNS = 2


def drift(program: Program, stored: Tensor) -> float:
    r"""Distance of stored blocks from the code, as a multiple of the rounding that screening expects of them.

    With $Q$ an orthonormal basis of the code and $F$ the fingerprints of the P blocks, their error is estimated from
    what no codeword explains, $\|F - Q Q^T F\| / \sqrt{P - mn}$, relative to the usual fingerprint,
    $\|F\| / \sqrt P$.

    Args:
        program: of the matrix.
        stored: shape (L, h, w).

    Returns:
        About 1 for right blocks that were updated as often as the program says; 0 where nothing can be compared; inf
        where they are no numbers.
    """
    collective = program.collective
    rng = collective.random()
    columns = torch.from_numpy(draw_columns(stored.shape[2], _COLUMNS, rng)).to(stored.device)
    with torch.no_grad():
        prints = torch.stack([block.double() @ columns for block in stored])
    gathered, came = collective.gather(prints, program.wanted)
    used = came & collective.health.active
    seen = gathered.flatten(1).cpu().numpy()[used]
    table = program.storage.left[:, 0, used].T
    spare = len(table) - table.shape[1]
    with np.errstate(over="ignore"):
        size = np.linalg.norm(seen)
    if spare < 1 or not size:
        return 0.0
    if not np.isfinite(size):
        return float("inf")
    basis, _ = np.linalg.qr(table)
    unexplained = np.linalg.norm(seen - basis @ (basis.T @ seen))
    return float(unexplained / size * np.sqrt(len(table) / spare) / program.noise(stored.dtype))
