# Read by scripts that build or run images: an engine of containers that ends with the script, however that
# ends, and Debian for it where no registry is reachable. Needs root, mmdebstrap and dockerd.

suite=bookworm
cache=${EVALX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/evalx}
say() { printf '%s\n' "$*" >&2; }

engine_pid='' engine_run='' engine_data='' engine_group=''

# Ends its processes; its data stay. They are below a process id namespace, and die with that.
engine_end() {
  [ -z "$engine_pid" ] || { kill -KILL "$engine_pid" 2>/dev/null; wait "$engine_pid" 2>/dev/null; } || true
  engine_pid=''
  local try
  for try in {1..50}; do
    rm -rf "${engine_run:?}" 2>/dev/null && break
    sleep 0.1
  done
  find /sys/fs/cgroup/*/"$engine_group" /sys/fs/cgroup/"$engine_group" -depth -type d -exec rmdir {} + 2>/dev/null || true
}

# Stops it; nothing of it is left.
engine_stop() {
  [ -n "$engine_run" ] || return 0
  engine_end
  local try
  for try in {1..50}; do
    rm -rf "${engine_data:?}" 2>/dev/null && break
    sleep 0.1
  done
}

# Starts it, with its data in that folder, and with Debian as local/debian:1, or with the images that
# were saved in a file. Its containers have the machine's network (`--network host`) or none.
engine_start() { # folder [images]
  engine_boot "$1" '' --bridge=none --iptables=false
  if [ -n "${2:-}" ]; then
    docker load --quiet --input "$2" >/dev/null
  else
    docker import "$(debian)" local/debian:1 >/dev/null
  fi
}

# Starts it once more, with what it has, on a network of its own: containers have networks there, and
# nothing outside is reached.
engine_start_apart() {
  engine_end
  engine_boot "${engine_data%/engine}" --net
}

engine_boot() { # folder, --net for a network of its own, settings of the engine...
  local folder=$1 net=$2
  shift 2
  engine_data=$folder/engine
  # Paths of sockets are short (unix(7)).
  engine_run=$(mktemp -d)
  engine_group=evx-engine-$$
  # Root without that capability (of a machine that is a container itself) cannot give it to a
  # privileged container, as the engine wants to (bit 24, capability.h).
  if (((16#$(awk '$1 == "CapBnd:" { print $2 }' /proc/self/status) >> 24 & 1) == 0)); then
    runtime_without CAP_SYS_RESOURCE > "$engine_run/runtime"
    chmod 755 "$engine_run/runtime"
    set -- "$@" --add-runtime "less=$engine_run/runtime" --default-runtime less
  fi
  setpriv --pdeathsig KILL -- unshare ${net:+"$net"} --mount --propagation=private --pid --mount-proc --kill-child=KILL -- \
    sh -euc 'mount -t tmpfs -o mode=755 run /run; [ -z "$1" ] || ip link set lo up; shift; exec dockerd "$@"' sh "$net" \
    --data-root "$engine_data" --exec-root "$engine_run/exec" --pidfile "$engine_run/pid" \
    --host "unix://$engine_run/docker.sock" --storage-driver overlay2 \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$engine_group" "$@" \
    >"$engine_run/log" 2>&1 </dev/null 9>&- &
  engine_pid=$!
  export DOCKER_HOST=unix://$engine_run/docker.sock DOCKER_BUILDKIT=0
  local end=$((SECONDS + 60))
  until docker version >/dev/null 2>&1; do
    if ! kill -0 "$engine_pid" 2>/dev/null || [ $SECONDS -gt $end ]; then
      tail -n 20 "$engine_run/log" >&2
      return 1
    fi
    sleep 0.2
  done
}

# Prints a runtime for the engine that gives no container that capability, whatever is asked for.
runtime_without() { # capability
  cat <<SH
#!/bin/bash
file='' last=''
for word; do
  case \$last in
    --bundle) file=\$word/config.json ;;
    --process) file=\$word ;;
  esac
  last=\$word
done
[ -z "\$file" ] || sed -i 's/"$1",//g; s/,"$1"//g' "\$file"
exec "$(PATH=$PATH:/usr/sbin command -v runc)" "\$@"
SH
}

# Prints the tar of a Debian with apt, made where it is missing.
debian() {
  local whole file sources=()
  whole=$cache/debian-$suite-$(uname -m).tar
  if [ ! -f "$whole" ]; then
    # As this machine's apt is set up: mirror, keys and proxy are its own. In a mount namespace, so
    # that nothing stays mounted when it is killed.
    [ -s /etc/apt/sources.list ] && sources+=(/etc/apt/sources.list)
    for file in /etc/apt/sources.list.d/*.sources; do [ ! -e "$file" ] || sources+=("$file"); done
    # Made aside: by the ending of the name mmdebstrap knows that a tar is wanted.
    unshare --mount --propagation private mmdebstrap --quiet --variant=apt --include=ca-certificates \
      "$suite" "${whole%.tar}.$$.tar" "${sources[@]}" >&2 9>&-
    mv -T "${whole%.tar}.$$.tar" "$whole"
  fi
  echo "$whole"
}

# Builds as local/rust:1 a stand-in for the builder of Rust, from a folder: its `cargo` puts the
# programs that lie in the folder where cargo would have put them.
stand_in() { # folder
  printf '#!/bin/sh\nmkdir -p target/release\ncp /built/* target/release\nchmod 755 target/release/*\n' > "$1/cargo"
  printf 'FROM local/debian:1\nCOPY . /built/\nRUN mv /built/cargo /usr/local/bin/cargo && rm /built/Dockerfile && chmod 755 /usr/local/bin/cargo\n' \
    > "$1/Dockerfile"
  docker build --quiet --network host -t local/rust:1 "$1" >/dev/null
}
