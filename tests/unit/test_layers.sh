#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tests/layers accepts a good tree, and names each kind of violation. TAP, for prove.

layers=$(cd "$(dirname "$0")/.." && pwd)/layers
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
number=0

# put FILE LINE...    (no lines: from standard input)
put() {
	file=$top/$1
	shift
	mkdir -p "${file%/*}"
	if [ $# -gt 0 ]; then printf '%s\n' "$@"; else cat; fi >"$file"
}

good_tree() {
	rm -rf "$top"
	put base/err.h '#include <stddef.h>' 'int err_set(struct err *err,' '	    int code);'
	put base/err.c '#include "base/err.h"' '' '#include <stdio.h>' '' \
		'static int helper(void)' '{' '}' '' \
		'int err_set(struct err *err,' '	    int code)' '{' '	helper();' '}'
	put base/num.h 'static inline int num_twice(int n)' '{' '	return 2 * n;' '}' \
		'struct num {' '	int (*call)(void);' '};' 'extern const int num_max;'
	put base/digest.c '#include <openssl/evp.h>'
	put base/public_key.c '#include <openssl/pem.h>'
	put base/json.c '#include <yajl/yajl_parse.h>'
	put base/store/store.c '#include "base/err.h"'
	put registry/image/image.h '#include "base/err.h"'
	put registry/http/http.c '#include <curl/curl.h>' '#include "registry/image/image.h"'
	put registry/disk/archive.c '#include "tar/archive/header.h"'
	put registry/image_source.c '#include "registry/disk/archive.h"'
	put tar/archive/header.h '#include "base/err.h"'
	put tar/codec/inflate.c '#include <zlib.h>'
	put tar/codec/isal.c '#include <isa-l/igzip_lib.h>'
	put tar/codec/zstd.c '#include <zstd.h>'
	put tar/layer.h '#include "tar/archive/header.h"'
	put fs/node/node.h '#include "fs/tree/merge.h"'
	put fs/tree/merge.h '#include "tar/layer.h"'
	put fs/fuse/main.c '#include <fuse_lowlevel.h>' '#include "registry/image/image.h"'
	put tests/unit/test.h '#include <stddef.h>'
	put tests/unit/test_err.c '#include "base/err.h"' '#include <zlib.h>' \
		'#include "tests/unit/test.h"'
}

# check STATUS MESSAGE NAME: what tests/layers says of the tree.
check() {
	number=$((number + 1))
	output=$("$layers" "$top" 2>&1)
	status=$?
	case "$status $output" in
	"$1 "*"$2"*) echo "ok $number - $3" ;;
	*)
		echo "not ok $number - $3: status $status, wanted $1 and: $2"
		echo "$output" | sed 's/^/#   /'
		;;
	esac
}

# bad NAME MESSAGE FILE [LINE...]: one more file makes the good tree a bad one.
bad() {
	name=$1 message=$2
	shift 2
	good_tree
	put "$@"
	check 1 "$message" "$name"
}

good_tree
check 0 "" "a good tree"
rm -rf "$top"
mkdir "$top"
check 1 "no sources" "a tree without sources"

# folders
bad "base includes tar" "folders: base/ may not" base/a.c '#include "tar/layer.h"'
bad "tar includes registry" "folders: tar/ may not" tar/a.c '#include "registry/x.h"'
bad "registry includes tar" "folders: registry/image/ may not" registry/image/a.c \
	'#include "tar/layer.h"'
bad "disk includes more of tar" "folders: registry/disk/ may not" registry/disk/a.c \
	'#include "tar/codec/span.h"'
bad "registry includes fs" "folders: registry/http/ may not" registry/http/a.c \
	'# include "fs/x.h"'
bad "base includes its store" "folders: base/ may not" base/a.c '#include "base/store/store.h"'
bad "image includes http" "folders: registry/image/ may not" registry/image/a.c \
	'#include "registry/http/http.h"'
bad "a sub-folder includes its top" "folders: registry/image/ may not" registry/image/a.c \
	'#include "registry/image_source.h"'
bad "archive includes codec" "folders: tar/archive/ may not" tar/archive/a.c \
	'#include "tar/codec/span.h"'
