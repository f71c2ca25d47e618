noinst_LTLIBRARIES += libnode.la
libnode_la_SOURCES = \
	%D%/admin_internal.h \
	%D%/admin_mediator.c \
	%D%/admin_sequencer.c \
	%D%/admin_service.c %D%/admin_service.h \
	%D%/genesis_boot.c %D%/genesis_boot.h \
	%D%/node_identity.c %D%/node_identity.h
$(libnode_la_OBJECTS): | gen/stamp
SQL_STATEMENTS += sql/statements/node.sql
