"""What the tests of the plugin's parts share."""

import pytest
from hypothesis import strategies as st

MARKUP = ("|", "\\", "\\|", "`", "``", "*", "_", "~~", "<b>", "</details>", "<!--", "&amp;", "[a](b)", "![i](j)", "$x$")
LINKS = ("@someone", "#1", "GH-2", "www.a.example", "https://a.example", ":smile:", "0123abcd")
COMMANDS = ("::", "::error::", "##", "[", "##[error]", "%0A", ",", "=", ":")
CONTROLS = ("\n", "\r\n", "\t", "\x00", "\x1b[31m", "\u202e", "\u2028", "\ufffe", "\ud800", "'", '"', "]]>")


@pytest.fixture(scope="session")
def hostile():
    """Names as nobody writes them: markup, links, workflow commands and controls, in any order."""
    parts = st.sampled_from((*MARKUP, *LINKS, *COMMANDS, *CONTROLS, " ", "a", "é", "-", "1. ", "    "))
    return st.lists(parts, max_size=8).map("".join) | st.text(max_size=20)
