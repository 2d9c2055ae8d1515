"""A Dask cluster of SLURM jobs, for as long as one command runs.

    pip install dask-jobqueue
    python slurm.py 64 deepdiva refine sounds/ --output matched

Runs the command with `--backend dask --scheduler ADDRESS` after its own arguments, on as many
workers as the first argument says, one core and one job each. Partition, memory and time are those
of your machine: change them below. The same command goes on where a former one has stopped
(`--resume` for refine).
"""

import subprocess
import sys

from dask_jobqueue import SLURMCluster

QUEUE = "compute"
MEMORY = "3GB"
WALLTIME = "04:00:00"
PROLOGUE = ["source $HOME/deepdiva/bin/activate"]


def main() -> int:
    """Start the workers, and run the command on them."""
    workers, *command = sys.argv[1:]
    with SLURMCluster(
        queue=QUEUE,
        cores=1,
        processes=1,
        memory=MEMORY,
        walltime=WALLTIME,
        job_script_prologue=PROLOGUE,
    ) as cluster:
        cluster.scale(jobs=int(workers))
        address = cluster.scheduler_address
        return subprocess.run([*command, "--backend", "dask", "--scheduler", address]).returncode


if __name__ == "__main__":
    sys.exit(main())
