noinst_LTLIBRARIES += libcrypto-ls.la
libcrypto_ls_la_SOURCES = \
	%D%/delegation.c %D%/delegation.h \
	%D%/hash.c %D%/hash.h \
	%D%/key.c %D%/key.h \
	%D%/openssl.h \
	%D%/point.c %D%/point.h \
	%D%/private_key.c \
	%D%/keyring.c %D%/keyring.h \
	%D%/key_wrap.c %D%/key_wrap.h \
	%D%/seal.c %D%/seal.h \
	%D%/signature.c %D%/signature.h
libcrypto_ls_la_LIBADD = $(OPENSSL_LIBS)

UNIT_TESTS += t/unit/test_crypto
t_unit_test_crypto_SOURCES = t/unit/test_crypto.c
t_unit_test_crypto_LDADD = libcrypto-ls.la libbase.la $(CMOCKA_LIBS) $(JANSSON_LIBS)
t_unit_test_crypto_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
EXTRA_DIST += t/vectors/golden.json t/unit/vectors.h
