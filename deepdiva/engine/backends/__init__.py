"""What runs the steps of modules: numba on a processor, plain Python."""
