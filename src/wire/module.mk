noinst_LTLIBRARIES += libwire.la
libwire_la_SOURCES = \
	%D%/batch.c %D%/batch.h \
	%D%/batch_message.c %D%/batch_message.h \
	%D%/event.c %D%/event.h \
	%D%/gzip.c %D%/gzip.h \
	%D%/ids.c %D%/ids.h \
	%D%/informee_tree.c %D%/informee_tree.h \
	%D%/keys.c %D%/keys.h \
	%D%/merkle.c %D%/merkle.h \
	%D%/messages.c %D%/messages.h \
	%D%/messages_build.c \
	%D%/opened_view.c \
	%D%/own.c %D%/own.h \
	%D%/precheck.c %D%/precheck.h \
	%D%/recipients.c %D%/recipients.h \
	%D%/status.c %D%/status.h \
	%D%/status_message.h \
	%D%/scan.c %D%/scan.h \
	%D%/signed_content.c %D%/signed_content.h \
	%D%/status_ids.def \
	%D%/submission.c %D%/submission.h \
	%D%/topology_tx.c %D%/topology_tx.h \
	%D%/tree_build.c \
	%D%/tree_leaf.c %D%/tree_leaf.h \
	%D%/tree_walk.c %D%/tree_walk.h \
	%D%/versioned.c %D%/versioned.h \
	%D%/view_message.c %D%/view_message.h
# Generated headers come first, also when one target alone is made.
$(libwire_la_OBJECTS): | gen/stamp

UNIT_TESTS += t/unit/test_wire
t_unit_test_wire_SOURCES = t/unit/test_wire.c
t_unit_test_wire_LDADD = libwire.la libcrypto-ls.la libproto.la libbase.la $(OPENSSL_LIBS) \
	$(PROTOBUF_C_LIBS) $(ZLIB_LIBS) $(CMOCKA_LIBS)
$(t_unit_test_wire_OBJECTS): | gen/stamp

UNIT_TESTS += t/unit/test_wire_api
t_unit_test_wire_api_SOURCES = t/unit/test_wire_api.c
t_unit_test_wire_api_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
t_unit_test_wire_api_LDADD = $(t_unit_test_wire_LDADD) $(JANSSON_LIBS)
$(t_unit_test_wire_api_OBJECTS): | gen/stamp
EXTRA_DIST += t/vectors/sequencer-api.json

UNIT_TESTS += t/unit/test_wire_tree
t_unit_test_wire_tree_SOURCES = t/unit/test_wire_tree.c
t_unit_test_wire_tree_CFLAGS = $(t_unit_test_wire_api_CFLAGS)
t_unit_test_wire_tree_LDADD = $(t_unit_test_wire_api_LDADD)
$(t_unit_test_wire_tree_OBJECTS): | gen/stamp
EXTRA_DIST += t/vectors/informee-tree.json

UNIT_TESTS += t/unit/test_wire_messages
t_unit_test_wire_messages_SOURCES = t/unit/test_wire_messages.c
t_unit_test_wire_messages_CFLAGS = $(t_unit_test_wire_api_CFLAGS)
t_unit_test_wire_messages_LDADD = $(t_unit_test_wire_api_LDADD)
$(t_unit_test_wire_messages_OBJECTS): | gen/stamp
