# Fuzz harnesses: replayed over their corpus in make check; `make fuzz` gives each to libFuzzer.
FUZZ_WIRE = t/fuzz/fuzz_event t/fuzz/fuzz_informee_tree t/fuzz/fuzz_message t/fuzz/fuzz_precheck \
	t/fuzz/fuzz_recipients t/fuzz/fuzz_signed_content t/fuzz/fuzz_submission t/fuzz/fuzz_topology_tx
UNIT_TESTS += $(FUZZ_WIRE)
EXTRA_DIST += %D%/corpus

t_fuzz_fuzz_event_SOURCES = %D%/fuzz_event.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_event_LDADD = $(t_unit_test_wire_LDADD)
$(t_fuzz_fuzz_event_OBJECTS): | gen/stamp
t_fuzz_fuzz_informee_tree_SOURCES = %D%/fuzz_informee_tree.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_informee_tree_LDADD = $(t_unit_test_wire_LDADD)
$(t_fuzz_fuzz_informee_tree_OBJECTS): | gen/stamp
t_fuzz_fuzz_message_SOURCES = %D%/fuzz_message.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_message_LDADD = $(t_unit_test_wire_LDADD)
$(t_fuzz_fuzz_message_OBJECTS): | gen/stamp
t_fuzz_fuzz_precheck_SOURCES = %D%/fuzz_precheck.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_precheck_LDADD = $(t_unit_test_wire_LDADD)
$(t_fuzz_fuzz_precheck_OBJECTS): | gen/stamp
t_fuzz_fuzz_recipients_SOURCES = %D%/fuzz_recipients.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_recipients_LDADD = $(t_unit_test_wire_LDADD)
t_fuzz_fuzz_signed_content_SOURCES = %D%/fuzz_signed_content.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_signed_content_LDADD = $(t_unit_test_wire_LDADD)
t_fuzz_fuzz_submission_SOURCES = %D%/fuzz_submission.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_submission_LDADD = $(t_unit_test_wire_LDADD)
t_fuzz_fuzz_topology_tx_SOURCES = %D%/fuzz_topology_tx.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_topology_tx_LDADD = $(t_unit_test_wire_LDADD)
$(t_fuzz_fuzz_topology_tx_OBJECTS): | gen/stamp
UNIT_TESTS += t/fuzz/fuzz_config
t_fuzz_fuzz_config_SOURCES = %D%/fuzz_config.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_config_LDADD = libconfig.la libbase.la
FUZZ_TOPOLOGY = t/fuzz/fuzz_key t/fuzz/fuzz_parameters t/fuzz/fuzz_topology_apply \
	t/fuzz/fuzz_topology_verify
UNIT_TESTS += $(FUZZ_TOPOLOGY)
t_fuzz_fuzz_key_SOURCES = %D%/fuzz_key.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_key_LDADD = $(LS_CORE_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(ZLIB_LIBS)
$(t_fuzz_fuzz_key_OBJECTS): | gen/stamp
t_fuzz_fuzz_parameters_SOURCES = %D%/fuzz_parameters.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_parameters_LDADD = $(LS_CORE_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(ZLIB_LIBS)
$(t_fuzz_fuzz_parameters_OBJECTS): | gen/stamp
t_fuzz_fuzz_topology_apply_SOURCES = %D%/fuzz_topology_apply.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_topology_apply_LDADD = $(LS_CORE_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(ZLIB_LIBS)
$(t_fuzz_fuzz_topology_apply_OBJECTS): | gen/stamp
t_fuzz_fuzz_topology_verify_SOURCES = %D%/fuzz_topology_verify.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_topology_verify_LDADD = $(LS_CORE_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(ZLIB_LIBS)
$(t_fuzz_fuzz_topology_verify_OBJECTS): | gen/stamp
EXTRA_DIST += %D%/fuzz.sh
.PHONY: fuzz
fuzz: ## every parser under libFuzzer, 10 s each; FUZZ_S=60 for longer, FUZZ="key event" for some
	LS_FUZZ_S='$(FUZZ_S)' bash $(srcdir)/t/fuzz/fuzz.sh $(abs_srcdir) $(abs_builddir)/fuzz $(FUZZ)
