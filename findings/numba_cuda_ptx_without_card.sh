#!/usr/bin/env bash
# numba-cuda 0.30.4: compile_ptx with an explicit `cc` needs no card, unless the kernel calls a function
# that is decorated with @cuda.jit(device=True): that one asks the current device for its generation,
# although `cc` was given, and fails with CudaSupportError where there is no driver.
# Way out: put an object with `compute_capability` in the place of
# numba.cuda.dispatcher.get_current_device while compiling.
# Expected on a machine without a driver: "CudaSupportError", then "compiled".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'numba-cuda[cu12]==0.30.4' numba==0.68.1
"$folder/venv/bin/python" - <<'PYTHON'
from types import SimpleNamespace

import numba.cuda.dispatcher
from numba import cuda, float32, void


@cuda.jit(device=True)
def twice(x):
    return x + x


def kernel(x):
    x[0] = twice(x[0])


def attempt():
    try:
        cuda.compile_ptx(kernel, void(float32[:]), cc=(8, 0))
    except Exception as error:
        return type(error).__name__
    return "compiled"


print(attempt())
card = SimpleNamespace(compute_capability=(8, 0))
numba.cuda.dispatcher.get_current_device = lambda: card
print(attempt())
PYTHON
