#!/usr/bin/env bash
# Measures the gateway against the yardstick (naive.py) and prints which bars it meets: see README.md.
#
#   bench/compare.sh            every workload
#   bench/compare.sh A B        these alone: A A1 B C whole usage tools toolsC hold C1000
#
# ROUNDS=5 rounds of each; QUICK=1 for a short, rough run; OUT=dir keeps the figures and the logs.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd .. && pwd)

command -v go >/dev/null || { echo "the rig is written in Go, and there is no \`go\` here" >&2; exit 1; }
python=${PYTHON:-$root/.venv/bin/python}
[ -x "$python" ] || { echo "no $python: \`make run\` or \`make test\` makes it, PYTHON=… names another" >&2; exit 1; }
ulimit -n 16384 2>/dev/null || ulimit -n "$(ulimit -Hn)"

quick=${QUICK:-}
rounds=${ROUNDS:-${quick:+1}}
rounds=${rounds:-5}
work=$(mktemp -d)
runs=$work/runs.jsonl
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    if [ -n "${OUT:-}" ]; then
        mkdir -p "$OUT"
        cp "$work"/*.json* "$work"/*.log "$OUT" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

free_port() { "$python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

until_up() { # URL LOG: waits for an answer of any status
    for _ in $(seq 200); do
        if "$python" - "$1" 2>/dev/null <<'PY'
import sys, urllib.error, urllib.request
try:
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=2)
except urllib.error.HTTPError:
    pass
PY
        then return; fi
        sleep 0.1
    done
    echo "$1 does not answer:" >&2
    tail -20 "$2" >&2
    exit 1
}

go build -o "$work/benchrig" .
rig=$work/benchrig

mock_port=$(free_port)
mock=http://127.0.0.1:$mock_port
"$rig" mockpoe --addr "127.0.0.1:$mock_port" 2>"$work/mock.log" &
pids+=($!)
until_up "$mock/usage/current_balance" "$work/mock.log"

warm_up() { # URL: what comes but once is not to be measured
    "$rig" load --base "$1" --c 8 --n 64 >/dev/null
    "$rig" load --base "$1" --c 4 --n 8 --stream=false >/dev/null
}

start_naive() { # sets naive_target
    local port
    port=$(free_port)
    env -i PATH="$PATH" HOME="$work" PYTHONDONTWRITEBYTECODE=1 POE_BASE_URL="$mock" \
        "$python" -m gunicorn --no-control-socket -k gevent -w 1 --worker-connections 4000 -b "127.0.0.1:$port" naive:app >"$work/naive.log" 2>&1 &
    pids+=($!)
    naive_target="naive=http://127.0.0.1:$port/v1,pid=$!"
    until_up "http://127.0.0.1:$port/" "$work/naive.log"
    warm_up "http://127.0.0.1:$port/v1"
}

start_ours() { # WORKERS LOG VARIABLES…; sets ours_url and ours_pid
    local port
    port=$(free_port)
    local workers=$1 name=$2
    shift 2
    mkdir -p "$work/$name"
    (cd "$root" && exec env -i PATH="$PATH" HOME="$work" HOST=127.0.0.1 PORT="$port" CONFIG_DIR="$work/$name" TMPDIR="$work/$name" \
        POE_BASE_URL="$mock" RATE_LIMIT_MS=0 LOG_LEVEL=info WEB_CONCURRENCY="$workers" GRACEFUL_TIMEOUT=2 "$@" \
        "$python" -m gunicorn -c gunicorn.conf.py wsgi:app) >"$work/$name.log" 2>&1 &
    ours_pid=$!
    pids+=("$ours_pid")
    ours_url=http://127.0.0.1:$port/v1
    until_up "http://127.0.0.1:$port/health" "$work/$name.log"
    sleep 1 # every worker is up, and has read the model list
    warm_up "$ours_url"
}

stop_ours() {
    kill "$ours_pid" 2>/dev/null || true
    wait "$ours_pid" 2>/dev/null || true
}

compare() { # LABEL ARGS…
    local label=$1
    shift
    "$rig" compare --label "$label" --rounds "$rounds" --stats "$mock" --out "$runs" "$@"
    echo
}

three() { # LABEL ARGS…: the mock itself, the yardstick, the gateway
    compare "$@" --target "direct=direct:$mock" --target "$naive_target" --target "ours=$ours_url,pid=$ours_pid"
}

tools() { # LABEL EVENTS PACE ARGS…: the same characters in the same number of events, as text, as a native and as an XML call
    local label=$1 events=$2 pace=$3
    shift 3
    local plain=bench-e$events-c12-$pace native=bench-e0-a$events-c12-$pace-tool xml=bench-e0-a$events-c12-$pace-xml
    start_ours 1 "ours-$label" MODELS_YAML="models: {$native: {tools_mode: native}, $xml: {tools_mode: xml}}"
    compare "$label" "$@" \
        --target "plain=$ours_url,pid=$ours_pid,model=$plain" \
        --target "native=$ours_url,pid=$ours_pid,model=$native,tools=true" \
        --target "xml=$ours_url,pid=$ours_pid,model=$xml,tools=true"
    stop_ours
}

n() { if [ -n "$quick" ]; then echo $(($1 / 4)); else echo "$1"; fi; } # fewer requests in a short run

run() {
    case $1 in
    A) three A --model bench-e50-c12-d0 --c 32 --n "$(n 960)" ;;
    A1) three A1 --model bench-e50-c12-d0 --c 1 --n "$(n 200)" ;;
    B) three B --model bench-e2000-c12-d0 --c 8 --n "$(n 64)" ;;
    C) three C --model "bench-e$(n 300)-c12-d20" --c 200 --n 200 --ramp 1s ;;
    whole) three whole --stream=false --model bench-e200-c12-d0 --c 32 --n "$(n 320)" ;;
    usage)
        compare usage --model bench-e50-c12-d0 --c 8 --n "$(n 200)" --prompt 100000 \
            --target "without=$ours_url,pid=$ours_pid" --target "with=$ours_url,pid=$ours_pid,usage=true"
        ;;
    tools) tools tools 2000 d0 --c 8 --n "$(n 64)" ;;
    toolsC) tools toolsC "$(n 300)" d20 --c 200 --n 200 --ramp 1s ;;
    hold)
        "$rig" hold --n "$(n 1000)" --model bench-e2-d600000 --ramp 2s --base "$ours_url" --pid "$ours_pid" --stats "$mock" >"$work/hold.json"
        echo "## hold"
        cat "$work/hold.json"
        echo
        ;;
    C1000)
        compare C1000 --model "bench-e$(n 200)-c12-d20" --c 1000 --n 1000 --ramp 2s --timeout 180s --target "ours=$ours_url,pid=$ours_pid"
        ;;
    *)
        echo "no such workload: $1 (A A1 B C whole usage tools toolsC hold C1000)" >&2
        exit 2
        ;;
    esac
}

wanted=("$@")
[ $# -gt 0 ] || wanted=(A A1 B C whole usage tools toolsC hold C1000)
start_naive
for workload in "${wanted[@]}"; do
    # Memory is measured on a gateway that has done next to nothing, and only one workload wants two workers.
    case $workload in
    tools | toolsC)
        run "$workload" # starts its own, which knows its bots
        ours_one=
        ;;
    hold | C1000)
        start_ours "$([ "$workload" = C1000 ] && echo 2 || echo 1)" "ours-$workload"
        run "$workload"
        stop_ours
        ours_one=
        ;;
    *)
        if [ -z "${ours_one:-}" ]; then start_ours 1 ours; ours_one=1; fi
        run "$workload"
        ;;
    esac
done
"$python" bars.py "$work"
