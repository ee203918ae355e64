"""The Python of the documentation runs as it stands."""

import os
import re
import tempfile
import unittest

from tests import fixtures


class Documents(unittest.TestCase):
    def test_every_python_block_of_the_library_page_runs(self):
        page = (fixtures.ROOT / "docs/library.md").read_text()
        blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        self.assertTrue(blocks)
        home = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            for shown in ("models", "crates"):
                os.symlink(fixtures.ROOT / shown, shown)
            try:
                # One after the other, as a reader types them.
                names = {}
                for block in blocks:
                    exec(compile(block, "docs/library.md", "exec"), names)
            finally:
                os.chdir(home)
