"""Write the list of the test set `embedded50` again: `data/testsets/embedded50.csv`.

The list is fixed; this shows where it came from, and a test holds that it still comes out the same.
"""

from pathlib import Path

from deepdiva.data.testsets.embedded50 import NAME, draw, to_csv

if __name__ == "__main__":
    path = Path(__file__).parents[1] / "data" / "testsets" / f"{NAME}.csv"
    path.write_text(to_csv(draw()), encoding="utf-8")
    print(path)
