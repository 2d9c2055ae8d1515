#!/usr/bin/env bash
# A Dask cluster of a few machines over SSH, for as long as this runs.
#
#   VENV=/opt/deepdiva ./ssh.sh node1 node2 node3
#
# This machine is the scheduler. Every machine has the same version of DeepDiva, with the extra
# `dask`, in the virtual environment VENV. Then, in another terminal:
#
#   deepdiva refine sounds/ --backend dask --scheduler tcp://THIS_MACHINE:8786
set -euo pipefail
VENV=${VENV:-$HOME/deepdiva}
PORT=${PORT:-8786}
HERE=${HERE:-$(hostname -f)}
[ $# -gt 0 ] || { echo "usage: $0 MACHINE ..." >&2; exit 2; }

trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
"$VENV/bin/dask" scheduler --host "$HERE" --port "$PORT" &
for machine in "$@"; do
  # One process a core, one thread each. With -tt the workers end with this script.
  ssh -tt "$machine" "$VENV/bin/dask" worker "tcp://$HERE:$PORT" --nworkers auto --nthreads 1 \
    </dev/null &
done
echo "Scheduler: tcp://$HERE:$PORT"
wait
