# SPDX-License-Identifier: MIT
"""OCI image layouts on disk, written from tar bytes.

Everything is a blob with a descriptor; what the tests bend (sizes, digests, media
types, platforms) is changed in the descriptors before they are put into a document.
"""
import gzip
import hashlib
import json
import os
import platform
import subprocess

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker.distribution.manifest."
INDEX = OCI + "index.v1+json"
MANIFEST = OCI + "manifest.v1+json"
CONFIG = OCI + "config.v1+json"
DOCKER_LIST = DOCKER + "list.v2+json"
DOCKER_MANIFEST = DOCKER + "v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

LAYER = {
    ("oci", "none"): OCI + "layer.v1.tar",
    ("oci", "gzip"): OCI + "layer.v1.tar+gzip",
    ("oci", "zstd"): OCI + "layer.v1.tar+zstd",
    ("docker", "none"): "application/vnd.docker.image.rootfs.diff.tar",
    ("docker", "gzip"): "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ("docker", "zstd"): "application/vnd.docker.image.rootfs.diff.tar.zstd",
}

MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386",
            "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64"}
HOST = ("linux", MACHINES.get(platform.machine(), platform.machine()), "")


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def compress(data, kind):
    if kind == "gzip":
        return gzip.compress(data, compresslevel=6, mtime=0)
    if kind == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True,
                              check=True, timeout=60).stdout
    assert kind == "none"
    return data


def platform_of(triple):
    os_name, arch, variant = triple
    return {"os": os_name, "architecture": arch, **({"variant": variant} if variant else {})}


class Layout:
    def __init__(self, path):
        self.path = str(path)
        os.makedirs(os.path.join(self.path, "blobs", "sha256"))
        with open(os.path.join(self.path, "oci-layout"), "w") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')
        self.tags = []
        self._write_index()

    def blob_path(self, digest_text):
        return os.path.join(self.path, "blobs", *digest_text.split(":"))

    def blob(self, data, media_type):
        """Stores bytes; gives their descriptor."""
        d = digest(data)
        with open(self.blob_path(d), "wb") as f:
            f.write(data)
        return {"mediaType": media_type, "digest": d, "size": len(data)}

    def read(self, descriptor):
        with open(self.blob_path(descriptor["digest"]), "rb") as f:
            return f.read()

    def document(self, value, media_type):
        # Spaces and an end of line, so that "byte for byte" is not met by a rewrite.
        return self.blob(json.dumps(value, indent=3).encode() + b"\n", media_type)

    def layer(self, tar, kind="gzip", family="oci"):
        """A layer's descriptor, with its diff ID beside it under "diff"."""
        found = self.blob(compress(tar, kind), LAYER[family, kind])
        return {**found, "diff": digest(tar)}

    def config(self, layers, where=HOST, more=None, family="oci"):
        diffs = [d["diff"] for d in layers]
        value = {"created": "2024-01-02T03:04:05Z", **platform_of(where),
                 "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/true"]},
                 "rootfs": {"type": "layers", "diff_ids": diffs},
                 "history": [{"created_by": "layer %d" % i} for i in range(len(diffs))]}
        return self.document({**value, **(more or {})},
                             CONFIG if family == "oci" else DOCKER_CONFIG)

    def manifest(self, layers, config=None, family="oci", where=HOST, more=None):
        """Layers are descriptors of layer(), or tar bytes."""
        layers = [self.layer(d, family=family) if isinstance(d, bytes) else d for d in layers]
        config = config or self.config(layers, where, family=family)
        media = MANIFEST if family == "oci" else DOCKER_MANIFEST
        clean = [{k: v for k, v in d.items() if k != "diff"} for d in layers]
        return self.document({"schemaVersion": 2, "mediaType": media, "config": config,
                              "layers": clean, **(more or {})}, media)

    def index(self, entries, media_type=INDEX):
        """Entries are descriptors, or pairs (descriptor, platform triple)."""
        flat = [e if isinstance(e, dict) else {**e[0], "platform": platform_of(e[1])}
                for e in entries]
        return self.document({"schemaVersion": 2, "mediaType": media_type, "manifests": flat},
                             media_type)

    def tag(self, descriptor, name="latest"):
        """Names a manifest or index; gives the source to mount."""
        self.tags.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})
        self._write_index()
        return "oci:%s:%s" % (self.path, name)

    def image(self, layers, name="latest", **more):
        """The usual way: layers (tar bytes or descriptors), one manifest, one tag."""
        return self.tag(self.manifest(layers, **more), name)

    def _write_index(self):
        with open(os.path.join(self.path, "index.json"), "w") as f:
            json.dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.tags}, f)
