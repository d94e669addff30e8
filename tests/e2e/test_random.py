# SPDX-License-Identifier: MIT
"""Images made by chance, against the kernel's merge of their layers."""
import pytest

import generate
import oracle
import tree
from mounting import mount

SEEDS = range(1, 25)


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_oracles_agree(seed, tmp_path):
    """Two unpackers, so that the comparison is with the images and not with one tool."""
    layers = generate.image(seed)
    with oracle.overlay(layers, tmp_path / "tar") as path:
        first = tree.dump(path)
    with oracle.overlay(layers, tmp_path / "bsdtar", "bsdtar") as path:
        tree.assert_same(first, tree.dump(path))
    assert len(first) > 60


@pytest.mark.parametrize("seed", [pytest.param(s, marks=pytest.mark.core) if s <= 4 else s
                                  for s in SEEDS])
@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_peelfs(seed, kind, images, tmp_path):
    if seed % 3 != ("gzip", "zstd", "none").index(kind):
        seed += 1000  # each kind sees all residues, none sees the same image twice
    layers = generate.image(seed)
    with oracle.overlay(layers, tmp_path / "overlay") as path:
        want = tree.dump(path)
    source = images.image([images.layer(tar, kind) for tar in layers])
    with mount(source) as m:
        tree.assert_same(want, tree.dump(m.root))
