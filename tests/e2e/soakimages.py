# SPDX-License-Identifier: MIT
"""The images of tests/soak, and what a mount of them must show."""
import json
import os
import random
import stat

import archive
import carried
import generate
import layout

# What is not the same from mount to mount.
OWN = {".peelfs", "inspect.json"}
SMALL = 60      # images of the registry beside the others; 32 of all are kept loaded


def small(number):
    """What one of the small images has of its own."""
    return b"small image %d" % number


def make_images(base, registry, seed):
    """(source of a mount, its images)s; they share layers."""
    images = layout.Layout(os.path.join(base, "layout"))
    rng = random.Random(seed)
    words = [rng.randbytes(rng.randrange(1, 9)) for _ in range(200)]
    tars = generate.image(seed, layers=4, entries=120)
    tars[1] = archive.layer(
        archive.file("big", b"".join(rng.choice(words) for _ in range(1200000))),
        archive.file("noise", rng.randbytes(3000000)),
        *[archive.file("many/%d/%d" % (i % 7, i), rng.randbytes(i * 5)) for i in range(400)])

    pushed = {}

    def push(name, manifest):
        d = json.loads(images.read(manifest))
        for blob in [d["config"], *d["layers"]]:
            registry.put_blob(name, images.read(blob))
        pushed[name] = manifest["digest"]
        return registry.put_manifest(name, "latest", images.read(manifest), manifest["mediaType"])

    def carry(kind, **how):
        layers = []
        for tar in tars[:3]:
            blob, notes = kind(tar, **how)
            media = layout.LAYER["oci", "gzip" if kind is carried.estargz else "zstd"]
            layers.append({**images.blob(blob, media), "annotations": notes,
                           "diff": layout.digest(tar)})
        return images.manifest(layers)

    plain = [images.layer(tar, kind) for tar, kind in zip(tars, ("gzip", "gzip", "zstd", "none"))]
    sources = [push("soak/plain", images.manifest(plain)),
               images.image([*plain[:3], images.layer(tars[0])]),
               push("soak/estargz", carry(carried.estargz, chunk=50000)),
               push("soak/chunked", carry(carried.chunked, chunk=65536, zeros=True))]
    tops = ["%s@%s" % (name.partition("/")[2], digest) for name, digest in pushed.items()]
    shared = archive.layer(*[archive.file("shared/%d" % i, rng.randbytes(9000)) for i in range(9)])
    for i in range(SMALL):
        manifest = images.manifest([shared, archive.layer(archive.file("own", small(i)))])
        push("soak/small", manifest)
        registry.put_manifest("soak/small", "v%d" % i, images.read(manifest),
                              manifest["mediaType"])
        tops.append("small@" + manifest["digest"])
    return [(source, ["."]) for source in sources] + [(registry.host + "/soak/", tops)]


def looks(st):
    """What of a file's attributes is the same in every mount."""
    return (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_ino,
            None if stat.S_ISDIR(st.st_mode) else (st.st_size, st.st_nlink))


def survey_all(slot):
    return {os.path.normpath(os.path.join(top, path)): what for top in slot.tops
            for path, what in survey(os.path.join(slot.path, top)).items()}


def is_provisional(path):
    """Has it other attributes before its layers are loaded?"""
    top, _, rest = path.partition("/")
    return (path in ("history", "rootfs", "rootfs.erofs") or
            top == "layers" and rest and "/" not in rest)


def survey(root):
    """{path: (attributes, names of a directory | bytes of a file | text of a link)}"""
    found = {}
    for where, folders, files in os.walk(root):
        if where == root:
            folders[:] = sorted(set(folders) - OWN)
            files = sorted(set(files) - OWN)
        found[os.path.relpath(where, root)] = looks(os.lstat(where)), sorted(os.listdir(where))
        for name in files + [f for f in folders if os.path.islink(os.path.join(where, f))]:
            path = os.path.join(where, name)
            st = os.lstat(path)
            data = None
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    data = f.read()
            elif stat.S_ISLNK(st.st_mode):
                data = os.readlink(path)
            found[os.path.relpath(path, root)] = looks(st), data
    return {path: what for path, what in found.items() if not is_provisional(path)}
