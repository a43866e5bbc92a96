"""What a reader must keep, as tests that any reader inherits. Needs ``pytest`` and ``psutil``.

::

    class TestMyFormat(coverslip.testing.ReaderTests):
        reader_name = "my-format"

        def files(self, folder):
            path = folder / "small.myf"
            array = my_writer.write(path)   # canonical axes T, C, Z, Y, X (and S)
            return {path: [array]}          # one array per image of the file
"""

import pytest

pytest.register_assert_rewrite("coverslip.testing.readers")

from coverslip.testing.expected import OracleReport, check_against_expected  # noqa: E402  # after the line above
from coverslip.testing.readers import ReaderTests  # noqa: E402

__all__ = ["OracleReport", "ReaderTests", "check_against_expected"]
