"""The figures of 'ε-Approximate Coded Matrix Multiplication is Nearly Twice as Efficient as Exact Multiplication'."""
