#!/usr/bin/env bash
# The development topology: one server, four workers, one Redis. Builds when needed, waits until all
# are ready, submits a C++ program with 20 tests, prints the verdicts and where the page is.
# Ctrl-C stops everything.
#
#   ./start-dev.sh            with Docker Compose where an engine is there, else the processes
#   ./start-dev.sh --direct   the processes, whatever is there
#   ./start-dev.sh --once     ends after the sample, with its exit code
#
# EVALX_DEV_PORT          of the server, default 2358; 0 takes a free one
# EVALX_DEV_WORKER_PORT   of the first worker's metrics, default 9464; 0 takes free ones
# EVALX_DEV_DIR           for logs, Redis and compiled programs, default target/dev
# EVALX_DEV_BINARY        an evalx that is built already
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '%s\n' "$*"; }
die() { printf 'start-dev.sh: %s\n' "$*" >&2; exit 1; }

direct=false once=false
for argument in "$@"; do
  case $argument in
    --direct) direct=true ;;
    --once) once=true ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) printf 'start-dev.sh: %s is none of --direct, --once\n' "$argument" >&2; exit 2 ;;
  esac
done
port=${EVALX_DEV_PORT:-2358}
worker_port=${EVALX_DEV_WORKER_PORT:-9464}
dir=${EVALX_DEV_DIR:-${CARGO_TARGET_DIR:-target}/dev}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
for number in "$port" "$worker_port"; do
  [[ $number =~ ^[0-9]+$ ]] || die "$number is no port"
done
# What this shell has set for other judges is not meant for these.
for name in "${!EVALX_@}"; do
  [[ $name == EVALX_DEV_* ]] || unset "$name"
done
unset REDIS_URL MAX_CONCURRENT_SANDBOXES
# A developer's own settings would move servers and queues.
export EVALX_CONFIG=/dev/null

exec 9>"$dir/lock"
flock -n 9 || die "another one runs here; EVALX_DEV_DIR gives this one a folder of its own"

# Milliseconds on the clock.
now() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }

# The program sums what it reads; 20 inputs with their answers.
sample() {
  mkdir -p "$dir/sample/tests"
  cat > "$dir/sample/sum.cpp" <<'CPP'
#include <iostream>

int main() {
    long long sum = 0, number;
    while (std::cin >> number) sum += number;
    std::cout << sum << '\n';
}
CPP
  local n
  for n in {1..20}; do
    seq 1 $((n * 50)) > "$dir/sample/tests/$n.in"
    echo $((n * 50 * (n * 50 + 1) / 2)) > "$dir/sample/tests/$n.ans"
  done
}

# Submits, with the times. The first compilation is part of it.
submit() { # command...
  local begun status=0
  begun=$(now)
  "$@" || status=$?
  say "submitted, judged and fetched in $(($(now) - begun)) ms"
  return "$status"
}

# The page's address, and the end: at once with --once, else when told.
rest() { # address what-ends status
  say "page     http://$1/"
  say "metrics  http://$1/metrics"
  if $once; then exit "$3"; fi
  say "Ctrl-C stops everything."
  wait "$2" || true
  die "a process has ended by itself; the logs are in $dir/log"
}

# --- with Docker -----------------------------------------------------------------------------------

# Compose is a plugin of docker, or the program of its own that it was before (Debian 12 has 1.29).
compose=()

stop_compose() {
  trap - EXIT INT TERM
  say "stopping"
  [ -z "${sleeper:-}" ] || kill "$sleeper" 2>/dev/null || true
  # The containers go, and what they said with them.
  "${compose[@]}" logs --no-color >"$dir/log/compose.log" 2>&1 || true
  # Redis keeps its data in a volume without a name, which nothing would find again.
  "${compose[@]}" down --volumes --timeout 10 >/dev/null 2>&1 || true
}

# Whether every container is healthy.
healthy() {
  local ids states
  mapfile -t ids < <("${compose[@]}" ps --all --quiet)
  states=$(docker inspect --format '{{.State.Status}} {{.State.Health.Status}}' "${ids[@]}" 2>/dev/null) &&
    ! grep -qvx 'running healthy' <<<"$states"
}

with_docker() {
  local begun address
  [ "$port" != 0 ] || die "with Docker the port is fixed; give EVALX_DEV_PORT another number"
  export EVALX_PORT=$port EVALX_SLOTS=$((($(nproc) + 3) / 4))
  # Not the folder's name: another project may have it. 1.29 knows no name in the file.
  export COMPOSE_PROJECT_NAME=evalx-dev COMPOSE_FILE=docker-compose.yml
  rm -rf "$dir/log"
  mkdir -p "$dir/log"
  "${compose[@]}" build app
  begun=$(now)
  trap 'stop_compose; exit 130' INT
  trap 'stop_compose; exit 143' TERM
  trap stop_compose EXIT
  "${compose[@]}" up --detach
  # 1.29 has no `up --wait`.
  local end=$((SECONDS + 60))
  until healthy; do
    [ $SECONDS -lt $end ] || die "not every container is healthy after 60 s; see $dir/log/compose.log"
    sleep 0.1
  done
  address=127.0.0.1:$port
  say "server, 4 workers of $EVALX_SLOTS boxes each and Redis are up after $(($(now) - begun)) ms"
  docker cp "$dir/sample" "$("${compose[@]}" ps --quiet app):/tmp/sample" >/dev/null
  local status=0
  submit "${compose[@]}" exec -T app \
    ./evalx submit /tmp/sample/sum.cpp --tests /tmp/sample/tests --wait || status=$?
  sleep infinity 9>&- &
  sleeper=$!
  rest "$address" "$sleeper" "$status"
}

# --- without ----------------------------------------------------------------------------------------

