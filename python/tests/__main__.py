"""Runs every test and ends with the line `N passed, N failed` on standard output.

usage: python -m tests        in the folder `python`, with requirements-test.txt and the package installed
"""

import pathlib
import sys
import unittest


def main():
    folder = pathlib.Path(__file__).parent
    suite = unittest.defaultTestLoader.discover(str(folder), top_level_dir=str(folder.parent))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    # A skipped test is one that did not hold.
    broken = len(result.failures) + len(result.errors) + len(result.skipped)
    broken += len(result.expectedFailures) + len(result.unexpectedSuccesses)
    print(f"{max(result.testsRun - broken, 0)} passed, {broken} failed")
    return 0 if broken == 0 and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
