"""Print the tables of docs/stability.md, computed here and now.

    python -m benchmarks.stability_page [--store]

--store writes them into the page.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # where tests import each other from

from stability_formulas import PAGE, deviations_table, filled, formulas_table  # found there


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args()
    print(formulas_table(), deviations_table(), sep="\n\n")
    if options.store:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
