# SPDX-License-Identifier: GPL-2.0
# Included by the Makefile of a directory whose programs are no kselftests.
#
# It sets PROGRAMS, and for each of several files NAME_SOURCES; they are built
# into $(BUILD)/DIRECTORY with the library inside.

TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)
BUILD ?= $(TOP)/build
OUTPUT ?= $(BUILD)/$(notdir $(CURDIR))
CC ?= gcc

CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -I$(TOP)/include $(SANITIZE)
LIBRVM := $(BUILD)/lib/librvm.a
LDLIBS += $(LIBRVM) -lmnl -lisal -luuid -lpthread

all: $(PROGRAMS:%=$(OUTPUT)/%)

.SECONDEXPANSION:
$(OUTPUT)/%: $$(or $$($$*_SOURCES),$$*.c) $(wildcard *.h ../examples/*.h $(TOP)/include/rvm/*.h) \
		$(LIBRVM)
	@mkdir -p $(OUTPUT)
	$(CC) $(CFLAGS) -o $@ $(filter %.c,$^) $(LDLIBS)

$(LIBRVM):
	$(MAKE) -C $(TOP) BUILD=$(BUILD) CC='$(CC)' SANITIZE='$(SANITIZE)'

clean:
	rm -rf $(OUTPUT)

.PHONY: all clean
