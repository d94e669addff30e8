# SPDX-License-Identifier: MIT
"""What machines with the same index ask for: ranges that a cache between them has."""
import os
import re

import fake as fake_of
import layout
from archive import directory, file, layer
from mounting import environment, mount
from stores import contents, ctl, noise, same


def ranges(fake):
    found = [tuple(map(int, a[2].split("=")[1].split("-"))) for a in fake.asked
             if "/blobs/" in a[1] and a[2]]
    fake.asked.clear()
    return found


def test_equal_ranges(fake, tmp_path):
    """Readers that begin at different places of a layer soon ask for the same ranges; and a
    read of one file is one range, the same on each machine."""
    files = {"f%03d" % i: noise(i, 1 << 20) for i in range(64)}
    files["small"] = noise(99, 5000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    source = fake.image("x", [fake.images.layer(tar)])
    index = tmp_path / "index"
    assert ctl("cache", "export", "--index-only", "-o", "insecure,cache_dir=none", str(index),
               source).returncode == 0
    fake.asked.clear()
    seen = []
    for machine, begin in enumerate((0, 3, 9, 0)):
        with mount(source, "insecure", "lower_cache=%s" % index,
                   cache=tmp_path / ("m%d" % machine)) as m:
            assert m.read("rootfs/d/small") == files["small"]
            alone = ranges(fake)
            for name in sorted(files)[begin:]:
                assert m.read("rootfs/d/" + name) == files[name]
        seen.append((alone, ranges(fake)))
    assert [len(alone) for alone, _ in seen] == [1] * 4 and len({a for [a], _ in seen}) == 1
    first, *others = [set(run) for _, run in seen]
    for other in others:
        both = first & other
        assert sum(b - a for a, b in both) > 0.6 * sum(b - a for a, b in other), (first, other)
    assert first == others[-1]


def test_mirrors_of_the_manual(fake, tmp_path):
    """The hosts.toml of the manual, with the ports of this test: the first host lacks the blobs,
    the second has them, and gets its header; the registry itself is not asked."""
    manual = os.path.join(os.path.dirname(__file__), "../../man/peelfs.1")
    with open(manual) as f:
        text = re.search(r"# /etc/containerd/certs.d/registry.example.com/hosts.toml\n(.*?)\.Ed",
                         f.read(), re.S)[1]
    files = contents(95, 2, 300000)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    source = fake.image("x", [fake.images.layer(tar)])
    digest = layout.digest(fake.manifests["x", "t"][1])
    headers = []
    with fake_of.running(layout.Layout(tmp_path / "none")) as spegel, \
            fake_of.running(fake.images) as dragonfly:
        spegel.manifests = dragonfly.manifests = fake.manifests
        serve = dragonfly.serve
        dragonfly.serve = lambda request: (headers.append(request.headers), serve(request))
        where = tmp_path / "home/.config/containerd/certs.d/registry.example.com"
        where.mkdir(parents=True)
        (where / "hosts.toml").write_text(text.replace("127.0.0.1:30020", spegel.host).replace(
            "127.0.0.1:4001", dragonfly.host))
        with mount("registry.example.com/x@" + digest, "index=none", cache=tmp_path / "c",
                   env=environment(HOME=str(tmp_path / "home"))) as m:
            assert same(m.root, files)
    asked = [path for _, path, _ in spegel.asked + dragonfly.asked if path != "/v2/"]
    assert any("/blobs/" in path for _, path, _ in spegel.asked)
    assert any("/blobs/" in path for _, path, _ in dragonfly.asked)
    assert {h["X-Dragonfly-Registry"] for h in headers} == {"https://registry.example.com"}
    assert all(path.endswith("?ns=registry.example.com") for path in asked), asked
    assert not fake.asked
