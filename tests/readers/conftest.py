"""Prints how the readers did on real files, also when the tests ran in several processes."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines that the oracle tests recorded."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    lines = sorted(text for report in reports for key, text in report.user_properties if key == "oracle")
    if lines:
        terminalreporter.section("real files against expected.json")
        for line in lines:
            terminalreporter.write_line(line)
