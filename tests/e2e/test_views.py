# SPDX-License-Identifier: MIT
"""What is beside rootfs/ in the tree of an image, against the tools it imitates."""
import errno
import json
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from archive import directory, file, hardlink, layer, opaque, symlink, whiteout
from mounting import mount
from tree import dump

LAYERS = [layer(directory("d", mode=0o750), file("d/f", "lower"), file("g", "g" * 5000),
                hardlink("h", "g")),
          layer(whiteout("g"), directory("d"), opaque("d"), file("d/new", "upper"),
                symlink("l", "d/new"), hardlink("x", "h"), file("deep/er/f", "1"))]


def names(m):
    return sorted(n for n in os.listdir(m.path + "/layers") if not n.endswith(".json"))


def test_layers(images):
    with mount(images.image(LAYERS)) as m:
        descriptors = json.loads(m.read("manifest.json"))["layers"]
        expected = ["%d-%s" % (i + 1, d["digest"][7:19]) for i, d in enumerate(descriptors)]
        assert names(m) == expected
        first, second = (dump(os.path.join(m.path, "layers", n)) for n in expected)
        assert sorted(first) == [b".", b"d", b"d/f", b"g", b"h"]
        assert first[b"d"]["mode"] == 0o750 and first[b"g"]["nlink"] == 3
        assert first[b"g"]["same"] == b"g" and first[b"h"]["same"] == b"g"
        assert sorted(second) == [b".", b".wh.g", b"d", b"d/.wh..wh..opq", b"d/new", b"deep",
                                  b"deep/er", b"deep/er/f", b"l", b"x"]
        assert second[b".wh.g"]["type"] == "file" and second[b"x"]["size"] == 5000
        assert second[b"l"]["target"] == b"d/new"
        # The same file in both views is one inode, and a directory leads back up.
        raw = os.path.join(m.path, "layers", expected[1], "d")
        assert os.stat(raw + "/new").st_ino == os.stat(m.at("d/new")).st_ino
        for path in (raw, m.path + "/layers/" + expected[1], m.path + "/layers"):
            inside = {e.name: e.inode() for e in os.scandir(path)}
            assert inside or path
            assert os.stat(path + "/..").st_ino == os.stat(os.path.dirname(path)).st_ino


def test_many_layers_and_one_twice(images):
    one = images.layer(layer(file("same", "1")))
    with mount(images.image([one] + [layer(file("f%d" % i)) for i in range(20)] + [one])) as m:
        found = sorted(names(m), key=lambda n: int(n.split("-")[0]))
        assert [int(n.split("-")[0]) for n in found] == list(range(1, 23))
        assert found[0].split("-")[1] == found[-1].split("-")[1] == one["digest"][7:19]
        for name in (found[0], found[-1]):
            assert open(os.path.join(m.path, "layers", name, "same")).read() == "1"
        info = json.loads(m.read("layers/%s.json" % found[-1]))
        assert info["number"] == 22 and info["diffID"] == one["diff"]
        assert info["descriptor"] == {k: v for k, v in one.items() if k != "diff"}
        assert info["history"] == {"created_by": "layer 21"}
        assert info["filesSize"] == 1 and info["entries"] == 2
        assert info["compressedSize"] == one["size"]


def test_layers_beside_a_broken_one(images):
    bad = images.layer(LAYERS[0])
    path = images.blob_path(bad["digest"])
    data = bytearray(open(path, "rb").read())
    data[40] ^= 1
    open(path, "wb").write(data)
    with mount(images.image([bad, images.layer(LAYERS[1])]), quiet=False) as m:
        first, second = names(m)
        for name in ("rootfs", "layers/" + first):
            for ask in (os.listdir, lambda p: os.stat(p + "/g")):
                with pytest.raises(OSError) as e:
                    ask(os.path.join(m.path, name))
                assert e.value.errno == errno.EIO
        tree = dump(os.path.join(m.path, "layers", second))
        # Where x leads, only the broken layer knows.
        assert sorted(tree) == [b".", b".wh.g", b"d", b"d/.wh..wh..opq", b"d/new", b"deep",
                                b"deep/er", b"deep/er/f", b"l"]
        assert bad["digest"] in json.loads(m.read("layers/%s.json" % first))["error"]
        assert json.loads(m.read("layers/%s.json" % second))["entries"] == 10
        assert "?" in m.read("history").decode().splitlines()[2]


