#!/usr/bin/env bash
# cmaes 0.13.1: CatCMAwM takes a start that lies on a bound of its range, which is valid, and makes of
# it a covariance of width 0 in that direction. The first generation is asked for and told; then the
# division by that width gives NaN, and the eigenvalues fail with a bare AssertionError.
# With a covariance of one's own (`cov=`) the same start works.
# Way out: move a start inside, by a thousandth of the range, or give `cov`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet cmaes==0.13.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
from cmaes import CatCMAwM

warnings.simplefilter("ignore")


def ends(start, **more):
    search = CatCMAwM(x_space=[[0.0, 1.0]] * 2, mean=np.array(start), sigma=0.3, seed=1, **more)
    try:
        for _ in range(20):
            asked = [search.ask() for _ in range(search.population_size)]
            search.tell([(one, float((one.x**2).sum())) for one in asked])
    except Exception as error:
        return type(error).__name__
    return "works"


inside, on_bound = ends([0.5, 0.5]), ends([0.5, 0.0])
given = ends([0.5, 0.0], cov=np.eye(2))
print(f"start inside: {inside}; on a bound: {on_bound}; on a bound with cov given: {given}")
assert (inside, given) == ("works", "works"), "the control no longer works"
assert on_bound != "works", "a start on a bound works now: the finding is out of date"
PYTHON
