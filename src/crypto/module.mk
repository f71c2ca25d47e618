EXTRA_DIST += %D%/hash.h %D%/key.h %D%/keyring.h %D%/seal.h %D%/signature.h