def test_rootfs_alone_shows_nothing_else(images):
    with mount(images.image(LAYERS), "layout=rootfs") as m:
        assert sorted(os.listdir(m.path)) == ["d", "deep", "h", "l", "x"]


def test_sizes_times_and_numbers(images):
    """Of what is ours: as stat says they are, and the same in the next mount."""
    source, seen = images.image(LAYERS), []
    for _ in range(2):
        with mount(source) as m:
            found = {}
            for path, folders, files in os.walk(m.path):
                folders[:] = [f for f in folders if f not in ("rootfs", ".peelfs") and
                              not re.match(r"\d+-", f)]
                for name in files + folders:
                    st = os.lstat(os.path.join(path, name))
                    if name in files:
                        assert st.st_size == len(m.read(os.path.join(path, name))), name
                    assert st.st_mtime_ns == 1704164645 * 10**9 or re.match(r"\d+-", name), name
                    found[os.path.relpath(os.path.join(path, name), m.path)] = st.st_ino
            assert len(set(found.values())) == len(found)
            seen.append(found)
    assert seen[0] == seen[1]


# history

STEPS = [
    {"created": "2024-01-01T00:00:00Z",
     "created_by": "/bin/sh -c #(nop) ADD file:0123 in / "},
    {"created": "2024-01-01T00:00:01Z", "empty_layer": True,
     "created_by": "/bin/sh -c #(nop)  CMD [\"bash\"]"},
    {"created": "2024-01-02T00:00:00Z", "created_by": "RUN /bin/sh -c a\t&&\tb # buildkit",
     "comment": "buildkit.dockerfile.v0"},
]


def rows(text):
    return [re.split(r" {3,}", line.rstrip()) for line in text.splitlines()]


def test_history(images):
    layers = [images.layer(t) for t in LAYERS]
    with mount(images.image(layers, config=images.config(layers, more={"history": STEPS}))) as m:
        config = json.loads(m.read("manifest.json"))["config"]["digest"]
        first, second = names(m)
        table = rows(m.read("history").decode())
        assert table == [
            ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT", "LAYER"],
            [config, STEPS[2]["created"], "RUN /bin/sh -c a && b # buildkit", "6",
             STEPS[2]["comment"], second],
            ["<missing>", STEPS[1]["created"], STEPS[1]["created_by"], "0"],
            ["<missing>", STEPS[0]["created"], STEPS[0]["created_by"].strip(), "5005", first]]


# Dockerfile

def test_dockerfile(images):
    layers = [images.layer(t) for t in LAYERS]
    told = [{"created_by": "ENV BB=1 A=0", "empty_layer": True},
            {"created_by": "EXPOSE 8080", "empty_layer": True}]
    more = {"history": STEPS + told, "config": {
        "Cmd": ["bash"], "Env": ["PATH=/bin", "A=b c", "B=1"],
        "ExposedPorts": {"80/tcp": {}, "8080/tcp": {}},
        "Labels": {"org.opencontainers.image.base.name": "debian:12"}, "User": "1:2",
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5 * 10**9, "Retries": 2}}}
    with mount(images.image(layers, config=images.config(layers, more=more))) as m:
        first, second = names(m)
        lines = m.read("Dockerfile").decode().splitlines()
        assert lines[0].startswith("# A reconstruction")
        assert lines[2] == "# Base image, whose steps are among these: debian:12"
        assert lines[3:] == [
            "FROM scratch", "", "# layers/" + first, "ADD file:0123 /", 'CMD ["bash"]', "",
            "# layers/" + second, "RUN a\t&&\tb", "ENV BB=1 A=0", "EXPOSE 8080", "",
            "# In the config, and in no step:", "ENV PATH=/bin", "ENV B=1",
            "LABEL org.opencontainers.image.base.name=debian:12", "EXPOSE 80/tcp", "USER 1:2",
            "HEALTHCHECK --interval=5000ms --retries=2 CMD true"]


