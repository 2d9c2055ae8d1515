"""Scalar building blocks of the modules: pure functions of floats that any backend can compile."""
