# market_investor_fdw: build with PGXS. PG_CONFIG chooses the PostgreSQL.

EXTENSION = market_investor_fdw
MODULE_big = market_investor_fdw
PGFILEDESC = "market_investor_fdw - investor flows of Korea's markets as tables"
DATA = market_investor_fdw--1.0.sql

OBJS = market_investor_fdw.o \
	$(sort $(patsubst %.c,%.o,$(wildcard src/*/*.c)))

REGRESS = $(sort $(basename $(notdir $(wildcard sql/*.sql))))
REGRESS_OPTS = --load-extension=market_investor_fdw

CATALOG = $(sort $(wildcard catalog/*.tsv))
EXTRA_CLEAN = src/kis/catalog_data.h test/unit/build test/unit/build-sanitize test/fuzz/build

# Say which Debian package brings what is missing, except to those who only clean.
ifneq ($(filter-out clean distclean,$(or $(MAKECMDGOALS),all)),)
PG_CONFIG ?= pg_config
ifeq ($(shell command -v $(PG_CONFIG)),)
$(error $(PG_CONFIG) not found: on Debian, apt-get install postgresql-server-dev-15, or set PG_CONFIG)
endif
ifeq ($(wildcard $(shell $(PG_CONFIG) --pgxs)),)
$(error PGXS of $(PG_CONFIG) not found: on Debian, apt-get install postgresql-server-dev-$(firstword $(subst ., ,$(lastword $(shell $(PG_CONFIG) --version)))))
endif
ifeq ($(shell command -v pkg-config),)
$(error pkg-config not found: on Debian, apt-get install pkg-config)
endif
ifneq ($(shell pkg-config --exists libcurl && echo yes),yes)
$(error libcurl not found: on Debian, apt-get install libcurl4-openssl-dev)
endif
ifneq ($(shell pkg-config --exists libcjson && echo yes),yes)
$(error cJSON not found: on Debian, apt-get install libcjson-dev)
endif
ifneq ($(shell pkg-config --exists libssl && echo yes),yes)
$(error OpenSSL not found: on Debian, apt-get install libssl-dev)
endif
endif

LIBRARY_CFLAGS := $(shell pkg-config --cflags libcurl libcjson libssl 2>/dev/null)
LIBRARY_LIBS := $(shell pkg-config --libs libcurl libcjson libssl 2>/dev/null)

PG_CPPFLAGS = -I$(CURDIR)/include $(LIBRARY_CFLAGS)
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter
SHLIB_LINK = $(LIBRARY_LIBS)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

src/kis/catalog.o src/kis/catalog.bc: src/kis/catalog_data.h

src/kis/catalog_data.h: catalog/generate.awk $(CATALOG)
	awk -f catalog/generate.awk $(CATALOG) > $@

# Headers are few: any change of one rebuilds all.
$(OBJS): $(wildcard include/*.h src/*/*.h)

# The tests of SQL need a KIS that they may ask; it ends with them.
# PGXS's command begins with an echo.
pg_regress_installcheck := $(subst && ,&& test/with-simulator ,$(pg_regress_installcheck))

# Unit tests of the half that knows no PostgreSQL. With SANITIZE=1 a use of freed
# memory, a leak or undefined behaviour ends the test.
UNIT_BUILD = test/unit/build$(if $(SANITIZE),-sanitize)
UNIT_TESTS = $(patsubst test/unit/%.c,$(UNIT_BUILD)/%,$(wildcard test/unit/*_test.c))
UNIT_OBJS = $(patsubst src/kis/%.c,$(UNIT_BUILD)/kis/%.o,$(wildcard src/kis/*.c)) \
	$(patsubst test/unit/%.c,$(UNIT_BUILD)/%.o,$(filter-out %_test.c,$(wildcard test/unit/*.c)))
UNIT_CFLAGS = -std=gnu99 -g -O1 -Wall -Wextra -pthread -Iinclude -Itest/unit $(LIBRARY_CFLAGS) \
	-DCATALOG='"$(CURDIR)/catalog"' \
	$(if $(SANITIZE),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all) $(COPT)
comma = ,

ifneq ($(filter unit,$(MAKECMDGOALS)),)
ifneq ($(shell pkg-config --exists cmocka && echo yes),yes)
$(error cmocka not found: on Debian, apt-get install libcmocka-dev)
endif
endif

.PHONY: unit
.SECONDARY: $(UNIT_OBJS)
unit: $(UNIT_TESTS)

$(UNIT_TESTS): $(UNIT_BUILD)/%: test/unit/%.c $(UNIT_OBJS)
	$(CC) $(UNIT_CFLAGS) $^ -o $@ $(UNIT_LDFLAGS) $(LIBRARY_LIBS) -lcmocka

# It refuses what these bring.
$(UNIT_BUILD)/resource_test: UNIT_LDFLAGS = $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc free \
	epoll_create1 epoll_ctl curl_easy_init curl_multi_init curl_multi_add_handle)

$(UNIT_BUILD)/kis/%.o: src/kis/%.c $(wildcard include/*.h src/kis/*.h) src/kis/catalog_data.h
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -c $< -o $@

$(UNIT_BUILD)/%.o: test/unit/%.c $(wildcard include/*.h test/unit/*.h)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -c $< -o $@

# TAP tests start servers and simulators of their own; not as root, as initdb refuses that.
PROVE_TESTS ?= $(sort $(wildcard t/*.t))

.PHONY: check-tap
check-tap:
	$(prove_installcheck)
