"""The benchmarks run: with tiny sizes, each prints its table."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parent.parent / "bench" / "run"


@pytest.mark.parametrize("letter", ["a", "b", "c", "d", "e", "f", "g", "w", "s3"])
def test_w8_the_benchmark_prints_its_table(varve, folder, letter):
    result = subprocess.run(
        [sys.executable, RUN, letter, "--small", "--binary", varve.binary, "--folder", folder],
        capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert re.search(rf"^### {letter}: .*\n\n\|.*\|\n\|[-|]*\|\n(\|.*\|\n)+", result.stdout,
                     re.MULTILINE), result.stdout
    assert not list(folder.iterdir())


def test_an_unknown_benchmark_is_refused():
    result = subprocess.run([sys.executable, RUN, "z"], capture_output=True, text=True, check=False)
    assert result.returncode == 2 and "z" in result.stderr
