# TLS between lockstep and PostgreSQL: each mode of storage.tls, a wrong authority, a wrong name, a server
# without TLS, one that refuses plaintext, a client certificate. What is refused is one line that says why.
. "$srcdir/t/lib.sh"
command -v openssl >/dev/null || skip "no openssl: apt-get install openssl"
lockstep=$builddir/lockstep
postgres_start
postgres_stop

# Two authorities; the server's certificate names localhost and 127.0.0.1, another one a stranger.
ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$work/$1.key" -out "$work/$1.pem" 2>"$work/openssl.log"
}
issue() { # NAME SUBJECT SAN
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$work/$1.key" \
        -out "$work/$1.csr" 2>"$work/openssl.log" &&
        openssl x509 -req -in "$work/$1.csr" -CA "$work/good-ca.pem" -CAkey "$work/good-ca.key" -CAcreateserial -days 2 \
            -extfile <(echo "subjectAltName=$3") -out "$work/$1.pem" 2>>"$work/openssl.log"
}
{ ca good-ca && ca other-ca && issue server localhost DNS:localhost,IP:127.0.0.1 && issue stranger elsewhere DNS:elsewhere &&
    issue client lockstep DNS:client; } || fail "$(cat "$work/openssl.log")"
mkdir "$work/it's mine" # a path as people have them
cp "$work/good-ca.pem" "$work/it's mine/ca.pem"
chmod 600 "$work/client.key"
# serve CERTIFICATE|off HBA-LINE...: the server again, with that.
serve() {
    [ -z "$pg_running" ] || postgres_stop
    local ssl=off
    if [ "$1" != off ]; then
        ssl=on
        cp "$work/$1.pem" "$work/good-ca.pem" "$pg_dir/"
        install -m 600 "$work/$1.key" "$pg_dir/$1.key"
        chown "$(stat -c %U "$pg_dir/data")" "$pg_dir/$1.key"
    fi
    printf '%s\n' 'ssl_min_protocol_version = TLSv1.2' "ssl = $ssl" "ssl_cert_file = '$pg_dir/$1.pem'" \
        "ssl_key_file = '$pg_dir/$1.key'" "ssl_ca_file = '$pg_dir/good-ca.pem'" > "$pg_dir/data/postgresql.auto.conf"
    shift
    printf '%s\n' "$@" > "$pg_dir/data/pg_hba.conf"
    postgres_start
}
node() { # FURTHER-STORAGE-KEYS
    cat > "$work/a.yaml" <<END
mediators:
  med:
    storage: {type: postgresql, server: ${host:-127.0.0.1}, port: $pg_port, database: lockstep, user: lockstep, password: "$pg_password", schema: med${1:+, $1}}
    admin-api: {port: 5022}
    sequencer-connections: ["http://127.0.0.1:5001"]
END
}
accepted() {
    node "$1"
    "$lockstep" db migrate -c "$work/a.yaml" > "$work/out" 2>&1 || fail "$1: $(cat "$work/out")"
}
refused() { # KEYS PATTERN
    local status=0
    node "$1"
    "$lockstep" db migrate -c "$work/a.yaml" > "$work/out" 2>&1 || status=$?
    [ "$status" = 78 ] && [ "$(wc -l < "$work/out")" = 1 ] && grep -q "$2.*LS-CONFIG" "$work/out" ||
        fail "$1: exit status $status, not '$2': $(cat "$work/out")"
    ! grep -q "$pg_password" "$work/out" || fail "the password: $(cat "$work/out")"
}
all_hosts='host all all 127.0.0.1/32 scram-sha-256'
only_tls='hostssl all all 127.0.0.1/32 scram-sha-256'
root="tls-root-file: \"$work/good-ca.pem\""

serve server "$all_hosts"
accepted 'tls: disable'
accepted 'tls: require'
accepted "tls: verify-ca, $root"
accepted "tls: verify-full, $root"
accepted "tls: verify-full, tls-root-file: \"it's mine/ca.pem\"" # beside the configuration
host=localhost accepted "tls: verify-full, $root"
for mode in verify-ca verify-full; do
    refused "tls: $mode, tls-root-file: \"$work/other-ca.pem\"" 'certificate verify failed.*; check storage.tls and its files'
    refused "tls: $mode, tls-root-file: \"$work/nothing.pem\"" 'nothing.pem.*; check storage.tls and its files'
    refused "tls: $mode" 'storage.tls-root-file: missing'
done
refused "$root" 'tls-root-file: needs storage.tls'
refused "tls: require, tls-cert-file: c.pem" 'a certificate and a private key go together'
refused "tls: require, options: \"SSLmode=disable\"" 'storage.options: its SSLmode or pqopt contradicts storage.tls'
refused 'tls: maybe' 'one of disable'

# Plaintext is refused by a server that wants TLS.
serve server "$only_tls" "local all all scram-sha-256"
refused 'tls: disable' 'no encryption.*; set storage.tls: verify-full'
accepted "tls: verify-full, $root"

# A certificate of the right authority for another name.
serve stranger "$all_hosts"
accepted "tls: verify-ca, $root"
refused "tls: verify-full, $root" 'server certificate for .*; check storage.tls and its files'

# A server that wants the client's certificate, and one without TLS.
serve server 'hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full'
refused "tls: verify-full, $root" 'client certificate.*; check storage.tls and its files'
accepted "tls: verify-full, $root, tls-cert-file: client.pem, tls-key-file: client.key"
chmod 644 "$work/client.key"
refused "tls: verify-full, $root, tls-cert-file: client.pem, tls-key-file: client.key" 'private key file.*; check storage.tls'
serve off "$all_hosts"
refused 'tls: require' 'does not support SSL.*; turn ssl on at the server'
accepted 'tls: disable'
