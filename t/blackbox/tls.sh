# TLS: members and admin clients come in with the right certificates only; what is wrong is said in one
# clear line; an admin API that anybody could reach is refused before the start.
. "$srcdir/t/lib.sh"
command -v openssl >/dev/null || skip "no openssl: apt-get install openssl"
lockstepd=$builddir/lockstepd lockstep=$builddir/lockstep
ssl() { openssl "$@" 2>> "$work/openssl.log" || fail "openssl $1: $(tail -n 3 "$work/openssl.log")"; }
# authority NAME; certificate NAME AUTHORITY HOST
authority() {
    ssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.pem"
}
certificate() {
    ssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.csr"
    printf 'subjectAltName=%s\n' "$3" > "$work/$1.ext"
    ssl x509 -req -in "$work/$1.csr" -CA "$work/$2.pem" -CAkey "$work/$2.key" -CAcreateserial -days 2 -extfile "$work/$1.ext" -out "$work/$1.pem"
}
authority ca
authority other
certificate server ca IP:127.0.0.1
certificate elsewhere ca DNS:elsewhere.example
certificate admin ca DNS:admin
certificate stranger other DNS:admin

synchronizer_file() { # CERTIFICATE
    cat <<END
synchronizer:
  demo:
    storage: {type: sqlite, file: demo.db}
    public-api: {port: ${public:-0}, tls: {cert-chain-file: $1.pem, private-key-file: $1.key}}
    admin-api:
      port: ${admin:-0}
      tls: {cert-chain-file: server.pem, private-key-file: server.key, trust-collection-file: ca.pem, client-auth: require}
END
}
participant_file() { # NAME TRUST [SCHEME]
    cat <<END
participants:
  $1:
    storage: {type: sqlite, file: $1.db}
    api: {port: 0}
    synchronizers: {demo: "${3:-https}://127.0.0.1:$public"}
    sequencer-client: {tls: {trust-collection-file: $2.pem}}
END
}
run() { # NAME 'READY'
    : > "$work/$1.log"
    "$lockstepd" -c "$work/$1.yaml" > "$work/$1.log" 2>&1 &
    eval "pid_$1=$!"
    at_exit "kill -9 $! 2>/dev/null"
    await "grep -q '$2' $work/$1.log || ! kill -0 $! 2>/dev/null"
    grep -q "$2" "$work/$1.log" || fail "$(cat "$work/$1.log")"
}
port() { sed -n "s#.*\(sequencer\|participant\)/.*listening on.*$2 127.0.0.1:\([0-9]*\).*#\2#p" "$work/$1.log" | tail -1; }
end() {
    eval "kill -TERM \$pid_$1; wait \$pid_$1" || fail "exit status $? of $1"
}
state() { "$lockstep" status "127.0.0.1:$(port "$1" api)" -o json; }

synchronizer_file server > "$work/demo.yaml"
run demo 'lockstep ready'
public=$(port demo public-api) admin=$(port demo admin-api)

# The right authority: connected. Another one, or no TLS: a line that says why, and no connection.
participant_file alice ca > "$work/alice.yaml"
run alice 'listening on'
"$lockstep" status "127.0.0.1:$(port alice api)" --wait connected --timeout 20s > "$work/status" 2>&1 || fail "$(cat "$work/status" "$work/alice.log")"
participant_file bob other > "$work/bob.yaml"
run bob 'cannot be reached.*certificate verify failed; check trust-collection-file.*LS-'
! state bob | grep -q '"connected"' || fail "connected in spite of another authority"
end bob
participant_file bob ca http > "$work/bob.yaml"
run bob 'endpoint http:.* cannot be reached.*LS-'
end bob
"$lockstep" submit -o json --server "127.0.0.1:$(port alice api)" --payload x > "$work/answer" 2>&1 &&
    grep -q '"verdict": *"committed"' "$work/answer" || fail "$(cat "$work/answer")"

# The admin API asks for a certificate of its authority.
tls="--tls-trust $work/ca.pem"
"$lockstep" status $tls --tls-cert "$work/admin.pem" --tls-key "$work/admin.key" "127.0.0.1:$admin" -o json > "$work/status" 2>&1 &&
    grep -q '"active"' "$work/status" || fail "$(cat "$work/status")"
