# SPDX-License-Identifier: MIT
"""peelctl cache warm and cache export: a store that is filled before it is needed."""
import os
import re
import signal
import stat
import subprocess
import time

import pytest

from archive import directory, file, layer
from mounting import PEELCTL, environment, eventually, mount
from stores import contents, ctl, data_files, files_of, indexes, noise, prune_data, same


@pytest.fixture
def two(fake, tmp_path):
    """Two images, which share a layer: [(source, contents), ...]"""
    shared = contents(80, 2, 700000)
    made = []
    base = fake.images.layer(layer(directory("d"),
                                   *(file("d/" + n, data) for n, data in shared.items())))
    for i in range(2):
        more = {"own%d" % i: noise(90 + i, 400000)}
        top = layer(directory("d"), *(file("d/" + n, data) for n, data in more.items()))
        made.append((fake.image("i%d" % i, [base, fake.images.layer(top)]), {**shared, **more}))
    return made


def blob_requests(fake):
    return [a for a in fake.asked if "/blobs/" in a[1]]


def tree_of(store):
    """{path: (mode, time, bytes)}"""
    found = {}
    for folder, _, names in os.walk(store):
        for path in [folder, *(os.path.join(folder, n) for n in names)]:
            st = os.lstat(path)
            data = b""
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    data = f.read()
            found[os.path.relpath(path, store)] = (st.st_mode, st.st_mtime_ns * (path != str(store)),
                                                   data)
    return found


def export(where, *sources, own="none", options=(), flags=()):
    return ctl("cache", "export", *flags, "-o",
               ",".join(("insecure", "cache_dir=%s" % own, *options)), str(where), *sources)


def test_export(fake, two, tmp_path):
    """Offline, and without a store of one's own, from a store that is read-only."""
    done = export(tmp_path / "gold", *(s for s, _ in two), own=tmp_path / "own")
    assert done.returncode == 0 and done.stdout.count("fetched\n") == 2, done.stderr
    assert not done.stderr and not (tmp_path / "own").exists()
    fake.asked.clear()
    for source, files in two:
        with mount(source, "insecure", "offline", "lower_cache=%s" % (tmp_path / "gold"),
                   "cache=none") as m:
            assert same(m.root, files)
    assert not fake.asked
    names = {os.path.basename(path) for path in files_of(tmp_path / "gold")}
    assert not names & {"lock", "partial"} and not (tmp_path / "gold/tmp").exists()
    assert ctl("cache", "verify", "--dir=%s" % (tmp_path / "gold")).returncode == 0
    listed = ctl("cache", "list", "--dir=%s" % (tmp_path / "gold")).stdout
    assert "3 layers," in listed and "1970" not in listed and listed.count("  -\n") == 3, listed


def test_export_from_the_store(fake, two, tmp_path):
    """Nothing is fetched that the own store has, which stays as it is."""
    for source, files in two:
        with mount(source, "insecure", cache=tmp_path / "own") as m:
            assert same(m.root, files)
    fake.asked.clear()
    done = export(tmp_path / "gold", *(s for s, _ in two), own=tmp_path / "own",
                  options=["offline"])
    assert done.returncode == 0, done.stderr
    assert not fake.asked
    with mount(two[0][0], "insecure", "offline", "lower_cache=%s" % (tmp_path / "gold"),
               "cache=none") as m:
        assert same(m.root, two[0][1])


def test_equal(fake, two, tmp_path):
    """The same images give the same store, in whatever way it was made."""
    [a, b] = [s for s, _ in two]
    assert export(tmp_path / "one", a, b).returncode == 0
    for source, files in two:
        with mount(source, "insecure", cache=tmp_path / "own") as m:
            assert same(m.root, files)
    assert export(tmp_path / "two", b, own=tmp_path / "own").returncode == 0
    assert export(tmp_path / "two", a, own=tmp_path / "own").returncode == 0
    one, two_ = tree_of(tmp_path / "one"), tree_of(tmp_path / "two")
    assert one.keys() ^ two_.keys() == set()
    assert [p for p in one if one[p] != two_[p]] == []


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o700])
def test_modes(two, tmp_path, mode):
    """The files can be read by those who can read the directory."""
    gold = tmp_path / "gold"
    if mode != 0o755:
        gold.mkdir()
        gold.chmod(mode)
    assert export(gold, two[0][0]).returncode == 0
    for path, (found, _, _) in tree_of(gold).items():
        assert stat.S_IMODE(found) == (mode if stat.S_ISDIR(found) else mode & 0o644), path


