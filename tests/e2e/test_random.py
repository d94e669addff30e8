# SPDX-License-Identifier: MIT
"""Images made by chance, against the kernel's merge of their layers."""
import pytest

import generate
import oracle
import tree
from mounting import mount

SEEDS = range(1, 37)
KINDS = ("gzip", "zstd", "none")


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_oracles_agree(seed, tmp_path):
    """Two unpackers, so that the comparison is with the images and not with one tool."""
    layers = generate.image(seed)
    with oracle.overlay(layers, tmp_path / "tar") as path:
        first = tree.dump(path)
    with oracle.overlay(layers, tmp_path / "bsdtar", "bsdtar") as path:
        tree.assert_same(first, tree.dump(path))
    assert len(first) > 60


@pytest.mark.parametrize("seed", [pytest.param(s, marks=pytest.mark.core) if s <= 6 else s
                                  for s in SEEDS])
def test_peelfs(seed, images, tmp_path):
    layers = generate.image(seed)
    with oracle.overlay(layers, tmp_path / "overlay") as path:
        want = tree.dump(path)
    source = images.image([images.layer(tar, KINDS[seed % 3]) for tar in layers])
    with mount(source) as m:
        tree.assert_same(want, tree.dump(m.root))