bad "index includes toc" "folders: tar/index/ may not" tar/index/a.c '#include "tar/toc/toc.h"'
bad "toc includes layer" "folders: tar/toc/ may not" tar/toc/a.c '#include "tar/layer.h"'
bad "tree includes image" "folders: fs/tree/ may not" fs/tree/a.c '#include "fs/image/images.h"'
bad "image includes names" "folders: fs/image/ may not" fs/image/a.c '#include "fs/names/x.h"'
bad "node includes fuse" "folders: fs/node/ may not" fs/node/a.c '#include "fs/fuse/push.h"'
bad "ctl includes fuse" "folders: fs/ctl/ may not" fs/ctl/a.c '#include "fs/fuse/push.h"'
bad "an unknown folder" "folders: fs/odd/ is not in the table" fs/odd/a.c 'int x;'
bad "an include of tests" "folders: fs/node/ may not" fs/node/a.c '#include "tests/unit/test.h"'
bad "an include without its folder" "with its folder" fs/node/a.c '#include "node.h"'
bad "a test's include without its folder" "with its folder" tests/unit/a.c '#include "test.h"'
bad "angle brackets" "folders: base/ may not" base/a.c '#include <tar/layer.h>'
bad "an include by a macro" "names its file" base/a.c '#include HEADER'

# doors
bad "curl" "registry/http/http.c alone" registry/http/a.c '#include <curl/curl.h>'
bad "curl, in quotes" "registry/http/http.c alone" registry/http/a.c '#include "curl/curl.h"'
bad "yajl" "base/json.c alone" base/a.c '#include <yajl/yajl_tree.h>'
bad "zlib" "tar/codec/inflate.c alone" tar/codec/a.c '#include <zlib.h>'
bad "zstd" "tar/codec/zstd.c alone" tar/codec/a.c '#include <zstd_errors.h>'
bad "ISA-L" "tar/codec/isal.c alone" tar/codec/a.c '#include <isa-l.h>'
bad "OpenSSL" "base/digest.c base/public_key.c alone" base/a.c '#include <openssl/sha.h>'
bad "libfuse" "fs/fuse/ alone" fs/node/a.c '#include <fuse3/fuse_lowlevel.h>'
bad "a library in a header" "a header includes <zlib.h>" tar/layer.h '#include <zlib.h>'
bad "libfuse in a header of fs/fuse" "a header includes" fs/fuse/a.h '#include <fuse_lowlevel.h>'

# rings
good_tree
put base/a.h '#include "base/b.h"'
put base/b.h '#include "base/a.h"'
check 1 "rings: base/a base/b base/a" "a ring of two headers"
good_tree
put base/a.h '#include "base/err.h"'
put base/err.c '#include "base/err.h"' '#include "base/a.h"' 'int err_set(void)' '{' '}'
check 1 "rings: base/a base/err base/a" "a ring through a source"
good_tree
put fs/tree/a.h '#include "fs/tree/b.h"'
put fs/tree/b.c '#include "fs/tree/c.h"'
put fs/tree/c.h '#include "fs/tree/a.h"'
check 1 "rings: fs/tree/a fs/tree/b fs/tree/c fs/tree/a" "a ring of three modules"
good_tree
put tar/layer.c '#include "tar/layer.h"' '#include "tar/layer.h"'
check 0 "" "a module and itself are no ring"

# first
bad "the own header is late" "first: base/err.h" base/err.c '#include <stdio.h>' \
	'#include "base/err.h"' 'int err_set(void)' '{' '}'

# implements
bad "no source defines it" "implements: num_parse() is defined in no source" base/num.h \
	'int num_parse(const char *s);'
bad "no source defines it, on two lines" "base/num.h:1: implements: num_parse()" base/num.h \
	'int num_parse(const char *s,' '	      int base); /* or 0 */'
good_tree
put base/err.c '#include "base/err.h"'
put base/a.c '#include "base/err.h"' 'int err_set(struct err *err, int code)' '{' '}'
check 1 "implements: err_set() is defined in base/a.c" "another source defines it"
good_tree
put base/err.c 'static int err_set(void)' '{' '}'
check 1 "implements: err_set() is defined in no source" "a static of that name does not count"

echo "1..$number"
