EXTRA_DIST += %D%/client.h
