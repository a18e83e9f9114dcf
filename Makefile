# SPDX-License-Identifier: LGPL-2.1-or-later
# Build, check and install RVM; `make help` tells what there is.

VERSION := 1.0.0
SOVERSION := 1

CC = gcc
OBJCOPY ?= objcopy
BUILD ?= build
# One name for a file, or a header that changed is not seen by whoever gives the directory by another.
override BUILD := $(abspath $(BUILD))
KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man

CFLAGS ?= -O2 -g
SANITIZE ?=
ALL_CFLAGS := -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude $(CFLAGS) $(SANITIZE)
LIB_LIBS := -lmnl -lisal -luuid -lpthread
TOOL_LIBS := -ljansson

LIB_OBJS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard lib/*.c))
TOOL_OBJS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tools/*.c))
FRONTS := $(patsubst tools/fronts/%.c,$(BUILD)/bin/%,$(wildcard tools/fronts/*.c))
LIB_MAP := $(wildcard lib/librvm.map)
STATIC := $(BUILD)/lib/librvm.a
INTERNAL := $(BUILD)/lib/librvm-internal.a
SHARED := $(BUILD)/lib/librvm.so.$(SOVERSION)
MAN_PAGES := $(wildcard Documentation/man/*.[1-8])

all: lib tools
lib: $(STATIC) $(INTERNAL) $(BUILD)/lib/librvm.so
tools: $(BUILD)/bin/rvm $(FRONTS)

# One short line for each step; V=1 shows the commands.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@;)

$(BUILD)/obj/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -fPIC -MMD -MP -c -o $@ $<

$(BUILD)/obj/tools/%.o: tools/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -Ilib -MMD -MP -c -o $@ $<

# With all names, for the tool and the tests of the parts.
$(INTERNAL): $(LIB_OBJS)
	@mkdir -p $(@D)
	$(call say,AR)rm -f $@ && ar rcs $@ $^

# With the public names only, those of the version script: a program may have a commit() of its own.
$(STATIC): $(LIB_OBJS) $(LIB_MAP)
	@mkdir -p $(@D)
	@sed -n '/global:/,/local:/s/^\t*\([a-zA-Z0-9_]*\);/\1/p' $(LIB_MAP) > $(BUILD)/obj/lib/public
	$(call say,AR)$(LD) -r -o $(BUILD)/obj/lib/librvm.o $(LIB_OBJS) && \
		$(OBJCOPY) --keep-global-symbols=$(BUILD)/obj/lib/public $(BUILD)/obj/lib/librvm.o && \
		rm -f $@ && ar rcs $@ $(BUILD)/obj/lib/librvm.o

$(SHARED): $(LIB_OBJS) $(LIB_MAP)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,--as-needed -Wl,-soname,$(@F) \
		-Wl,-z,defs $(addprefix -Wl$(comma)--version-script=,$(LIB_MAP)) \
		-o $@ $(LIB_OBJS) $(LIB_LIBS)

$(BUILD)/lib/librvm.so: $(SHARED)
	@ln -sf $(<F) $@

$(BUILD)/bin/rvm: $(TOOL_OBJS) $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@ $^ $(LIB_LIBS) $(TOOL_LIBS)

# Each file there is a program.
$(FRONTS): $(BUILD)/bin/%: $(BUILD)/obj/tools/fronts/%.o $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@ $^ $(LIB_LIBS)

comma := ,
-include $(LIB_OBJS:.o=.d) $(TOOL_OBJS:.o=.d) $(FRONTS:$(BUILD)/bin/%=$(BUILD)/obj/tools/fronts/%.d)

kmod:
	$(MAKE) -C kmod KDIR=$(abspath $(KDIR)) BUILD=$(abspath $(BUILD))

modules_install:
	$(MAKE) -C kmod KDIR=$(abspath $(KDIR)) BUILD=$(abspath $(BUILD)) modules_install

selftests: lib tools
	$(MAKE) -C selftests BUILD=$(abspath $(BUILD)) CC='$(CC)' SANITIZE='$(SANITIZE)'

# Installs the packages that are missing, or says which they are and stops; then runs the command.
SETUP_RUN := selftests/setup/run

check:
	$(SETUP_RUN) selftests/checks/check

check-long:
	$(SETUP_RUN) selftests/checks/check long

demo:
	$(SETUP_RUN) selftests/examples/demo

bench:
	$(SETUP_RUN) selftests/bench/run

crash-long: selftests
	cd $(BUILD)/selftests/crash && RVM_STATES=$(or $(STATES),10000000) ./crashsim

fuzz:
	$(SETUP_RUN) selftests/fuzz/run -s $(or $(SECONDS),600)

mutate:
	$(SETUP_RUN) selftests/checks/mutate -n $(or $(MUTANTS),150) -s $(or $(SEED),1)

coverage:
	$(SETUP_RUN) selftests/checks/coverage

style:
	$(SETUP_RUN) selftests/checks/check style

asan:
	$(SETUP_RUN) selftests/checks/check asan

vm-debug-kernel:
	$(SETUP_RUN) selftests/vm/debug-kernel $(FLAVOUR)

vm-shell:
	$(SETUP_RUN) selftests/vm/run --shell $(addprefix -k ,$(KERNEL))

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(INCLUDEDIR)/rvm $(DESTDIR)$(INCLUDEDIR)/linux
	install -m 755 $(BUILD)/bin/rvm $(FRONTS) $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)/
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)/
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(LIBDIR)/librvm.so
	install -m 644 include/rvm/*.h $(DESTDIR)$(INCLUDEDIR)/rvm/
	install -m 644 include/linux/rvm_track.h $(DESTDIR)$(INCLUDEDIR)/linux/
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|' \
		lib/rvm.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/rvm.pc
	$(foreach page,$(MAN_PAGES),install -D -m 644 $(page) \
		$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))$(newline))

define newline


endef

# What was fetched stays.
clean:
	test ! -d $(BUILD) || find $(BUILD) -mindepth 1 -maxdepth 1 \
		! -name vm ! -name apt ! -name kselftest -exec rm -rf {} +

distclean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#help //p' $(firstword $(MAKEFILE_LIST))

#help make               the library, the tool rvm, and rdsinit and rvmutl, into build/
#help make kmod          rvm_track.ko for KDIR=, by default the running kernel
#help make install       PREFIX=/usr/local DESTDIR=
#help make modules_install  the module, INSTALL_MOD_PATH=; for dkms: make -C kmod dkms-install
#help make demo          the demonstration, in a VM and without (as root: installs what is missing)
#help make check         every test there is, about half an hour (as root: installs what is missing)
#help make check-long    what takes too long for that: rarer kernels, a kernel with all its detectors on
#help make bench         the benchmark, natively and in the VM
#help make crash-long    crashes of a simulated disk until STATES=10000000 images were recovered
#help make fuzz          fuzzers of log, status, recovery, heap and tools, SECONDS=600 each
#help make coverage      which lines and branches of the library the tests reach; fails below the line
#help make mutate        would the tests notice a mistake? MUTANTS=150 at random, SEED=1
#help make style         only the checks of the source text
#help make asan          only the library's tests under AddressSanitizer and UBSan
#help make selftests     build the kselftest suites; selftests/run SUITE runs them
#help make vm-debug-kernel  a kernel with KASAN, lockdep and kmemleak for the VM, 6.1-debug; minutes of all processors.
#help                       FLAVOUR=kcsan: one that finds data races, 6.1-kcsan
#help make vm-shell      a shell in the VM with the module loaded, KERNEL=6.1, 6.12 or 7.2
#help make clean         removes what was built
#help make distclean     removes build/, also the kernels that were fetched into it
#help
#help CC=clang CFLAGS=... BUILD=directory change how and where things are built, V=1 shows how.
#help One stage of the checks alone: selftests/checks/check --help

.PHONY: all lib tools kmod modules_install selftests check check-long crash-long coverage demo bench fuzz mutate style asan vm-shell \
	install clean distclean help
