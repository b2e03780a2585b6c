# shellcheck shell=bash disable=SC2154
# The Docker engine of the smoke test: the one that runs, or one of our own with everything it keeps below $work.
# Sourced by smoke.sh; what it starts, stop_engine stops, by its id.

# Installs what is missing, from Debian.
install_needs() {
  local missing=()
  command -v curl >/dev/null || missing+=(curl)
  command -v docker >/dev/null || missing+=(docker.io)
  command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 || missing+=(docker-compose)
  docker info >/dev/null 2>&1 || command -v dockerd >/dev/null || missing+=(docker.io)
  command -v debootstrap >/dev/null || missing+=(debootstrap)
  [ ${#missing[@]} -eq 0 ] && return
  if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    fail "missing: ${missing[*]}; install them, then run this again"
  fi
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
}

# Which client to use, and whether it can build with BuildKit. The Dockerfile is fit for both builders.
choose_client() {
  # A client of another origin may come first and lack what Debian's brings along.
  if ! docker buildx version >/dev/null 2>&1 && [ -x /usr/bin/docker ]; then
    PATH="/usr/bin:$PATH"
  fi
  local version
  version=$(docker version --format '{{.Client.Version}}')
  if [ "${version%%.*}" -lt 23 ] || docker buildx version >/dev/null 2>&1; then
    export DOCKER_BUILDKIT=1
  else
    export DOCKER_BUILDKIT=0
  fi
  export COMPOSE_DOCKER_CLI_BUILD=1
  local name
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!name:-}" ] || proxies+=(--build-arg "$name")
  done
  if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
  note "docker $version, BuildKit $DOCKER_BUILDKIT, ${compose[*]} $("${compose[@]}" version --short)"
}

# Starts an engine where none runs.
start_engine() {
  if docker info >/dev/null 2>&1; then
    note "using the engine that runs"
    return
  fi
  [ "$(id -u)" -eq 0 ] || fail "no Docker engine runs, and only root can start one"
  local dir="$work/engine"
  mkdir -p "$dir"
  unset DOCKER_CONTEXT
  export DOCKER_HOST="unix://$dir/docker.sock"
  [ -e /sys/class/net/docker0 ] || made_bridge=1
  dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" -H "$DOCKER_HOST" >"$dir/log" 2>&1 &
  engine=$!
  for _ in $(seq 120); do
    docker info >/dev/null 2>&1 && return
    kill -0 "$engine" 2>/dev/null || break
    sleep 0.5
  done
  tail -n 20 "$dir/log" >&2
  fail "the Docker engine does not start"
}

# Stops the engine that start_engine started, if it did.
stop_engine() {
  [ -n "$engine" ] || return 0
  kill "$engine" 2>/dev/null || true
  # One that does not end in time is ended.
  (sleep 60 && kill -KILL "$engine") >/dev/null 2>&1 &
  local guard=$!
  wait "$engine" || true
  kill "$guard" 2>/dev/null || true
  engine=''
  # The bridge outlives the engine that made it.
  if [ -n "$made_bridge" ] && command -v ip >/dev/null; then ip link delete docker0 || true; fi
}
