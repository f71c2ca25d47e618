# Figures of issue "First light". Sourced by t/figures.

# Start to ready with the schema there: the median of five starts, from the shell's fork to the first
# answer of `lockstep status` that says so (which is part of it).
start_to_ready() {
    local name=$1 role=$2 address=$3 began times='' i
    for i in 1 2 3 4 5; do
        stop "$name"
        began=$(now_us)
        start "$name"
        "$lockstep" status "$address" --wait "$role" --timeout 20s > /dev/null || fail "$name is not $role: $(tail -n 5 "$work/$name.log")"
        times="$times $(($(now_us) - began))"
    done
    # shellcheck disable=SC2086
    figure "$name-start-to-ready" "$(printf '%s\n' $times | sort -n | sed -n 3p | awk '{printf "%.3f", $1 / 1e6}')" s 0.3
}

# Memory at idle: what has become of it when it has not changed for a second.
idle_memory() {
    local name=$1 pid last='' now same=0
    eval "pid=\$pid_$name"
    while [ "$same" -lt 10 ]; do
        now=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")
        if [ "$now" = "$last" ]; then same=$((same + 1)); else same=0; fi
        last=$now
        read -rt 0.1 <> <(:) || :
    done
    figure "$name-idle-memory" "$(awk "BEGIN {printf \"%.1f\", $now / 1024}")" MiB 32
}

measure() {
    local url p a1 m1 alice bob
    postgres_start
    export LOCKSTEP_PASSWORD=$pg_password LS_TEST_ENGINE=postgresql
    p=$(free_port) a1=$(free_port) m1=$(free_port) alice=$(free_port) bob=$(free_port)
    url=http://127.0.0.1:$p
    printf 'sequencers:\n  seq:\n    storage: %s\n    public-api: {port: %s}\n    admin-api: {port: %s}\n    migrate-on-start: true\n' "$(storage seq)" "$p" "$a1" > "$work/sequencer.yaml"
    printf 'mediators:\n  med:\n    storage: %s\n    admin-api: {port: %s}\n    migrate-on-start: true\n    sequencer-connections: ["%s"]\n' "$(storage med)" "$m1" "$url" > "$work/mediator.yaml"
    printf 'participants:\n  alice:\n    storage: %s\n    api: {port: %s}\n    migrate-on-start: true\n    synchronizers: {demo: ["%s"]}\n' "$(storage alice)" "$alice" "$url" > "$work/participant.yaml"
    for n in sequencer mediator participant; do start $n; done
    await "has sequencer 'listening on' && has mediator 'listening on'"
    "$lockstep" bootstrap --name demo --sequencer "127.0.0.1:$a1" --mediator "127.0.0.1:$m1" --sequencer-url "$url" > "$work/bootstrap" 2>&1 || fail "$(cat "$work/bootstrap")"
    "$lockstep" status "127.0.0.1:$a1" "127.0.0.1:$m1" --wait active --timeout 30s > /dev/null || fail "not active"
    "$lockstep" status "127.0.0.1:$alice" --wait connected --timeout 30s > /dev/null || fail "not connected"

    "$build/t/bench/bench_send" "$url" 1000 > "$work/send" || fail "bench_send"
    figure send-async "$(value_of send-async)" ms ''
    figure one-commit "$(value_of one-commit)" ms ''
    figure one-plain-insert "$(value_of one-plain-insert)" ms ''
    figure empty-rpc "$(value_of empty-rpc)" ms ''
    figure send-async-over-floor "$(value_of send-async-over-floor)" ratio 1.5

    start_to_ready sequencer active "127.0.0.1:$a1"
    start_to_ready mediator active "127.0.0.1:$m1"
    start_to_ready participant connected "127.0.0.1:$alice"
    for n in sequencer mediator participant; do idle_memory $n; done

    # The process of ./quickstart: everything in one.
    export LOCKSTEP_DATA=$work/data
    mkdir "$work/data"
    a1=$(free_port) alice=$(free_port)
    sed "s/5001/$(free_port)/g; s/5002/$a1/g; s/5011/$alice/g; s/5012/$bob/g" "$top/etc/quickstart.yaml" > "$work/everything.yaml"
    start everything
    "$lockstep" status "127.0.0.1:$a1" "127.0.0.1:$alice" "127.0.0.1:$bob" --wait active,connected --timeout 30s > /dev/null || fail "quickstart.yaml is not ready: $(tail -n 5 "$work/everything.log")"
    idle_memory everything
}
