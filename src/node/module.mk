noinst_LTLIBRARIES += libnode.la
libnode_la_SOURCES = \
	%D%/admin_internal.h \
	%D%/admin_keys.c \
	%D%/admin_mediator.c \
	%D%/admin_sequencer.c \
	%D%/admin_service.c %D%/admin_service.h \
	%D%/admin_stores.c %D%/admin_stores.h \
	%D%/admin_topology.c \
	%D%/admin_topology_write.c \
	%D%/daemon.c %D%/daemon.h \
	%D%/embedded.c \
	%D%/genesis_boot.c %D%/genesis_boot.h \
	%D%/guard.c %D%/guard.h \
	%D%/key_follow.c %D%/key_follow.h \
	%D%/lifecycle.c %D%/lifecycle.h \
	%D%/node.c %D%/node.h %D%/node_internal.h \
	%D%/node_db.c %D%/node_db.h \
	%D%/node_identity.c %D%/node_identity.h \
	%D%/role_mediator.c \
	%D%/role_participant.c \
	%D%/role_sequencer.c
libnode_la_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
$(libnode_la_OBJECTS): | gen/stamp
SQL_STATEMENTS += sql/statements/node.sql

UNIT_TESTS += t/unit/test_lifecycle
t_unit_test_lifecycle_SOURCES = t/unit/test_lifecycle.c
t_unit_test_lifecycle_LDADD = libnode.la libbase.la $(CMOCKA_LIBS)

sbin_PROGRAMS += lockstepd
lockstepd_SOURCES = %D%/main.c
lockstepd_LDADD = libnode.la libsequencer.la libmediator.la libparticipant.la libclient.la \
	libstorage.la librpc.la libconfig.la $(LS_CORE_LIBS) \
	$(SYSTEMD_LIBS) $(PROTOBUF_C_LIBS) $(OPENSSL_LIBS) $(ZLIB_LIBS)

BLACKBOX_TESTS += t/blackbox/config.sh
EXTRA_DIST += t/blackbox/config.sh
BLACKBOX_TESTS += t/blackbox/embedded.sh t/blackbox/replicas.sh t/blackbox/start.sh
EXTRA_DIST += t/blackbox/embedded.sh t/blackbox/replicas.sh t/blackbox/start.sh

check_PROGRAMS += t/node/test_admin
t_node_test_admin_SOURCES = t/node/test_admin.c
t_node_test_admin_LDADD = librpc.la $(LS_CORE_LIBS) $(PROTOBUF_C_LIBS) $(OPENSSL_LIBS) $(ZLIB_LIBS) \
	$(CMOCKA_LIBS)
$(t_node_test_admin_OBJECTS): | gen/stamp
BLACKBOX_TESTS += t/blackbox/admin.sh
EXTRA_DIST += t/blackbox/admin.sh
