# SPDX-License-Identifier: GPL-2.0
# Included last by each suite's Makefile: our flags, then kselftest's lib.mk.
#
# A suite sets TEST_GEN_PROGS, and TEST_PROGS for scripts. It may add to CFLAGS, LDLIBS and LOCAL_HDRS
# (what the programs depend on but are not made of). Sources that several programs share:
#	$(OUTPUT)/one $(OUTPUT)/two: shared.c

TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)
BUILD ?= $(TOP)/build
OUTPUT ?= $(BUILD)/selftests/$(notdir $(CURDIR))
KHDR_INCLUDES := -I$(TOP)/include

CFLAGS += -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	  -D_GNU_SOURCE -I$(TOP)/build/kselftest $(KHDR_INCLUDES) -I$(TOP)/lib $(SANITIZE)
LDLIBS += $(BUILD)/lib/librvm-internal.a -lmnl -lisal -luuid -lpthread
LOCAL_HDRS += $(BUILD)/lib/librvm-internal.a $(wildcard *.h) $(wildcard $(TOP)/lib/*.h) \
	      $(wildcard $(TOP)/include/*/*.h)

all: copied

# Scripts and their files run from where the programs are.
copied:
	@mkdir -p $(OUTPUT)
	@$(if $(TEST_PROGS)$(TEST_FILES),cp -p $(TEST_PROGS) $(TEST_FILES) $(OUTPUT)/)

.PHONY: copied

include $(TOP)/build/kselftest/lib.mk