install() { # program package
  ! command -v "$1" >/dev/null || return 0
  local command=(apt-get install -y --no-install-recommends "$2")
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    die "$1 is needed; install it with: sudo ${command[*]}"
  fi
  say "installing $2"
  export DEBIAN_FRONTEND=noninteractive
  { "${command[@]}" || { apt-get update && "${command[@]}"; }; } >"$dir/apt.log" 2>&1 ||
    die "cannot install $2; see $dir/apt.log"
}

# Starts a process that Ctrl-C reaches through this script only, and that ends with it whatever
# happens to it.
pids=()
launch() { # name command...
  local name=$1
  shift
  setsid setpriv --pdeathsig TERM "$@" </dev/null >"$dir/log/$name.out" 2>"$dir/log/$name.log" 9>&- &
  pids+=($!)
}

# Workers before the server before Redis: nobody misses what it needs.
stop_processes() {
  trap - EXIT INT TERM
  local redis=${pids[0]:-} pid
  for pid in "${pids[@]:1}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]:1}"; do wait "$pid" 2>/dev/null || true; done
  if [ -n "$redis" ]; then
    kill -TERM "$redis" 2>/dev/null || true
    wait "$redis" 2>/dev/null || true
  fi
  rm -rf "${run:?}" "$dir/redis" "$dir/cache"
}

# Whether GET /readyz is answered with 200.
ready() { # address
  (
    exec 3<>"/dev/tcp/${1%:*}/${1##*:}" || exit 1
    printf 'GET /readyz HTTP/1.0\r\nHost: %s\r\n\r\n' "$1" >&3
    read -r -t 5 _ status _ <&3
    [ "$status" = 200 ]
  ) 2>/dev/null
}

# Waits until a command succeeds, as long as the process behind it lives.
await() { # name pid command...
  local name=$1 pid=$2 end=$((SECONDS + 60))
  shift 2
  until "$@"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      die "$name has ended: $(tail -n 1 "$dir/log/$name.log")"
    fi
    [ $SECONDS -lt $end ] || die "$name is not ready after 60 s; its log is $dir/log/$name.log"
    sleep 0.02
  done
}

# Where a process listens: what it prints or logs.
server_address() { address=$(sed -n 's|^http://||p' "$dir/log/server.out") && [ -n "$address" ]; }
worker_address() { # name
  address=$(sed -n 's/.*listening: .* addr=\([^ ]*\).*/\1/p' "$dir/log/$1.log") && [ -n "$address" ]
}

# The CPUs of this process, one a line.
cpus() {
  local list range
  IFS=, read -ra list <<<"$(taskset -cp $$ | sed 's/.*: //')"
  for range in "${list[@]}"; do seq "${range%-*}" "${range#*-}"; done
}

without_docker() {
  local binary=${EVALX_DEV_BINARY:-} begun
  install redis-server redis-server
  install g++ g++
  if [ -z "$binary" ]; then
    command -v cargo >/dev/null || die "cargo is needed to build evalx; see https://rustup.rs"
    cargo build --release --locked -p evalx 9>&-
    binary=${CARGO_TARGET_DIR:-target}/release/evalx
  fi
  [ -x "$binary" ] || die "$binary is no program"
  rm -rf "$dir/redis" "$dir/log" "$dir/cache"
  mkdir -p "$dir/redis" "$dir/log"
  # Paths of sockets are short (unix(7)).
  run=$(mktemp -d)
  begun=$(now)
  trap 'stop_processes; exit 130' INT
  trap 'stop_processes; exit 143' TERM
  trap stop_processes EXIT

  launch redis redis-server --port 0 --unixsocket "$run/redis.sock" --unixsocketperm 700 \
    --dir "$dir/redis" --appendonly yes --appendfsync always --save '' \
    --logfile "$dir/log/redis.log"
  export REDIS_URL=unix://$run/redis.sock EVALX_CACHE_DIR=$dir/cache
  await redis "${pids[0]}" test -S "$run/redis.sock"
  launch server "$binary" server --listen "127.0.0.1:$port"

  # Each worker has its share of the CPUs and at least one; with fewer than four they share.
  local all=() n at share mine own
  mapfile -t all < <(cpus)
  for n in 0 1 2 3; do
    own=()
    for ((at = n % ${#all[@]}; at < ${#all[@]}; at += 4)); do own+=("${all[at]}"); done
    share=${#own[@]}
    mine=$(IFS=,; echo "${own[*]}")
    launch "worker-$((n + 1))" taskset -c "$mine" "$binary" worker --slots "$share" \
      --place "worker-$((n + 1))" --listen "127.0.0.1:$((worker_port == 0 ? 0 : worker_port + n))"
  done

  local address name
  await server "${pids[1]}" server_address
  local server=$address
  await server "${pids[1]}" ready "$server"
  for n in 1 2 3 4; do
    name=worker-$n
    await "$name" "${pids[n + 1]}" worker_address "$name"
    await "$name" "${pids[n + 1]}" ready "$address"
    say "$name  http://$address/metrics"
  done
  say "server, 4 workers and Redis are up after $(($(now) - begun)) ms; their logs are in $dir/log"
  local status=0
  submit "$binary" submit "$dir/sample/sum.cpp" --tests "$dir/sample/tests" --wait \
    --server "http://$server" || status=$?
  # Any of them that ends by itself ends the rest.
  rest "$server" "-n" "$status"
}

sample
if ! $direct && command -v docker >/dev/null; then
  if ! docker info >/dev/null 2>&1; then
    say "docker is here, but no engine answers it: starting the processes directly"
  elif docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
  elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
  else
    say "docker is here without Compose: starting the processes directly"
  fi
fi
if [ ${#compose[@]} -gt 0 ]; then
  with_docker
  exit
fi
without_docker
