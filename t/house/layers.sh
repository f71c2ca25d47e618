#!/bin/bash
# The layers of doc/architecture.md, read from the #include lines: which folder may include which, who may
# see ODBC, gRPC, OpenSSL and generated protobuf code; and no SQL in C (it lives in sql/). Then the test is
# tested: each kind of fault, planted in a copy, must be found.
set -u
root=${srcdir:-.}

# folder: what it may include beside itself; pb: generated messages.
allowed() {
    case $1 in
    base) echo "" ;;
    crypto | storage | rpc | config) echo "base" ;;
    wire) echo "base crypto pb" ;;
    topology) echo "base crypto wire pb" ;;
    client) echo "base crypto wire rpc pb lockstep" ;;
    sequencer) echo "base crypto wire topology storage rpc pb" ;;
    mediator | participant) echo "base crypto wire topology storage rpc client pb" ;;
    node) echo "base crypto wire topology storage rpc config client sequencer mediator participant pb" ;;
    cli) echo "base crypto wire topology rpc config client storage lockstep pb" ;;
    *) echo "?" ;;
    esac
}

# Prints one line a fault.
check_tree() {
    local tree=$1 file folder inc name part
    find "$tree/src" "$tree/storage" -name '*.[ch]' | sort | while read -r file; do
        folder=${file#"$tree"/}
        folder=${folder#src/}
        folder=${folder%%/*}
        [ "$(allowed "$folder")" = "?" ] && echo "$file: no layer is written down for $folder"
        sed -n 's/^[ \t]*#[ \t]*include[ \t]*\([<"][^>"]*\).*/\1/p' "$file" | while read -r inc; do
            name=${inc#?}
            part=${name%%/*}
            case $name in
            sql.h | sqlext.h | sqltypes.h | sqlucode.h | odbcinst.h)
                [ "$folder" = storage ] || echo "$file: <$name>: only storage/ sees ODBC" ;;
            grpc/*)
                [ "$folder" = rpc ] || echo "$file: <$name>: only src/rpc/ sees gRPC" ;;
            openssl/*)
                [ "$folder" = crypto ] || [ "$file" = "$tree/src/rpc/tls.c" ] ||
                    echo "$file: <$name>: only src/crypto/ and src/rpc/tls.c see OpenSSL" ;;
            yaml.h)
                [ "$folder" = config ] || echo "$file: <$name>: only src/config/ reads YAML" ;;
            *.pb-c.h)
                case " $(allowed "$folder") " in *" pb "*) ;;
                *) echo "$file: \"$name\": $folder may not see generated messages" ;; esac ;;
            */*)
                [ "${inc:0:1}" = '"' ] || continue
                [ "$part" = "$folder" ] && continue
                case " $(allowed "$folder") " in *" $part "*) ;;
                *) echo "$file: \"$name\": $folder may not include $part" ;; esac ;;
            esac
        done
    done
    find "$tree/src" "$tree/storage" -name '*.[ch]' | sort | xargs grep -nE \
        '"[^"]*\b(SELECT .* FROM|INSERT INTO|UPDATE [a-z_%]+ +SET|DELETE FROM|MERGE INTO|(CREATE|ALTER|DROP) (TABLE|INDEX))\b' |
        sed 's/$/  <- SQL in C: a statement belongs in sql\/statements/'
}

faults=$(check_tree "$root")
if [ -n "$faults" ]; then
    echo "$faults"
    exit 1
fi

copy=$(mktemp -d) || exit 1
trap 'rm -rf "$copy"' EXIT
status=0
planted() { # file, line: must be found
    mkdir -p "$copy/src" "$copy/storage" "$copy/$(dirname "$1")"
    printf '%s\n' "$2" >"$copy/$1"
    if [ -z "$(check_tree "$copy")" ]; then
        echo "not found: $2 in $1"
        status=1
    fi
    rm -f "$copy/$1"
}
planted src/base/x.c '#include "wire/ids.h"'
planted src/crypto/x.h '#include "protocol_v30.pb-c.h"'
planted src/sequencer/x.c '#include "mediator/tally.h"'
planted src/mediator/x.c '#include "sequencer/clock.h"'
planted storage/x.c '#include "wire/ids.h"'
planted src/rpc/x.c '#include "wire/ids.h"'
planted src/rpc/x.c '#include <openssl/ssl.h>'
planted src/node/x.c '# include <sqlext.h>'
planted src/client/x.c '  #include <grpc/grpc.h>'
planted src/unknown/x.c 'int x;'
planted storage/x.c 'const char *s = "SELECT a FROM b";'
planted src/node/x.c 'f("UPDATE ls_lease SET epoch = 1");'
[ "$status" = 0 ] && echo "layers: $(find "$root/src" "$root/storage" -name '*.[ch]' | wc -l) files, no fault"
exit $status
