# SQL_STATEMENTS and SQL_MIGRATIONS: each owner of tables appends in its own module.mk.
SQL_STATEMENTS =
SQL_MIGRATIONS =
EXTRA_DIST += sql/statements/README %D%/catalogue.h %D%/db.h %D%/lease.h %D%/migrate.h %D%/value.h
