# What is sent to Oracle parses by Oracle's grammar. Needs Node.js; nothing of it is shipped.
BLACKBOX_TESTS += %D%/gate.sh
EXTRA_DIST += %D%/gate.sh %D%/gate.js %D%/rules.js %D%/sql.js %D%/grammar.js %D%/exceptions.js \
	%D%/samples.txt %D%/package.json %D%/package-lock.json
clean-local: clean-oracle-grammar
.PHONY: clean-oracle-grammar
clean-oracle-grammar:
	rm -rf %D%/npm %D%/npm.new
