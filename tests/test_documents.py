"""Documents that name what the code has."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_s7_the_table_of_reconciliation_has_the_rows_that_are_tested():
    tested = re.findall(r'^      {"(\w+)",',
                        (ROOT / "src/storage_sync/reconcile_test.cc").read_text(), re.MULTILINE)
    documented = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/reconciliation.md").read_text(),
                            re.MULTILINE)
    assert tested and documented == tested