"$lockstep" health $tls --tls-cert "$work/admin.pem" --tls-key "$work/admin.key" "127.0.0.1:$admin" > "$work/health" 2>&1 || fail "$(cat "$work/health")"
mediator=$(sed -n 's|.*mediator/demo-mediator.*listening on.*admin-api 127.0.0.1:\([0-9]*\).*|\1|p' "$work/demo.log")
if "$lockstep" status "127.0.0.1:$mediator" > "$work/out" 2>&1; then fail "the embedded mediator asks nobody: $(cat "$work/out")"; fi
shut_out() { # WHAT OPTIONS...
    local what=$1 status=0
    shift
    timeout 30 "$lockstep" status "$@" "127.0.0.1:$admin" > "$work/out" 2>&1 || status=$?
    [ "$status" != 0 ] && [ "$status" != 124 ] || fail "$what: exit status $status: $(cat "$work/out")"
    ! grep -q '"active"\|SEQ::' "$work/out" || fail "$what: $(cat "$work/out")"
    [ -s "$work/out" ] || fail "$what: no word"
}
shut_out "no certificate" $tls
shut_out "a stranger's certificate" $tls --tls-cert "$work/stranger.pem" --tls-key "$work/stranger.key"
shut_out "another authority" --tls-trust "$work/other.pem" --tls-cert "$work/admin.pem" --tls-key "$work/admin.key"
shut_out "no TLS"
shut_out "a missing file" --tls-trust "$work/nothing.pem"
shut_out "another's key" $tls --tls-cert "$work/admin.pem" --tls-key "$work/server.key"

# A certificate for another host is refused by who connects.
end demo
synchronizer_file elsewhere > "$work/demo.yaml"
run demo 'lockstep ready'
participant_file bob ca > "$work/bob.yaml"
run bob 'cannot be reached.*certificate.*LS-'
! state bob | grep -q '"connected"' || fail "connected in spite of another host's certificate"
end bob
end alice
end demo

# Files that cannot be used end the start; an open admin API ends the check of the configuration.
refused() { # STATUS PATTERN
    local status=0
    timeout 30 "$lockstepd" -c "$work/bad.yaml" > "$work/bad.log" 2>&1 || status=$?
    [ "$status" = "$1" ] && [ "$(grep -c 'LS-' "$work/bad.log")" = 1 ] && grep -q "$2" "$work/bad.log" ||
        fail "exit status $status: $(cat "$work/bad.log")"
    ! grep -q 'BEGIN\|PRIVATE' "$work/bad.log" || fail "a key in the log"
}
public=0 admin=0
synchronizer_file nothing > "$work/bad.yaml"
refused 78 'nothing.pem.*LS-CONFIG'
cp "$work/ca.pem" "$work/mixed.pem"
cp "$work/server.key" "$work/mixed.key"
synchronizer_file mixed > "$work/bad.yaml"
refused 78 'mixed.*certificate.*key.*LS-CONFIG'
checked() { # PATTERN ADMIN-API
    local status=0
    printf 'sequencers:\n  s: {storage: {type: sqlite, file: s.db}, public-api: {port: 0}, admin-api: %s}\n' "$2" > "$work/bad.yaml"
    "$lockstepd" -c "$work/bad.yaml" --check-config > "$work/out" 2>&1 || status=$?
    if [ -z "$1" ]; then
        [ "$status" = 0 ] || fail "$2: $(cat "$work/out")"
    else
        [ "$status" = 78 ] && grep -q "^$work/bad.yaml:[0-9]*:[0-9]*: .*$1.*LS-CONFIG" "$work/out" || fail "$2: $status $(cat "$work/out")"
    fi
}
open='admin-api.address: .* is no loopback address.*client-auth: require'
checked "$open" '{port: 0, address: 0.0.0.0}'
checked "$open" '{port: 0, address: "::"}'
checked "$open" '{port: 0, address: 127.0.0.1.example.org}'
checked "$open" '{port: 0, address: 192.0.2.1, tls: {cert-chain-file: server.pem, private-key-file: server.key}}'
checked "$open" '{port: 0, address: 192.0.2.1, tls: {cert-chain-file: server.pem, private-key-file: server.key, trust-collection-file: ca.pem, client-auth: optional}}'
checked 'client-auth: needs tls.trust-collection-file' '{port: 0, tls: {cert-chain-file: server.pem, private-key-file: server.key, client-auth: require}}'
checked '' '{port: 0, address: 192.0.2.1, tls: {cert-chain-file: server.pem, private-key-file: server.key, trust-collection-file: ca.pem, client-auth: require}}'
checked '' '{port: 0, address: "::1"}'
checked '' '{port: 0, address: 127.1.2.3}'
