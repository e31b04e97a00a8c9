"""Every block of every page: a file is written, a change applied, a command run, and it prints what the page shows."""

import pytest
from pages import PAGES, blocks_of

KNOWN = {"console", "sh", "diff", "python", "toml", "json", "yaml", "ini", "text"}
ELSEWHERE = {"README.md": ("python", "")}
"""Languages of a page whose blocks tests of its own run: tests/plugin/test_readme.py."""

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PLAYED = [
    block
    for block in BLOCKS
    if block.language in KNOWN - {"sh", "text"} and block.language not in ELSEWHERE.get(block.page, ())
]


@pytest.mark.parametrize("block", PLAYED, ids=lambda block: block.id)
def test_a_block_does_what_it_shows(stage, block):
    wrong = stage(block.page).outcome(block)
    assert not wrong, f"{block.id}:\n{wrong}"


def test_every_block_says_what_it_is():
    unknown = [
        block.id
        for block in BLOCKS
        if not (
            block.language in KNOWN or block.language.startswith("{") or block.language in ELSEWHERE.get(block.page, ())
        )
    ]
    assert unknown == []
