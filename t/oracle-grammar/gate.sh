# The grammar gate: every text of the Oracle dialect, as `lockstep db statements` prints it, parses by
# Oracle's grammar and keeps the rules of rules.js; then the gate itself is tested with wrong texts.
# The grammar comes from npm, pinned with its hashes, into the build folder, once.
. "$srcdir/t/lib.sh"
here=$srcdir/t/oracle-grammar
npm=$builddir/t/oracle-grammar/npm

# missing WHY: a reason to skip, but not for ./check, which has made sure that Node.js is there.
missing() {
    if [ -n "${LOCKSTEP_GRAMMAR:-}" ]; then fail "$1"; fi
    skip "$1"
}
command -v node >/dev/null && command -v npm >/dev/null || missing "no Node.js: apt-get install nodejs npm"
node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || missing "Node.js $(node --version) is too old: 18 or later"

if ! cmp -s "$here/package-lock.json" "$npm/package-lock.json"; then
    rm -rf "$npm" "$npm.new"
    mkdir -p "$npm.new"
    cp "$here/package.json" "$here/package-lock.json" "$npm.new"
    (cd "$npm.new" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --prefer-offline) > "$work/npm.log" 2>&1 ||
        { cat "$work/npm.log" >&2; missing "npm ci: the grammar cannot be fetched"; }
    mv "$npm.new" "$npm"
fi
NODE_PATH=$npm/node_modules
export NODE_PATH
# A registry's address would tie the build to one host.
if grep -n '"resolved"\|https\{0,1\}:' "$here/package-lock.json"; then fail "package-lock.json names a host: npm install --omit-lockfile-registry-resolved"; fi

node "$here/gate.js" --samples "$here/samples.txt" || fail "the gate's own samples"

"$builddir/lockstep" db statements --dialect oracle -o json > "$work/all.json"
node "$here/gate.js" < "$work/all.json" || fail "the Oracle dialect"

# spoilt NAME 'SCRIPT' WANTED: with its rows changed by the script the gate refuses them, and says what is wrong.
spoilt() {
    node -e "const rows = JSON.parse(require('fs').readFileSync(process.argv[1])); $2; console.log(JSON.stringify(rows))" \
        "$work/all.json" > "$work/$1.json"
    if node "$here/gate.js" < "$work/$1.json" > "$work/$1.out"; then fail "$1 was let through"; fi
    grep -q "$3" "$work/$1.out" || { cat "$work/$1.out"; fail "$1: not told: $3"; }
}
spoilt limit 'rows.find((r) => r.name === "ping").sql += " LIMIT 1"' 'ping (text 1): foreign-word: LIMIT'
spoilt type 'const r = rows.find((r) => /^CREATE TABLE/.test(r.sql)); r.sql = r.sql.replace("NUMBER(19)", "BIGINT")' \
    '(text [0-9]*): foreign-type: BIGINT'
spoilt lob 'rows.push({name: "planted", step: 1, sql: "SELECT ts FROM ls_log WHERE payload = ?"})' 'planted (text 1): lob-compared: PAYLOAD'
spoilt nothing 'rows.length = 0' 'no statement at all'
