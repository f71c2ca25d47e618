# lockstepd --check-config accepts every sample, and says every problem of a bad file with exit status 78.
. "$srcdir/t/lib.sh"
export LOCKSTEP_DATA="$work" LOCKSTEP_DB=db LOCKSTEP_DB_PASSWORD=hunter2 LOCKSTEP_KEY=$LOCKSTEP_ENCRYPTION_KEY
lockstepd=$builddir/lockstepd

for sample in "$srcdir"/etc/*.yaml; do
    "$lockstepd" -c "$sample" --check-config > "$work/out" 2>&1 || fail "$sample: $(cat "$work/out")"
    [ ! -s "$work/out" ] || fail "$sample: $(cat "$work/out")"
done

cat > "$work/bad.yaml" <<'END'
sequencers:
  seq:
    storage: {type: postgres, server: db, database: d, password: "${env:LOCKSTEP_DB_PASSWORD}", pasword: hunter2}
    public-api: {prot: 5001}
    admin-api: {port: 5002}
    high-availability: {offline-duration: 8s, lease-expiry: 300ms}
END
status=0
"$lockstepd" -c "$work/bad.yaml" --check-config > "$work/out" 2>&1 || status=$?
[ "$status" = 78 ] || fail "exit status $status: $(cat "$work/out")"
sed "s|^$work/||" "$work/out" > "$work/got"
cat > "$work/wanted" <<'END'
bad.yaml:2:3: sequencers.seq.public-api.port: missing; write a port, or 0 for any free one [LS-CONFIG]
bad.yaml:3:21: sequencers.seq.storage.type: "postgres" is wrong; did you mean postgresql? (one of sqlite|postgresql|oracle) [LS-CONFIG]
bad.yaml:3:97: sequencers.seq.storage.pasword: unknown key; did you mean storage.password? [LS-CONFIG]
bad.yaml:4:18: sequencers.seq.public-api.prot: unknown key; did you mean public-api.port? [LS-CONFIG]
bad.yaml:6:25: sequencers.seq.high-availability.offline-duration: a key of the existing implementation without meaning here; use high-availability.lease-expiry [LS-CONFIG]
bad.yaml:6:47: sequencers.seq.high-availability.lease-expiry: 300ms is less than 3 x lease-renew (250ms); set 750ms or more [LS-CONFIG]
END
diff "$work/wanted" "$work/got" || fail "other problems than wanted"
! grep -q hunter2 "$work/out" || fail "a secret was shown"

status=0
"$lockstepd" -c "$work/none.yaml" 2> "$work/out" || status=$?
[ "$status" = 78 ] || fail "exit status $status without a file"
status=0
"$lockstepd" --nonsense 2> "$work/out" || status=$?
[ "$status" = 2 ] || fail "exit status $status for a wrong option"
