# SPDX-License-Identifier: MIT
"""Images with the tree they must show, written out by hand.

The tree is checked against the oracles that see the case in the same way (`agree`),
so that neither a rule nor its test is one man's opinion:

    tar, bsdtar   layers unpacked one by one, merged by the kernel
    umoci         all unpacked into one tree (later entries touch the times of
                  directories, and implied ones have another mode)
"""
import pytest

import oracle
import tree
from archive import layer
from mounting import mount

OVERLAY = ("tar", "bsdtar")
ALL = OVERLAY + ("umoci",)


class Case:
    def __init__(self, layers, want, agree, root):
        # A layer is a list of entries, or the whole archive as bytes.
        self.layers = [d if isinstance(d, bytes) else layer(*d) for d in layers]
        self.want = tree.expected(want, root)
        self.made_up = tree.implied(want) | ({b"."} if root is None else set())
        self.agree = agree

    def check_oracles(self, images, where):
        for tool in OVERLAY:
            if tool in self.agree:
                with oracle.overlay(self.layers, where / tool, tool) as path:
                    tree.assert_same(self.want, tree.dump(path))
        if "umoci" in self.agree:
            with oracle.umoci(images.image(self.layers), where / "umoci") as path:
                tree.assert_same(self.want, tree.dump(path), self._unlike_umoci)

    def _unlike_umoci(self, path, field):
        return field == "mtime_ns" and self.want.get(path, {}).get("type") == "dir" or \
            field == "mode" and path in self.made_up

    def check_peelfs(self, images):
        with mount(images.image(self.layers)) as m:
            tree.assert_same(self.want, tree.dump(m.root))


class Cases(list):
    """The parameters of a test."""

    def add(self, name, layers, want, agree=ALL, root=None):
        self.append(pytest.param(Case(layers, want, agree, root), id=name.replace(" ", "-")))
