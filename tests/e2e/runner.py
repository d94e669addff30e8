# SPDX-License-Identifier: MIT
"""Images with a few programs of this machine, and `peelctl run` of them."""
import contextlib
import functools
import os
import pwd
import re
import shutil
import subprocess
import tempfile

import layout
from archive import directory, file, layer, symlink
from mounting import PEELCTL, PEELFS, environment, run
from test_real import packed

PROGRAMS = """sh cat id ls sleep env stat chown touch rm mkdir tty stty su true readlink mknod seq
    mount dd grep setpriv umount""".split()
PASSWD = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv/web:/bin/sh\nme:x:1000:1000::/me:/bin/sh\n"
GROUP = "root:x:0:\ntty:x:5:\nweb:x:34:\nmail:x:8:x,web\nme:x:1000:\n"


@functools.lru_cache(None)
def programs():
    """A tar of them, with their libraries. `su` asks nobody for anything."""
    paths = set()
    for name in PROGRAMS:
        found = shutil.which(name, path="/usr/bin:/usr/sbin")
        paths.add(found)
        done = subprocess.run(["ldd", found], capture_output=True, text=True, check=True, timeout=20)
        paths |= set(re.findall(r"(/\S+) \(0x", done.stdout))
    library = next(os.path.dirname(path) for path in paths if "/libpam.so" in path)
    paths |= {library + "/security/pam_%s.so" % name for name in ("rootok", "permit")}
    return packed(*sorted(re.sub("^/(lib[^/]*/)", r"usr/\1", path).lstrip("/") for path in paths),
                  more=["-h"])


LINKS = [symlink(name, "usr/" + name) for name in ("bin", "sbin", "lib", "lib64")]
BASE = [*LINKS, directory("etc"), directory("root", mode=0o700), directory("tmp", mode=0o1777),
        directory("usr"), directory("usr/bin"), directory("usr/lib"), directory("usr/lib64"),
        directory("srv"), directory("srv/web", uid=33, gid=34),
        file("etc/passwd", PASSWD), file("etc/group", GROUP), directory("etc/pam.d"),
        file("etc/pam.d/su", "".join("%s sufficient pam_%s.so\n" % pair for pair in (
            ("auth", "rootok"), ("account", "permit"), ("session", "permit"))))]


class Box:
    """A folder that every user may read, with a layout, the programs and a store."""

    def __init__(self, path):
        self.path = path
        self.images = layout.Layout(os.path.join(path, "layout"))
        self.base = None

    def image(self, *entries, **config):
        """The source of an image of the programs and ENTRIES, whose config has CONFIG."""
        if not self.base:
            self.base = [self.images.layer(layer(*BASE)), self.images.layer(programs())]
        parts = self.base + ([self.images.layer(layer(*entries))] if entries else [])
        config = self.images.config(parts, more={"config": config})
        return self.tag(self.images.manifest(parts, config=config))

    def tag(self, manifest):
        return self.images.tag(manifest, "t%d" % len(self.images.tags))

    def words(self, *words, user=None):
        """The command line, as root or as USER, each with a store of his own."""
        cache = os.path.join(self.path, "cache-" + (user or "root"))
        more = ["-o", "cache_dir=" + cache]
        if not user:
            return [PEELCTL, "run", *more, *words]
        who = pwd.getpwnam(user)
        for program in (PEELCTL, PEELFS):
            if not os.path.exists(os.path.join(self.path, os.path.basename(program))):
                shutil.copy(program, self.path)
        os.makedirs(cache, exist_ok=True)
        os.chown(cache, who.pw_uid, who.pw_gid)
        return ["setpriv", "--reuid", str(who.pw_uid), "--regid", str(who.pw_gid),
                "--clear-groups", os.path.join(self.path, "peelctl"), "run", *more, *words]

    def __call__(self, *words, user=None, **more):
        return run(*self.words(*words, user=user)[1:], program=self.words(*words, user=user)[0],
                   cwd=more.pop("cwd", "/"), **more)

    def output(self, *words, **more):
        """Of a run that succeeds and says nothing else."""
        done = self(*words, **more)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def processes(self):
        """{pid: command line} of those that have this folder in theirs, and their children."""
        found, parents = {}, {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open("/proc/%s/cmdline" % name, "rb") as f:
                    words = f.read()
                with open("/proc/%s/stat" % name) as f:
                    parents[int(name)] = int(f.read().rpartition(")")[2].split()[1])
                if os.fsencode(self.path) in words:
                    found[int(name)] = words
        for pid in sorted(parents):
            if parents[pid] in found:
                found.setdefault(pid, b"child of %d" % parents[pid])
        return found


@contextlib.contextmanager
def box():
    path = tempfile.mkdtemp(prefix="peelfs-e2e-run-")
    try:
        os.chmod(path, 0o755)
        yield Box(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
