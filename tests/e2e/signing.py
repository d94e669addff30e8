# SPDX-License-Identifier: MIT
"""Keys, signatures of images as cosign and podman write them, and policies."""
import base64
import json
import os
import subprocess

import layout

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
PREDICATE = "https://sigstore.dev/cosign/sign/v1"

KINDS = {
    "p256": ("EC", "ec_paramgen_curve:P-256"),
    "p384": ("EC", "ec_paramgen_curve:P-384"),
    "rsa": ("RSA", "rsa_keygen_bits:2048"),
    "ed25519": ("ED25519", None),
}


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Key:
    def __init__(self, where, name="key", kind="p256"):
        self.private = os.path.join(str(where), name + ".pem")
        self.public = os.path.join(str(where), name + ".pub")
        self.kind = kind
        algorithm, option = KINDS[kind]
        openssl("genpkey", "-algorithm", algorithm, *(("-pkeyopt", option) if option else ()),
                "-out", self.private)
        openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    def sign(self, data):
        message = self.private + ".message"
        with open(message, "wb") as f:
            f.write(data)
        raw = ("-rawin",) if self.kind == "ed25519" else ("-rawin", "-digest", "sha256")
        return openssl("pkeyutl", "-sign", "-inkey", self.private, *raw, "-in", message)

    @property
    def data(self):
        with open(self.public, "rb") as f:
            return base64.b64encode(f.read()).decode()


def payload(digest, reference, **more):
    return json.dumps({
        "critical": {"identity": {"docker-reference": reference},
                     "image": {"docker-manifest-digest": digest},
                     "type": "cosign container image signature", **more},
        "optional": None}).encode()


class Signer:
    """Puts signatures of images of a layout into the fake registry."""

    def __init__(self, images, fake, repository="team/app"):
        self.images = images
        self.fake = fake
        self.repository = repository
        self.name = "%s/%s" % (fake.host, repository)

    def publish(self, descriptor, tag="t"):
        """Gives the reference by its tag."""
        data = self.images.read(descriptor)
        self.fake.tag(self.repository, descriptor["digest"], data, descriptor["mediaType"])
        return self.fake.tag(self.repository, tag, data, descriptor["mediaType"])

    def manifest(self, layers, **more):
        config = more.pop("config", None) or self.images.blob(b"{}", layout.CONFIG)
        return self.images.document(
            {"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": config,
             "layers": layers, **more}, layout.MANIFEST)

    def simple(self, key, text, signature=None):
        """The layer of a signature over a payload."""
        signature = signature or key.sign(text)
        return {**self.images.blob(text, SIMPLE), "annotations": {
            "dev.cosignproject.cosign/signature": base64.b64encode(signature).decode()}}

    def attach(self, digest, layers):
        """Under cosign's tag."""
        self.publish(self.manifest(layers), digest.replace(":", "-") + ".sig")

    def sign(self, key, descriptor, reference=None):
        """As `cosign sign` (2) does, or as podman does if @reference has a tag."""
        self.attach(descriptor["digest"], [self.simple(
            key, payload(descriptor["digest"], reference or self.name))])

    def refer(self, of, kind, layers):
        """As a referrer."""
        d = self.manifest(layers, artifactType=kind, config=self.images.blob(b"{}", EMPTY),
                          subject={k: of[k] for k in ("mediaType", "digest", "size")})
        self.publish(d, d["digest"])
        self.fake.referrers.setdefault(of["digest"], []).append({**d, "artifactType": kind})

    def bundle(self, key, digest, predicate=PREDICATE):
        """The layer of a signature as cosign 3 writes it."""
        statement = json.dumps({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": digest[7:]}}],
            "predicateType": predicate, "predicate": {}}).encode()
        kind = b"application/vnd.in-toto+json"
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(statement), statement)
        return self.images.blob(json.dumps({
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": "x"}},
            "dsseEnvelope": {"payload": base64.b64encode(statement).decode(),
                             "payloadType": kind.decode(),
                             "signatures": [{"sig": base64.b64encode(
                                 key.sign(signed)).decode()}]}}).encode(), BUNDLE)


def signed_by(key, identity=None, **more):
    """A requirement."""
    r = {"type": "sigstoreSigned", "keyPath": key if isinstance(key, str) else key.public, **more}
    return {**r, "signedIdentity": identity} if identity else r


ACCEPT = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]


def policy(where, default=REJECT, name="policy.json", **transports):
    """Writes a policy; gives its path."""
    path = os.path.join(str(where), name)
    with open(path, "w") as f:
        json.dump({"default": default, "transports": transports}, f)
    return path
