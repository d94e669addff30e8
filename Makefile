# SPDX-License-Identifier: MIT
# peelfs: `make` builds, `make demo` shows, `make check` tests. See README.
#
#   SAN=address,undefined | thread   sanitizers (each has its own build folder)
#   DEV=1                            more warnings, all of them errors
#   V=1                              show the commands
#   PREFIX, DESTDIR, SBINDIR (where mount(8) looks for its helpers), BASHDIR and ZSHDIR
#   (completions), CC, CFLAGS, CPPFLAGS, LDFLAGS   as usual

PREFIX  ?= /usr/local
SBINDIR ?= /sbin
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
VERSION := 0.1.0
PKGS    := fuse3 libcurl yajl zlib libzstd libcrypto libarchive
comma   := ,

B := build$(if $(SAN),/$(subst $(comma),-,$(SAN)))
Q := $(if $(V),,@)

CFLAGS ?= -O2 -g
# Hidden: libarchive has an archive_free(), too, and would call ours.
override CFLAGS += -std=c11 -pthread -fvisibility=hidden -Wall -Wextra -Wshadow -Wpointer-arith \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
override CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=314 -I. \
	-DPEELFS_VERSION='"$(VERSION)"'
# --as-needed: peelfs itself needs no libarchive, and libarchive needs many libraries.
override LDFLAGS += -pthread -Wl,--as-needed
ifdef DEV
override CFLAGS += -Werror -Wformat=2 -Wwrite-strings -Wold-style-definition
# clang warns of a row of a table that leaves its last fields out, gcc does not.
override CFLAGS += $(if $(findstring clang,$(CC)),-Wno-missing-field-initializers)
endif
ifdef SAN
override CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
override LDFLAGS += -fsanitize=$(SAN)
endif

# Hardening; a sanitizer does without. What stands in the user's own flags comes later,
# and wins.
ifeq ($(findstring -fsanitize,$(CFLAGS)),)
try       = $(shell $(CC) -Werror $1 -E -x c /dev/null >/dev/null 2>&1 && echo $1)
HARDENING := -fPIE -fstack-protector-strong $(call try,-fstack-clash-protection) \
	$(call try,-fcf-protection) $(call try,-mbranch-protection=standard)
ifeq ($(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),)
HARDENING += $(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif
override CFLAGS := $(HARDENING) $(CFLAGS)
override LDFLAGS := -pie -Wl,-z,relro,-z,now $(LDFLAGS)
endif

# ISA-L decodes gzip twice as fast as zlib; it exists for x86-64 and arm64.
ifeq ($(shell pkg-config --exists libisal 2>/dev/null && echo yes),yes)
PKGS += libisal
override CPPFLAGS += -DHAVE_ISAL
endif
# Asked of pkg-config once, and only when something is compiled.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(call pkg_config,--cflags))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(call pkg_config,--libs))$(PKG_LIBS)
pkg_config = $(if $(missing),$(error not found: $(missing)(with its headers); on Debian \
	and Ubuntu `tests/deps build` installs what is missing))$(shell pkg-config $1 $(PKGS))
missing    = $(shell command -v pkg-config >/dev/null || printf 'pkg-config '; \
	for p in $(PKGS); do pkg-config --exists $$p 2>/dev/null || printf '%s ' $$p; done)

MAINS    := fs/fuse/main.c fs/ctl/peelctl.c
C_FILES  := $(sort $(shell find base registry tar fs -name '*.c'))
SOURCES  := $(filter-out $(MAINS),$(C_FILES))
HEADERS  := $(sort $(shell find base registry tar fs -name '*.h'))
LIB      := $(B)/libpeelfs.a
PROGRAMS := $(B)/peelfs $(B)/peelctl
TEST_C   := $(sort $(shell find tests -name '*.c'))
TEST_H   := $(sort $(shell find tests -name '*.h'))
UNIT     := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(shell find tests/unit -name 'test_*.c')))
# What has one thread is slow in the thread build, and tells nothing there.
ifeq ($(SAN),thread)
UNIT     := $(filter-out $(addprefix %/test_,decoder flat gzip_cutter inflate reader reader_sparse rfc3339 span tree zstd_cutter ztoc),$(UNIT))
endif
FUZZ     := $(patsubst tests/fuzz/%.c,%,$(sort $(shell find tests/fuzz -name 'fuzz_*.c')))
REPLAY   := $(FUZZ:%=$(B)/replay/%)

all: $(PROGRAMS)

