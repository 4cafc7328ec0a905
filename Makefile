# market_investor_fdw: build with PGXS. PG_CONFIG chooses the PostgreSQL.

EXTENSION = market_investor_fdw
MODULE_big = market_investor_fdw
PGFILEDESC = "market_investor_fdw - investor flows of Korea's markets as tables"
DATA = market_investor_fdw--1.0.sql
DOCS = $(patsubst $(source)/%,%,$(wildcard $(source)/README*.md $(source)/doc/*.md))

# The sources' directory, which is another where it is built in one of its own:
# make -f /path/to/source/Makefile
source := $(or $(VPATH),$(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST)))))

OBJS = market_investor_fdw.o \
	$(sort $(patsubst $(source)/%.c,%.o,$(wildcard $(source)/src/*/*.c)))

REGRESS = $(sort $(basename $(notdir $(wildcard $(source)/sql/*.sql))))
# Each test has a KIS simulator of its own, which ends with it.
REGRESS_OPTS = --load-extension=market_investor_fdw --launcher=$(source)/test/with-simulator

CATALOG = $(sort $(wildcard $(source)/catalog/*.tsv))
EXTRA_CLEAN = src/kis/catalog_data.h test/unit/build test/unit/build-sanitize test/fuzz/build

# Say which Debian package brings what is missing, except to those who only clean or pack.
ifneq ($(filter-out clean distclean dist,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell uname -s),Linux)
$(error this is $(shell uname -s), and epoll is needed, which Linux has: build and run it there, or in a container)
endif
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
ifneq ($(shell pkg-config --atleast-version=7.74 libcurl && echo yes),yes)
$(error libcurl $(shell pkg-config --modversion libcurl) is too old: 7.74 or later is needed)
endif
ifneq ($(shell pkg-config --atleast-version=1.7.14 libcjson && echo yes),yes)
$(error cJSON $(shell pkg-config --modversion libcjson) is too old: 1.7.14 or later is needed)
endif
endif

LIBRARY_CFLAGS := $(shell pkg-config --cflags libcurl libcjson libssl 2>/dev/null)
LIBRARY_LIBS := $(shell pkg-config --libs libcurl libcjson libssl 2>/dev/null)

PG_CPPFLAGS = -I$(abspath $(source))/include -I$(abspath $(source))/src -Isrc/kis $(LIBRARY_CFLAGS)
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter
SHLIB_LINK = $(LIBRARY_LIBS)

# Messages in other languages, by PostgreSQL's own NLS (nls.mk). Without msgfmt all are English.
ifeq ($(shell command -v msgfmt),)
override enable_nls = no
ifneq ($(filter-out clean distclean dist,$(or $(MAKECMDGOALS),all)),)
$(info msgfmt not found, so messages are in English alone: on Debian, apt-get install gettext)
endif
endif

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Other extensions have a README.md, too.
docmoduledir := $(EXTENSION)

src/kis/catalog.o src/kis/catalog.bc: src/kis/catalog_data.h

src/kis/catalog_data.h: $(source)/catalog/generate.awk $(CATALOG)
	awk -f $^ > $@

po/$(CATALOG_NAME).pot: src/kis/catalog_data.h

# Headers are few: any change of one rebuilds all.
$(OBJS) $(OBJS:.o=.bc): $(wildcard $(source)/include/*.h $(source)/src/*/*.h)

# By its whole name, or make would find the sources' directory.
BUILD_DIRECTORIES = $(addprefix $(CURDIR)/,$(sort $(dir $(OBJS) $(MO_FILES))))
$(OBJS) $(OBJS:.o=.bc) $(MO_FILES) src/kis/catalog_data.h: | $(BUILD_DIRECTORIES)
$(BUILD_DIRECTORIES):
	mkdir -p $@

# PGXS would look for those of doc in a directory doc there
.PHONY: uninstall-pages
uninstall: uninstall-pages
uninstall-pages:
	rm -f $(addprefix '$(DESTDIR)$(docdir)/$(docmoduledir)'/, $(notdir $(DOCS)))

# Unit tests of the half that knows no PostgreSQL. With SANITIZE=1 a use of freed
# memory, a leak or undefined behaviour ends the test.
UNIT_BUILD = test/unit/build$(if $(SANITIZE),-sanitize)
UNIT_SOURCES = $(notdir $(wildcard $(source)/test/unit/*.c))
UNIT_TESTS = $(patsubst %.c,$(UNIT_BUILD)/%,$(filter %_test.c,$(UNIT_SOURCES)))
UNIT_OBJS = $(patsubst %.c,$(UNIT_BUILD)/kis/%.o,$(notdir $(wildcard $(source)/src/kis/*.c))) \
	$(patsubst %.c,$(UNIT_BUILD)/%.o,$(filter-out %_test.c,$(UNIT_SOURCES)))
UNIT_CFLAGS = -std=gnu99 -g -O1 -Wall -Wextra -Wno-unused-parameter -pthread -I$(source)/include -I$(source)/src -I$(source)/test/unit -Isrc/kis $(LIBRARY_CFLAGS) \
	-DCATALOG='"$(abspath $(source))/catalog"' \
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
	$(CC) $(UNIT_CFLAGS) $^ -o $@ $(UNIT_LDFLAGS) $(LIBRARY_LIBS) -lcmocka -ldl

# It refuses what these bring.
$(UNIT_BUILD)/resource_test: UNIT_LDFLAGS = $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc free \
	epoll_create1 epoll_ctl curl_easy_init curl_multi_init curl_multi_add_handle)

$(UNIT_BUILD)/kis/%.o: src/kis/%.c $(wildcard $(source)/include/*.h $(source)/src/kis/*.h) src/kis/catalog_data.h
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -c $< -o $@

$(UNIT_BUILD)/%.o: test/unit/%.c $(wildcard $(source)/include/*.h $(source)/test/unit/*.h)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -c $< -o $@

# TAP tests start servers and simulators of their own; not as root, as initdb refuses that.
PROVE_TESTS ?= $(sort $(patsubst $(source)/%,%,$(wildcard $(source)/t/*.t)))

.PHONY: check-tap
check-tap:
	$(prove_installcheck)

# What PGXN takes: the last commit, by the version of META.json.
DISTVERSION = $(shell sed -n 's/^   "version": "\(.*\)",$$/\1/p' $(source)/META.json)
DISTNAME = $(EXTENSION)-$(DISTVERSION)

.PHONY: dist
dist:
	git -C $(source) archive --format=zip --prefix=$(DISTNAME)/ HEAD >$(DISTNAME).zip
