# Participants that run, driven through their API.
check_PROGRAMS += t/participant/test_api
t_participant_test_api_SOURCES = t/participant/test_api.c t/unit/rpc_fixture.h
t_participant_test_api_LDADD = librpc.la libwire.la libcrypto-ls.la libproto.la libbase.la \
	$(GRPC_LIBS) $(ZLIB_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(CMOCKA_LIBS)
BLACKBOX_TESTS += t/participant/api.sh t/participant/failover.sh
EXTRA_DIST += t/participant/api.sh t/participant/failover.sh
