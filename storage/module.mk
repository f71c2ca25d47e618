# SQL_STATEMENTS and SQL_MIGRATIONS: each owner of tables appends in its own module.mk.
SQL_STATEMENTS = sql/statements/base.sql
SQL_MIGRATIONS = sql/postgres/0001-base.sql sql/sqlite/0001-base.sql
nobase_dist_pkgdata_DATA = $(SQL_STATEMENTS) $(SQL_MIGRATIONS)
EXTRA_DIST += sql/statements/README %D%/embed.awk

# The catalogue. Migrations are given to awk in the order of their numbers, with their checksums.
gen/sql_catalogue.c: $(SQL_STATEMENTS) $(SQL_MIGRATIONS) %D%/embed.awk
	$(AM_V_GEN)$(MKDIR_P) gen && \
	{ for f in $(SQL_STATEMENTS); do echo "statements $(srcdir)/$$f"; done; \
	  for f in $(SQL_MIGRATIONS); do \
	    base=`basename $$f .sql`; dir=`dirname $$f`; dir=`basename $$dir`; \
	    sum=`sha256sum < $(srcdir)/$$f` || exit 1; \
	    test $$dir != postgres || dir=postgresql; \
	    echo "migration $$dir $${base%%-*} $${base#*-} $${sum%% *} $(srcdir)/$$f"; \
	  done | LC_ALL=C sort -k2,2 -k3,3; } | \
	LC_ALL=C $(AWK) -f $(srcdir)/%D%/embed.awk > $@.tmp && mv $@.tmp $@
CLEANFILES += gen/sql_catalogue.c gen/sql_catalogue.c.tmp

noinst_LTLIBRARIES += libstorage.la
libstorage_la_SOURCES = \
	%D%/catalogue.c %D%/catalogue.h %D%/catalogue_table.h \
	%D%/db.h %D%/lease.h %D%/migrate.h %D%/value.h
nodist_libstorage_la_SOURCES = gen/sql_catalogue.c
libstorage_la_LIBADD = $(ODBC_LIBS)
