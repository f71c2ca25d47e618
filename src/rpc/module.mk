# gRPC core behind our own interface. The only code that includes <grpc/...>.
noinst_LTLIBRARIES += librpc.la
librpc_la_SOURCES = \
	%D%/client.h \
	%D%/health.h \
	%D%/loop.h \
	%D%/server.h \
	%D%/status.c %D%/status.h \
	%D%/tls.h \
	%D%/trace.h
librpc_la_LIBADD = $(GRPC_LIBS)