$(B)/peelfs: $(B)/fs/fuse/main.o $(LIB)
$(B)/peelctl: $(B)/fs/ctl/peelctl.o $(LIB)
$(PROGRAMS):
	@echo "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(LIB): $(SOURCES:%.c=$(B)/%.o)
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) qcs $@ $^

$(B)/%.o: %.c
	@echo "  CC    $<"
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/unit/%: $(B)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

# The corpora, replayed without a fuzzing engine; `make fuzz` has the engine.
$(B)/replay/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# What deps installs is looked for when a Makefile is read: so the rest is another make.
check: deps
	$(Q)tests/e2e/ready
	$(Q)$(MAKE) all layers headers
	$(Q)$(MAKE) check-unit
	$(Q)$(MAKE) check-fuzz
	$(Q)$(MAKE) check-e2e

unit: $(UNIT) $(REPLAY)

check-unit: $(UNIT)
	prove -j$$(nproc) $(UNIT) tests/unit/test_layers.sh

check-fuzz: $(REPLAY)
	$(Q)tests/fuzz/replay-all $(B)

check-e2e: all
	tests/e2e/run $(abspath $(B))

# The first time they get much from Debian 13 and, with go, from module proxies.
check-containerd check-podman check-registries check-trust: all
	tests/engines/$(@:check-%=%) $(abspath $(B))

check-oom: $(UNIT)
	$(Q)tests/unit/oom $(UNIT)

demo:
	$(Q)tests/deps demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/demo $(B)

bench:
	$(Q)tests/deps build check bench images
	$(Q)$(MAKE) all
	$(Q)tests/bench/run $(B)

# SECONDS_EACH= of every target, with libFuzzer (clang).
fuzz:
	$(Q)tests/fuzz/run "$(FUZZ)"

layers:
	$(Q)tests/layers

headers:
	$(Q)for h in $(HEADERS); do \
		$(CC) $(CPPFLAGS) $(CFLAGS) -Werror -fsyntax-only -x c $$h || exit 1; done

lint:
	$(Q)$(MAKE) B=$(B)/lint CC=clang DEV=1 all unit
	$(Q)tests/lint $(C_FILES) $(TEST_C)

# What protects the release build: PIE, RELRO, stack protector, FORTIFY_SOURCE, CET.
hardening-check: all
	$(if $(SAN),$(error hardening-check: of the release build, so without SAN=))
	$(Q)tests/hardening $(PROGRAMS)

format-check:
	clang-format --dry-run -Werror $(C_FILES) $(HEADERS) $(TEST_C) $(TEST_H)

install: all
	install -D -t $(DESTDIR)$(PREFIX)/bin $(PROGRAMS)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(wildcard man/*.1)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man7 $(wildcard man/*.7)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 $(wildcard man/*.8)
	install -D -m 644 completion/peelfs.bash $(DESTDIR)$(BASHDIR)/peelfs
	ln -sf peelfs $(DESTDIR)$(BASHDIR)/peelctl
	install -D -m 644 -t $(DESTDIR)$(ZSHDIR) completion/_peelfs
	install -d $(DESTDIR)$(SBINDIR)
	ln -sf $(PREFIX)/bin/peelfs $(DESTDIR)$(SBINDIR)/mount.peelfs

# The same places must be said as to install. The cache stays: it is the users'.
uninstall:
	rm -f $(PROGRAMS:$(B)/%=$(DESTDIR)$(PREFIX)/bin/%) $(DESTDIR)$(SBINDIR)/mount.peelfs \
		$(patsubst man/%.1,$(DESTDIR)$(PREFIX)/share/man/man1/%.1,$(wildcard man/*.1)) \
		$(patsubst man/%.7,$(DESTDIR)$(PREFIX)/share/man/man7/%.7,$(wildcard man/*.7)) \
		$(patsubst man/%.8,$(DESTDIR)$(PREFIX)/share/man/man8/%.8,$(wildcard man/*.8)) \
		$(DESTDIR)$(BASHDIR)/peelfs $(DESTDIR)$(BASHDIR)/peelctl $(DESTDIR)$(ZSHDIR)/_peelfs

# A Debian package, in build/.
deb:
	$(Q)tests/deps build deb
	$(Q)mkdir -p build
	$(Q)INTO=build DEB_BUILD_OPTIONS=noautodbgsym debian/rules clean binary
	$(Q)debian/rules clean

deps:
	$(Q)tests/deps

clean:
	rm -rf build

.PHONY: all unit check check-unit check-fuzz check-e2e check-containerd check-podman \
	check-registries check-trust check-oom demo bench fuzz layers headers lint format-check \
	hardening-check install uninstall deb deps clean
.SECONDARY:
