# The imitation of Oracle's driver: built by `make check`, never installed (-rpath makes libtool build
# a loadable module).
check_LTLIBRARIES += %D%/fakeora.la
t_fakeora_fakeora_la_SOURCES = %D%/fakeora.h %D%/connect.c %D%/errors.c %D%/fault.c %D%/gate.c \
	%D%/handles.c %D%/real.c %D%/rewrite.c %D%/statement.c %D%/tokens.c
t_fakeora_fakeora_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere -Wl,-Bsymbolic
EXTRA_DIST += %D%/README %D%/objects.sql
check_PROGRAMS += %D%/test_fakeora
t_fakeora_test_fakeora_SOURCES = %D%/test_fakeora.c %D%/test_texts.c %D%/session.c %D%/session.h
t_fakeora_test_fakeora_LDADD = $(ODBC_LIBS) $(CMOCKA_LIBS)
BLACKBOX_TESTS += %D%/driver.sh %D%/server.sh
EXTRA_DIST += %D%/driver.sh %D%/server.sh
CLEANFILES += %D%/traces/*

# Reads what the driver wrote down in these; a new test that runs on Oracle joins them.
BLACKBOX_TESTS += %D%/coverage.sh
EXTRA_DIST += %D%/coverage.sh %D%/compare.py
%D%/coverage.log: %D%/server.log t/fault/chaos-oracle.log t/storage/accounts-oracle.log t/storage/oracle.log
