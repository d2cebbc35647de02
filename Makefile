# ltdb_fdw: a foreign data wrapper for LTDB, its client, and the ltdbd server.
#
#   make                 the extension and ltdbd
#   make install         both, ltdbd into PostgreSQL's bindir
#   make installcheck    pg_regress against a running PostgreSQL with the extension installed;
#                        each test file starts an ltdbd of its own (scripts/with-ltdbd)
#   make unitcheck       the C tests; needs neither PostgreSQL's headers nor a server
#   make bench           measures, side by side with postgres_fdw; BENCH_ARGS go to scripts/bench.sh
#   make fuzz            each target of fuzz/ for FUZZ_SECONDS (60); needs clang
#   make lint            analyzers over all of the C; scripts/lint.sh
#   PG_CONFIG=...        which PostgreSQL to build for

MODULE_big = ltdb_fdw

# In the order of the flow: the wire, the client, PostgreSQL's side, the door.
CLIENT_SRCS = $(sort $(wildcard src/client/*.c))
OBJS = $(CLIENT_SRCS:.c=.o) \
	src/fdw/option.o \
	src/fdw/table.o \
	src/fdw/column.o \
	src/fdw/pushdown.o \
	src/fdw/condition.o \
	src/fdw/interval.o \
	src/fdw/keys.o \
	src/fdw/order.o \
	src/fdw/reduce.o \
	src/fdw/estimate.o \
	src/fdw/plan.o \
	src/fdw/connection.o \
	src/fdw/observe.o \
	src/fdw/reader.o \
	src/fdw/pairs.o \
	src/fdw/values.o \
	src/fdw/scan.o \
	src/fdw/async.o \
	src/fdw/explain.o \
	src/fdw/convert.o \
	src/fdw/field.o \
	src/fdw/field_path.o \
	src/fdw/field_value.o \
	src/fdw/modify.o \
	src/fdw/direct.o \
	src/fdw/truncate.o \
	src/fdw/target.o \
	src/fdw/writeset.o \
	src/fdw/writetree.o \
	src/fdw/commit.o \
	src/fdw/bypass.o \
	src/fdw/deliver.o \
	src/fdw/erase.o \
	src/fdw/sender.o \
	src/fdw/probe.o \
	src/fdw/survey.o \
	src/fdw/analyze.o \
	src/fdw/import.o \
	src/fdw/infer.o \
	src/fdw/functions.o \
	ltdb_fdw.o

EXTENSION = ltdb_fdw
DATA = ltdb_fdw--1.0.sql
PGFILEDESC = "ltdb_fdw - foreign data wrapper for LTDB"

REGRESS = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS = --launcher='$(srcdir_abs)/scripts/with-ltdbd' --load-extension=ltdb_fdw
TAP_TESTS = 1

SHLIB_LINK = -lwebsockets -lwslay -ljansson -lssl -lcrypto -lpthread

PG_CFLAGS = -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers

SERVER_SRCS = $(sort $(wildcard src/server/*.c))
SERVER_OBJS = $(SERVER_SRCS:.c=.o)
UNIT_SRCS = $(sort $(wildcard t/unit_*.c))
UNIT_TESTS = $(UNIT_SRCS:t/%.c=build/%)
EXTRA_CLEAN = ltdbd build $(SERVER_OBJS)

srcdir_abs := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard src/*.h src/client/*.h src/fdw/*.h)

# ---- plain programs: no PostgreSQL on their include path ----

PLAIN_CFLAGS = -std=gnu11 -g -O2 -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers $(EXTRA_CFLAGS)
PLAIN_HDRS = $(wildcard src/*.h src/client/*.h src/server/*.h t/*.h)

all: ltdbd

$(SERVER_OBJS): src/server/%.o: src/server/%.c $(PLAIN_HDRS)
	$(CC) $(PLAIN_CFLAGS) -c -o $@ $<

ltdbd: $(SERVER_OBJS)
	$(CC) $(PLAIN_CFLAGS) -o $@ $^ -lwebsockets -lsqlite3

install: install-ltdbd
install-ltdbd: ltdbd
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) ltdbd '$(DESTDIR)$(bindir)/ltdbd'

uninstall: uninstall-ltdbd
uninstall-ltdbd:
	rm -f '$(DESTDIR)$(bindir)/ltdbd'

# A C test includes what it tests; each is one program that exits 0 if all is
# well.  The client is compiled once for all of them, without PostgreSQL.
TESTED_OBJS = $(CLIENT_SRCS:src/%.c=build/%.o) $(filter-out src/server/main.o,$(SERVER_OBJS))

build/client/%.o: src/client/%.c $(PLAIN_HDRS)
	@mkdir -p $(@D)
	$(CC) $(PLAIN_CFLAGS) -c -o $@ $<

build/tested.a: $(TESTED_OBJS)
	rm -f $@
	$(AR) cr $@ $^

build/unit_%: t/unit_%.c build/tested.a $(PLAIN_HDRS)
	$(CC) $(PLAIN_CFLAGS) -Isrc -DFIXTURES_DIR='"$(srcdir_abs)/t/fixtures"' -o $@ $< build/tested.a -lwebsockets -lwslay -ljansson -lsqlite3 -lssl -lcrypto -lpthread

# What TAP tests preload.
build/slow_resolver.so: t/slow_resolver.c
	@mkdir -p build
	$(CC) $(PLAIN_CFLAGS) -shared -fPIC -o $@ $< -ldl

# What TAP tests run.
build/crash_load: t/crash_load.c build/tested.a $(PLAIN_HDRS)
	$(CC) $(PLAIN_CFLAGS) -Isrc -o $@ $< build/tested.a -lwebsockets -lwslay -ljansson -lsqlite3 -lssl -lcrypto -lpthread

tap_programs: build/slow_resolver.so build/crash_load

installcheck: tap_programs

unitcheck: $(UNIT_TESTS) ltdbd
	@failed=0; for test in $(UNIT_TESTS); do ./$$test || failed=1; done; exit $$failed

build/wire_load: bench/wire_load.c bench/wire.c bench/wire.h
	@mkdir -p build
	$(CC) $(PLAIN_CFLAGS) -o $@ bench/wire_load.c bench/wire.c

bench:
	'$(srcdir_abs)/scripts/bench.sh' $(BENCH_ARGS)

fuzz:
	$(MAKE) -C fuzz -k run

lint:
	'$(srcdir_abs)/scripts/lint.sh'

.PHONY: unitcheck tap_programs bench fuzz lint install-ltdbd uninstall-ltdbd