def test_index_only(fake, two, tmp_path):
    source, files = two[0]
    gold = tmp_path / "gold"
    assert export(gold, source, flags=["--index-only"]).returncode == 0
    assert indexes(gold) and not list(data_files(gold))
    fake.asked.clear()
    with mount(source, "insecure", "lower_cache=%s" % gold, cache=tmp_path / "own") as m:
        assert sorted(os.listdir(m.at("d"))) == sorted(files)
        assert not blob_requests(fake)
        assert same(m.root, files)
    assert export(gold, source).returncode == 0
    assert list(data_files(gold)), "and now with its data"


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted(fake, tmp_path, signal_number):
    """What it had is not fetched again; others see only what is complete."""
    files = contents(81, 8, 1 << 20)
    tar = layer(directory("d"), *(file("d/" + n, data) for n, data in files.items()))
    source = fake.image("slow", [fake.images.layer(tar)])
    gold = tmp_path / "gold"
    fake.pace = 4000000
    child = subprocess.Popen([PEELCTL, "cache", "export", "-o", "insecure,cache_dir=none", str(gold),
                              source], env=environment(), stderr=subprocess.PIPE)
    partial = lambda: [p for p in files_of(gold) if p.endswith("/partial") and
                       os.path.getsize(p) > 2 << 20]
    assert eventually(partial)
    child.send_signal(signal_number)
    assert child.wait(10) == -signal_number and not child.stderr.read()
    kept = os.path.getsize(partial()[0])
    assert not indexes(gold) and stat.S_IMODE(os.stat(os.path.dirname(partial()[0])).st_mode) == 0o700
    fake.pace = 0
    fake.asked.clear()
    done = export(gold, source)
    assert done.returncode == 0, done.stderr
    assert float(re.search(r"([0-9.]+) MiB fetched", done.stdout)[1]) <= 8.5 - kept / (1 << 20)
    with mount(source, "insecure", "offline", "lower_cache=%s" % gold, "cache=none") as m:
        assert same(m.root, files)


