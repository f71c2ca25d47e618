# SQL_STATEMENTS and SQL_MIGRATIONS: each owner of tables appends in its own module.mk.
SQL_STATEMENTS = sql/statements/base.sql sql/statements/doctor.sql
SQL_MIGRATIONS = sql/postgres/0001-base.sql sql/sqlite/0001-base.sql sql/oracle/0001-base.sql \
	sql/postgres/0005-expand-doctor.sql sql/sqlite/0005-expand-doctor.sql sql/oracle/0005-expand-doctor.sql \
	sql/postgres/setup.sql sql/postgres/grants.sql sql/oracle/setup.sql sql/oracle/grants.sql
nobase_dist_pkgdata_DATA = $(SQL_STATEMENTS) $(SQL_MIGRATIONS)
EXTRA_DIST += sql/statements/README %D%/embed.awk %D%/embed.sh

gen/sql_catalogue.c: $(SQL_STATEMENTS) $(SQL_MIGRATIONS) %D%/embed.awk %D%/embed.sh
	$(AM_V_GEN)$(SHELL) $(srcdir)/%D%/embed.sh '$(AWK)' $(srcdir) $@ $(SQL_STATEMENTS) $(SQL_MIGRATIONS)
CLEANFILES += gen/sql_catalogue.c gen/sql_catalogue.c.tmp

# The library without a catalogue: the tests bring statements of their own.
noinst_LTLIBRARIES += libstorage-core.la libstorage.la
libstorage_core_la_SOURCES = \
	%D%/attempt.c \
	%D%/bind.c %D%/bind.h \
	%D%/catalogue.c %D%/catalogue.h %D%/catalogue_table.h \
	%D%/claim.c %D%/claim.h \
	%D%/conn.c %D%/conn.h \
	%D%/cursor.c \
	%D%/db.h %D%/db_internal.h \
	%D%/dialect.c %D%/dialect.h %D%/dialect_postgres.c %D%/dialect_sqlite.c %D%/dialect_oracle.c \
	%D%/doctor.c %D%/doctor.h %D%/doctor_internal.h %D%/doctor_judge.c %D%/doctor_judge.h \
	%D%/doctor_proof.c \
	%D%/lease.c %D%/lease.h %D%/lease_watch.c \
	%D%/migrate.c %D%/migrate.h \
	%D%/pool.c \
	%D%/rows.c %D%/rows.h \
	%D%/schema_sql.c %D%/schema_sql.h \
	%D%/secret.c %D%/secret.h \
	%D%/socket_find.c %D%/socket_find.h \
	%D%/txn.c \
	%D%/value.h \
	%D%/threading.c %D%/threading.h \
	%D%/watch.c %D%/watch.h \
	%D%/worker.c
libstorage_core_la_LIBADD = $(ODBC_LIBS)
libstorage_la_SOURCES =
nodist_libstorage_la_SOURCES = gen/sql_catalogue.c
libstorage_la_LIBADD = libstorage-core.la

include t/storage/module.mk
