# SPDX-License-Identifier: MIT
"""tests/layers finds each violation of the house rules it is there for."""
import os
import subprocess

import pytest

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "layers")

GOOD = {
    "base/err.h": "#include <stddef.h>\n",
    "base/err.c": '#include "base/err.h"\n\n#include <stdio.h>\n',
    "base/digest.c": "#include <openssl/evp.h>\n",
    "base/json.c": "#include <yajl/yajl_parse.h>\n",
    "registry/http.c": '#include <curl/curl.h>\n#include "base/err.h"\n',
    "tar/inflate.c": "#include <zlib.h>\n",
    "tar/isal.c": "#include <isa-l/igzip_lib.h>\n",
    "tar/zstd.c": "#include <zstd.h>\n",
    "tar/header.h": '#include "base/err.h"\n',
    "fs/main.c": "#include <fuse_lowlevel.h>\n"
                 '#include "tar/header.h"\n#include "registry/x.h"\n',
    "tests/unit/test_err.c": '#include "base/err.h"\n#include <zlib.h>\n',
}

BAD = [
    ("base includes up", {"base/num.c": '#include "tar/header.h"\n'}, "folders: base/"),
    ("tar to registry", {"tar/a.c": '#include "registry/x.h"\n'}, "folders: tar/"),
    ("registry to tar", {"registry/a.c": '#include "tar/header.h"\n'}, "folders: registry/"),
    ("registry to fs", {"registry/a.c": '# include "fs/x.h"\n'}, "folders: registry/"),
    ("to tests", {"fs/a.c": '#include "tests/unit/test.h"\n'}, "nothing but tests"),
    ("no folder", {"fs/a.c": '#include "x.h"\n'}, "with its folder"),
    ("angle brackets", {"base/a.c": "#include <tar/header.h>\n"}, "folders: base/"),
    ("curl", {"registry/blob.c": "#include <curl/curl.h>\n"}, "registry/http.c alone"),
    ("curl, quoted", {"registry/blob.c": '#include "curl/curl.h"\n'}, "registry/http.c alone"),
    ("yajl", {"registry/manifest.c": "#include <yajl/yajl_tree.h>\n"}, "base/json.c alone"),
    ("zlib", {"tar/index.c": "#include <zlib.h>\n"}, "tar/inflate.c alone"),
    ("zstd", {"tar/index.c": "#include <zstd_errors.h>\n"}, "tar/zstd.c alone"),
    ("ISA-L", {"tar/gzip.c": "#include <isa-l.h>\n"}, "tar/isal.c alone"),
    ("OpenSSL", {"registry/auth.c": "#include <openssl/sha.h>\n"}, "base/digest.c alone"),
    ("fuse", {"base/a.c": "#include <fuse3/fuse_lowlevel.h>\n"}, "fs/ alone"),
    ("library in a header", {"tar/header.h": "#include <zlib.h>\n"}, "a header includes <zlib.h>"),
    ("fuse in a header", {"fs/ops.h": "#include <fuse_lowlevel.h>\n"}, "a header includes"),
    ("name twice", {"tar/err.c": "int x;\n"}, "names: err"),
    ("own header late", {"base/err.c": '#include <stdio.h>\n#include "base/err.h"\n'},
     "first: base/err.h"),
    ("ring", {"base/a.h": '#include "base/b.h"\n', "base/b.h": '#include "base/c.h"\n',
              "base/c.h": '#include "base/a.h"\n'}, "cycles:"),
    ("itself", {"base/a.h": '#include "base/a.h"\n'}, "cycles: base/a.h base/a.h"),
]


def run_layers(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return subprocess.run([SCRIPT, str(root)], capture_output=True, text=True, timeout=20)


def test_good_tree(tmp_path):
    done = run_layers(tmp_path, GOOD)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("files,message", [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_violation(tmp_path, files, message):
    done = run_layers(tmp_path, {**GOOD, **files})
    assert done.returncode == 1
    assert message in done.stdout


def test_nothing_to_look_at(tmp_path):
    assert run_layers(tmp_path, {}).returncode != 0