def test_no_history_and_one_that_does_not_fit(images):
    layers = [images.layer(t) for t in LAYERS]
    for history in ([], STEPS[:2]):
        config = images.config(layers, more={"history": history})
        with mount(images.image(layers, "t%d" % len(history), config=config)) as m:
            table = rows(m.read("history").decode())[1:]
            expected = [] if history else names(m)[::-1]
            assert [row[-1] for row in table if re.match(r"\d+-", row[-1])] == expected
            assert len(table) == 2
            assert m.read("Dockerfile").startswith(b"# A reconstruction")


# inspect.json

CONFIG = {"Env": ["PATH=/bin", "A=\"b\" c"], "Cmd": ["/bin/true"], "Entrypoint": ["/e", "\u00e9"],
          "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/v": {}}, "WorkingDir": "/w",
          "Labels": {"a": "1"}, "StopSignal": "SIGINT", "User": "u", "OnBuild": ["RUN x"],
          "Healthcheck": {"Test": ["CMD", "a"], "Interval": 30000000000}, "Shell": ["/b", "-c"],
          "ArgsEscaped": True, "StopTimeout": 7}


def same_history(m, listed):
    """Line by line what podman says of the same image, but for sizes: it counts archives."""
    table = [(row + ["", ""])[:5] for row in rows(m.read("history").decode())[1:]]
    # Where there is no comment, the next column moves up.
    table = [row[:4] + ["" if re.match(r"\d+-[0-9a-f]{12}$", row[4]) else row[4]] for row in table]
    assert [[row[1], " ".join(row[2].split()), row[4]] for row in table] == \
        [[step["created"], " ".join(step["CreatedBy"].split()), step.get("comment", "")]
         for step in json.loads(listed)]


