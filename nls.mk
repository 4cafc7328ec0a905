# What PostgreSQL's nls-global.mk goes by: make update-po, and make for the .mo.
CATALOG_NAME = market_investor_fdw
# PostgreSQL reads po/LINGUAS itself since 17.
AVAIL_LANGUAGES := $(shell cat $(srcdir)/po/LINGUAS)
GETTEXT_FILES = $(sort $(patsubst $(srcdir)/%,%,$(wildcard $(srcdir)/src/*/*.c))) src/kis/catalog_data.h
GETTEXT_TRIGGERS = $(BACKEND_COMMON_GETTEXT_TRIGGERS) kis_noop kis_error_set:4 refuse:2
GETTEXT_FLAGS = $(BACKEND_COMMON_GETTEXT_FLAGS) kis_error_set:4:c-format refuse:2:c-format
