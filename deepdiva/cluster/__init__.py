"""Work over many items, on threads, processes, or the machines of a Dask or Ray cluster.

`Crew` runs one function over many items and gives what becomes of each. Whoever does the work, the
results are the same bytes: `docs/clusters.md` says how a cluster is set up.
"""

from deepdiva.cluster.workers import BACKENDS, Backend, Workers

__all__ = ["BACKENDS", "Backend", "Workers"]