@pytest.fixture
def podman(tmp_path):
    run = tempfile.mkdtemp(prefix="run-")  # its path must be short

    def call(*arguments):
        done = subprocess.run(
            ["podman", "--root", str(tmp_path / "root"), "--runroot", run,
             "--storage-driver", "vfs", *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout
    yield call
    shutil.rmtree(run)


def test_inspect(images, registry, podman):
    layers = [images.layer(t) for t in LAYERS]
    more = {"config": CONFIG, "history": STEPS, "author": "me"}
    source = images.image(layers, config=images.config(layers, more=more))
    reference = registry.push(source, "team/inspected", "v1")
    with mount(reference) as m:
        [ours] = json.loads(m.read("inspect.json"))
        config = json.loads(m.read("config.json"))
        assert ours["Config"] == CONFIG and ours["Author"] == "me"
        assert ours["Size"] == 5011 and ours["Comment"] == STEPS[2]["comment"]
        lower = ours["GraphDriver"]["Data"]["LowerDir"].split(":")
        assert [os.path.basename(p) for p in lower] == names(m)[::-1]
        assert all(os.path.isdir(p) for p in lower)
        assert os.path.samefile(ours["GraphDriver"]["Data"]["MergedDir"], m.root)
        assert ours["GraphDriver"]["Name"] == "peelfs"
        assert ours["RootFS"] == {"Type": "layers", "Layers": config["rootfs"]["diff_ids"]}

        podman("pull", "-q", "--tls-verify=false", reference)
        [theirs] = json.loads(podman("image", "inspect", reference))
        assert ours["Id"] == "sha256:" + theirs["Id"]
        for key in ("RepoTags", "Created", "Architecture", "Os", "RootFS", "Author"):
            assert ours[key] == theirs[key], key
        assert set(ours["RepoDigests"]) <= set(theirs["RepoDigests"])
        for key in set(theirs["Config"]) - {"Healthcheck"}:
            assert ours["Config"][key] == theirs["Config"][key], key

        seen = json.loads(tool("skopeo", "inspect", "--tls-verify=false", "docker://" + reference))
        assert ours["RepoDigests"] == [seen["Name"] + "@" + seen["Digest"]]
        for key in ("Created", "Architecture", "Os"):
            assert ours[key] == seen[key], key
        assert ours["Config"]["Labels"] == seen["Labels"] and ours["Config"]["Env"] == seen["Env"]
        plain = json.loads(tool("skopeo", "inspect", "--config", "--tls-verify=false",
                                "docker://" + reference))
        assert ours["RootFS"]["Layers"] == plain["rootfs"]["diff_ids"]

        same_history(m, podman("history", "--no-trunc", "--format", "json", reference))
        assert [row[0] for row in rows(m.read("history").decode())[1:]] == \
            [ours["Id"]] + ["<missing>"] * 2


DOCKERFILE = """\
FROM scratch
LABEL org.opencontainers.image.title="a thing" x="a \\"b\\" \\$y"
ENV A=1 B="two words"
COPY a /srv/a
USER 1000:1000
EXPOSE 80/tcp 53/udp
VOLUME ["/data", "/b"]
STOPSIGNAL SIGINT
ENTRYPOINT ["/srv/a", "--x"]
CMD ["one", "two words"]
HEALTHCHECK --interval=30s --retries=2 CMD ["/srv/a"]
ONBUILD RUN make
"""


@pytest.mark.limit(120)
def test_built_image(podman, tmp_path):
    """What was built with a Dockerfile has that again, but for what was copied."""
    (tmp_path / "context").mkdir()
    (tmp_path / "context/a").write_text("a\n")
    (tmp_path / "context/Dockerfile").write_text(DOCKERFILE)
    podman("build", "-q", "--format", "docker", "-t", "built", str(tmp_path / "context"))
    podman("push", "-q", "built", "docker-archive:%s/built.tar:built:latest" % tmp_path)
    with mount("docker-archive:%s/built.tar" % tmp_path) as m:
        text = m.read("Dockerfile").decode()
        steps = [line for line in text.split("# In the config")[0].splitlines()
                 if line and not line.startswith("#")]
        assert [re.sub(r"file:\w+ ", "a ", line) for line in steps] == DOCKERFILE.splitlines()
        same_history(m, podman("history", "--no-trunc", "--format", "json", "built"))
        [theirs] = json.loads(podman("image", "inspect", "built"))
        [ours] = json.loads(m.read("inspect.json"))
        for key, value in theirs["Config"].items():
            assert ours["Config"][key] == value, key


def test_inspect_names(images):
    with mount(images.image(LAYERS)) as m:
        [ours] = json.loads(m.read("inspect.json"))
        assert ours["RepoTags"] == ours["RepoDigests"] == []


# oci/

def tool(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


# what a config may hold

def read_of(images, name, *read, **more):
    one = images.layer(LAYERS[0])
    with mount(images.image([one], name, config=images.config([one], more=more))) as m:
        return [m.read(path).decode() for path in read]


def test_history_of_a_long_step_and_many_short_ones(images):
    """Text is whole, padding has an end: the table is not many times the config."""
    steps = [{"created_by": "x" * 1500000}] + [{"created_by": "RUN a", "empty_layer": True}] * 12000
    [text] = read_of(images, "wide", "history", history=steps)
    lines = text.splitlines()
    assert len(lines) == 12002 and "x" * 1500000 in lines[-1] and len(text) < 16 << 20
    assert lines[1].split()[1:] == ["RUN", "a", "0"]


def test_history_of_more_steps_than_any_build_has(images):
    [text] = read_of(images, "steps", "history", history=[0] * 200000)
    lines = text.splitlines()
    assert len(lines) == 1 + 131072 + 1
    assert lines[-1] == "and %d more before them" % (200000 - 131072)


NUMBER = 140000


@pytest.mark.limit(120)
@pytest.mark.parametrize("member, values, line", [
    ("Env", ["%x=" % i for i in range(NUMBER)], "ENV %x="),
    ("Labels", {"%x" % i: "" for i in range(NUMBER)}, "LABEL %x="),
    ("ExposedPorts", {"%x" % i: 0 for i in range(NUMBER)}, "EXPOSE %x"),
    ("OnBuild", ["%x" % i for i in range(NUMBER)], "ONBUILD %x")],
    ids=["env", "labels", "ports", "triggers"])
def test_dockerfile_of_a_config_with_many(images, member, values, line):
    """All are told, and the mount answers."""
    [text] = read_of(images, "many", "Dockerfile", config={member: values})
    assert text.splitlines()[-NUMBER:] == [line % i for i in range(NUMBER)]


@pytest.mark.limit(120)
def test_dockerfile_of_many_steps_and_variables(images):
    steps = [{"created_by": "ENV A%d=x y" % i, "empty_layer": True} for i in range(30000)]
    env = ["A%d=x y" % i for i in range(15000, 60000)]
    [text] = read_of(images, "both", "Dockerfile", history=steps, config={"Env": env})
    told, rest = text.split("# In the config, and in no step:\n")
    assert told.splitlines()[-2:] == ['ENV A29999="x y"', ""]
    assert "ENV A0=x y\n" in told and rest.startswith('ENV A30000="x y"\n')
    assert len(rest.splitlines()) == 30000


def test_dockerfile_cannot_be_forged(images):
    """No text makes an instruction of its own, nor tells the terminal anything."""
    evil = "x y\nRUN evil\r\x1b[31m\u009b\x7f"
    base = "org.opencontainers.image.base."
    config = {"Env": ["A=" + evil, "B=1", evil], "User": evil, "WorkingDir": "C:\\", "Cmd": [evil],
              "Labels": {"a": evil, evil: "b", base + "name": evil, base + "digest": evil},
              "Healthcheck": {"Test": ["CMD-SHELL", evil]}, "OnBuild": [evil, "RUN a\nRUN b"],
              "ExposedPorts": {evil: {}}, "StopSignal": evil, "Volumes": {evil: {}}}
    steps = [{"created_by": word + evil + tail} for word in
             ("RUN |1 A=", "COPY ", "ADD file:1 in ", "ENV A=", "LABEL b=", "SHELL ", "USER ")
             for tail in (" /bin/sh -c make # buildkit", "")]
    steps += [{"created_by": "ONBUILD RUN a\nRUN b"}, {"created_by": "RUN EOF\nRUN evil\nEOF"},
              {"created_by": "RUN cat <<X\nENV B=1\nX"}]
    for name, more in (("config", {"config": config}), ("steps", {"history": steps}),
                       ("both", {"config": config, "history": steps})):
        text, table = read_of(images, name, "Dockerfile", "history", **more)
        assert len(table.split("\n")) == 2 + len(more.get("history", [0]))
        assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", table)
        plain = re.sub(r"(?ms)^RUN <<(EOF1*)\n.*?^\1\n", "", text)
        assert "RUN evil" in plain
        for line in plain.split("\n"):
            assert not line.startswith("RUN") or line in ("RUN make", "RUN layer 0"), line
        assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f]", text)
        if name == "both":      # in a script it is not told; on a line it is, once
            assert "\nENV B=1\n" in plain and plain.count("ONBUILD RUN a\\nRUN b") == 1
        if name == "config":
            assert "\nWORKDIR C:\\\\\n" in text and 'ENV A="x y\\nRUN evil\\r\\u001b[31m' in text
