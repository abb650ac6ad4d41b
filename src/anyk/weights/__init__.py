r"""Decoding weights of survivor sets and the error they lead to, one set or thousands at a time.

With the tables' columns normalized, column w of M is left_w (x) right_w, flattened, of unit length, and T holds the
wanted combinations C_il = sum_j A_ij B_jl. If every answer carries a relative error of lambda, the expected relative
Frobenius error of the product, on random matrices, from the answers S with weights d is

    sqrt((|M_S d - T|^2 + lambda^2 |d|^2) / (rows inner cols)).

Ridge weights are the d that minimize it. Two ways lead there:

*Correction.* Where the tables come with a frame (trigonometric codes), the weights of all P answers are known in closed
form and S misses the set E: d = d_all + N c with N the parity checks and N_E c = -d_all,E. That is a system of the size
of E. It is exact wherever S decodes exactly, below the threshold too. With far more workers than K the same weights
come from the K equations G_S^T d = G^T d_all, G what answers can tell, and nothing is larger than P x K.

*Least squares.* Otherwise M = Q R once, and [R_S; lambda I] d = [Q^H T; 0] by Householder QR for each set: in extended
precision for small systems, in float64 for large ones. Never by normal equations.
"""

from anyk.weights.precision import PRODUCT_ERROR_EPSILONS, product_error
from anyk.weights.sets import Sets, survivor_sets
from anyk.weights.system import System
from anyk.weights.tables import Solution, Table

__all__ = ["System", "Solution", "Table", "Sets", "survivor_sets", "PRODUCT_ERROR_EPSILONS", "product_error"]