def test_refused(two, tmp_path):
    """A directory with other things in it, the own store, and one that another export fills."""
    source = two[0][0]
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter").write_text("x")
    done = export(tmp_path / "home", source)
    assert done.returncode == 1 and "stays as it is" in done.stderr
    assert os.listdir(tmp_path / "home") == ["letter"]
    assert ctl("cache", "warm", "-o", "insecure,cache_dir=%s" % (tmp_path / "own"),
               source).returncode == 0
    done = export(tmp_path / "own", source, own=tmp_path / "own")
    assert done.returncode == 1 and "is the store itself" in done.stderr
    (tmp_path / "busy").mkdir()
    with subprocess.Popen(["flock", "-x", str(tmp_path / "busy"), "-c", "echo; read x"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        done = export(tmp_path / "busy", source)
        child.stdin.close()
    assert done.returncode == 1 and "another process exports to it" in done.stderr
    for words in (["export"], ["export", "d"], ["warm"], ["warm", "-x", "a"],
                  ["warm", "-o", "cache=none", "a"]):
        done = ctl("cache", *words)
        assert done.returncode != 0 and done.stderr.count("\n") <= 2


def test_full_disk(two, tmp_path):
    """Said, with status 1; what is there is right, and stays for the next try."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k,mode=0755", "tmpfs", str(small)],
                   check=True)
    try:
        done = export(small, two[0][0])
        assert done.returncode == 1 and "is full" in done.stderr, done.stderr
        with mount(two[0][0], "insecure", "lower_cache=%s" % small, cache=tmp_path / "own",
                   quiet=False) as m:
            assert same(m.root, two[0][1])
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_warm(fake, two, tmp_path):
    """Everything is fetched once, so that later mounts need no network."""
    options = "insecure,cache_dir=%s" % (tmp_path / "own")
    done = ctl("cache", "warm", "-o", options, *(s for s, _ in two))
    assert done.returncode == 0 and not done.stderr, done.stderr
    fake.asked.clear()
    done = ctl("cache", "warm", "-o", options, *(s for s, _ in two))
    assert done.stdout.count("0.0 MiB fetched") == 2 and not blob_requests(fake)
    for source, files in two:
        with mount(source, "insecure", "offline", cache=tmp_path / "own") as m:
            assert same(m.root, files)


def test_warm_what_was_evicted(fake, two, tmp_path):
    source, files = two[0]
    options = "insecure,cache_dir=%s" % (tmp_path / "own")
    assert ctl("cache", "warm", "--index-only", "-o", options, source).returncode == 0
    assert indexes(tmp_path / "own")
    prune_data(tmp_path / "own")
    assert ctl("cache", "warm", "-o", options, source).returncode == 0
    with mount(source, "insecure", "offline", cache=tmp_path / "own") as m:
        assert same(m.root, files)


def test_warm_above_another(fake, two, tmp_path):
    """Nothing that a lower store has is copied."""
    source, files = two[0]
    assert export(tmp_path / "gold", source).returncode == 0
    fake.asked.clear()
    done = ctl("cache", "warm", "-o", "insecure,lower_cache=%s,cache_dir=%s" % (
        tmp_path / "gold", tmp_path / "own"), source)
    assert done.returncode == 0 and not blob_requests(fake)
    assert not indexes(tmp_path / "own") and not list(data_files(tmp_path / "own"))


def test_list_says_whose(fake, two, tmp_path):
    """A layer that two images share has both below it."""
    (a, _), (b, _) = two
    options = "insecure,cache_dir=%s" % (tmp_path / "own")
    assert ctl("cache", "warm", "-o", options, a, b).returncode == 0
    lines = ctl("cache", "list", "--dir=%s" % (tmp_path / "own")).stdout.splitlines()
    below = {}
    for line in lines[1:-1]:
        if line.startswith("    "):
            below[layer_line].append(line.split())
        else:
            layer_line = line
            below[layer_line] = []
    assert sorted([name for name, _ in rows] for rows in below.values()) == [[a], [a, b], [b]]
    for rows in below.values():
        for name, digest in rows:
            assert (tmp_path / "own/documents" / digest.replace(":", "/")).exists()
    assert export(tmp_path / "gold", a).returncode == 0
    listed = ctl("cache", "list", "--dir=%s" % (tmp_path / "gold")).stdout
    assert listed.count(a) == 2 and b not in listed


def test_one_fails(two, tmp_path):
    """The others are loaded, and the status says it."""
    host = two[0][0].split("/")[0]
    done = ctl("cache", "warm", "-o", "insecure,cache_dir=%s" % (tmp_path / "own"),
               host + "/none:x", two[1][0])
    assert done.returncode == 1 and host + "/none:x" in done.stderr
    with mount(two[1][0], "insecure", "offline", cache=tmp_path / "own") as m:
        assert same(m.root, two[1][1])


def test_units_of_the_manual(tmp_path):
    """The timer for `cache warm` is one that systemd takes."""
    manual = os.path.join(os.path.dirname(__file__), "../../man/peelctl.1")
    with open(manual) as f:
        text = f.read()
    units = re.split(r"# /etc/systemd/system/(\S+)\n", text)[1:]
    assert units[::2] == ["peelfs-warm.service", "peelfs-warm.timer"]
    for name, unit in zip(units[::2], units[1::2]):
        unit = unit.split(".Ed")[0]
        assert "=peelctl cache warm " in unit or name.endswith("timer")
        (tmp_path / name).write_text(unit.replace("=peelctl ", "=%s " % PEELCTL))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *tmp_path.glob("peelfs-*")],
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
