noinst_LTLIBRARIES += libtopology.la
libtopology_la_SOURCES = \
	%D%/apply.c %D%/apply.h \
	%D%/authorize.c \
	%D%/checks.c \
	%D%/genesis.c %D%/genesis.h \
	%D%/identity.c %D%/identity.h \
	%D%/mapping.c %D%/mapping.h \
	%D%/onboarding.c %D%/onboarding.h \
	%D%/parameters.c %D%/parameters.h \
	%D%/pieces.c \
	%D%/query.c \
	%D%/snapshot.c %D%/snapshot.h \
	%D%/state.c %D%/state.h \
	%D%/timestamps.h \
	%D%/topology.h \
	%D%/verify.c %D%/verify.h
$(libtopology_la_OBJECTS): | gen/stamp

UNIT_TESTS += t/unit/test_topology
t_unit_test_topology_SOURCES = t/unit/test_topology.c
t_unit_test_topology_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
t_unit_test_topology_LDADD = $(LS_CORE_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(ZLIB_LIBS) \
	$(JANSSON_LIBS) $(CMOCKA_LIBS)
$(t_unit_test_topology_OBJECTS): | gen/stamp
EXTRA_DIST += t/unit/topology_world.h
UNIT_TESTS += t/unit/test_topology_rules
t_unit_test_topology_rules_SOURCES = t/unit/test_topology_rules.c
t_unit_test_topology_rules_CFLAGS = $(t_unit_test_topology_CFLAGS)
t_unit_test_topology_rules_LDADD = $(t_unit_test_topology_LDADD)
$(t_unit_test_topology_rules_OBJECTS): | gen/stamp
UNIT_TESTS += t/unit/test_session_keys
t_unit_test_session_keys_SOURCES = t/unit/test_session_keys.c t/unit/session_key.h
t_unit_test_session_keys_CFLAGS = $(t_unit_test_topology_CFLAGS)
t_unit_test_session_keys_LDADD = $(t_unit_test_topology_LDADD)
$(t_unit_test_session_keys_OBJECTS): | gen/stamp
UNIT_TESTS += t/unit/test_topology_verify
t_unit_test_topology_verify_SOURCES = t/unit/test_topology_verify.c
t_unit_test_topology_verify_CFLAGS = $(t_unit_test_topology_CFLAGS)
t_unit_test_topology_verify_LDADD = $(t_unit_test_topology_LDADD)
$(t_unit_test_topology_verify_OBJECTS): | gen/stamp
