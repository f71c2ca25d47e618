noinst_LTLIBRARIES += libwire.la
libwire_la_SOURCES = \
	%D%/batch.h \
	%D%/event.h \
	%D%/gzip.h \
	%D%/ids.h \
	%D%/informee_tree.h \
	%D%/keys.h \
	%D%/merkle.h \
	%D%/messages.h \
	%D%/precheck.c %D%/precheck.h \
	%D%/recipients.h \
	%D%/rpc_status.h \
	%D%/scan.c %D%/scan.h \
	%D%/signed_content.h \
	%D%/status_ids.def \
	%D%/submission.h \
	%D%/topology_tx.h \
	%D%/versioned.h \
	%D%/view_message.h
# Generated headers come first, also when one target alone is made.
$(libwire_la_OBJECTS): | gen/stamp
