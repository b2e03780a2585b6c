#!/usr/bin/env bash
# Does `docker compose up` for real: builds the images, posts 500 leads while a connector is scaled and killed and the router and
# the broker are restarted, and counts what arrives. Ends with `smoke: passed` and exit code 0, or says what is wrong.
#
# Needs Debian and root where no Docker engine runs; then it starts one of its own and stops it. SMOKE_DIR keeps what it made
# (the engine's images among it) for the next run.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

LEADS=500
work="${SMOKE_DIR:-$(mktemp -d /tmp/leadrelay-smoke.XXXXXX)}"
mkdir -p "$work"
engine='' made_bridge='' sender='' phase_name='' phase_began=0
compose=() proxies=() made_images=() phases=()

note() { echo "smoke: $*"; }
fail() { echo "smoke: FAILED: $*" >&2; exit 1; }

# shellcheck source-path=SCRIPTDIR/..
. deploy/smoke/engine.sh
. deploy/smoke/stand-ins.sh
. deploy/smoke/leads.sh

# Ends the phase before and begins one.
phase() {
  [ -z "$phase_name" ] || phases+=("$(printf '%5ds  %s' $((SECONDS - phase_began)) "$phase_name")")
  phase_name="$*" phase_began=$SECONDS
  [ -z "$phase_name" ] || note "--- $phase_name"
}

# Our project: names, ports and images of its own, so that it meets no other.
export LEADRELAY_TAG=smoke LEADRELAY_HTTP=127.0.0.1:18080 LEADRELAY_CONSOLE=127.0.0.1:18081 LEADRELAY_RECEIVER=127.0.0.1:18090 LEADRELAY_SIMULATORS=127.0.0.1:18091-18093
relay() { "${compose[@]}" -p leadrelay-smoke --profile demo "$@"; }
cli() { "${compose[@]}" -p leadrelay-smoke run --rm -T leadrelay "$@" 2>"$work/cli.log" </dev/null; }

# Polls until a command succeeds.
await() {
  local seconds=$1 what=$2
  shift 2
  local until=$((SECONDS + seconds))
  until "$@"; do
    [ $SECONDS -lt $until ] || fail "$what: not within $seconds s"
    sleep 0.5
  done
}

clean_up() {
  local code=$?
  trap - EXIT INT TERM
  [ -z "$sender" ] || kill "$sender" 2>/dev/null || true
  if [ ${#compose[@]} -gt 0 ]; then
    [ $code -eq 0 ] || tell_what_is_wrong
    timeout -k 10 180 "${compose[@]}" -p leadrelay-smoke --profile demo --profile cli down -v --remove-orphans -t 20 >"$work/down.log" 2>&1 || { note "not all is down:"; tail -n 5 "$work/down.log"; }
    if [ -z "${SMOKE_DIR:-}" ] && [ -z "$engine" ]; then
      mapfile -t -O "${#made_images[@]}" made_images < <(docker image ls --format '{{.Repository}}:{{.Tag}}' 'leadrelay*:smoke')
      docker image rm "${made_images[@]}" >/dev/null || note "some images are left"
    fi
  fi
  stop_engine
  if [ -z "${SMOKE_DIR:-}" ]; then rm -rf "$work"; fi
  if [ $code -eq 0 ]; then echo "smoke: passed"; else echo "smoke: FAILED" >&2; fi
  exit $code
}
trap clean_up EXIT
trap 'note "line $LINENO: $BASH_COMMAND"' ERR
trap 'exit 130' INT
trap 'exit 143' TERM

tell_what_is_wrong() {
  relay ps -a 2>/dev/null || relay ps || true
  relay logs --no-color --tail 15 || true
  relay exec -T rabbitmq rabbitmqctl -q list_queues name messages_ready messages_unacknowledged consumers || true
  cli destinations || true
  curl -sS -m 10 "http://$LEADRELAY_RECEIVER/" || true
} >&2

build() {
  # Sources change often and base images seldom: the builder keeps the dependencies apart.
  # What is tested is whether it runs, and not how fast: optimizing every program as a whole takes longer than all the rest.
  relay --profile cli build "${proxies[@]}" --build-arg LTO=off >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; fail "the images do not build"; }
  docker image ls --format '{{.Repository}} {{.Size}}' | grep '^leadrelay' | sort | while read -r name size; do note "  $name $size"; done
}

# Whether each of these services has a container, and every container is healthy.
healthy() {
  local ids id
  mapfile -t ids < <(relay ps -q "$@")
  [ ${#ids[@]} -ge $# ] || return 1
  for id in "${ids[@]}"; do
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$id")" = healthy ] || return 1
  done
}

phase "what it needs"
install_needs
phase "the engine"
start_engine
choose_client
phase "base images"
base_images
phase "building the images"
build

phase "docker compose up, and a lead into the inbox"
relay down -v --remove-orphans >"$work/down.log" 2>&1
"${compose[@]}" -p leadrelay-smoke up -d >"$work/up.log" 2>&1 || { tail -n 20 "$work/up.log" >&2; fail "it does not come up"; }
await 120 "every service is healthy" healthy rabbitmq postgres ingest router connector-file connector-webhook ledger
one_lead_into_the_inbox
console_is_served

phase "$LEADS leads while things break"
relay up -d >"$work/up-demo.log" 2>&1 || { tail -n 20 "$work/up-demo.log" >&2; fail "the demo does not come up"; }
await 60 "the receiver is healthy" healthy receiver
url=$(source_url demo)
post_leads "$url" &
sender=$!
await 120 "a fifth is posted" posted $((LEADS / 5))
note "scaling connector-webhook to 3"
relay up -d --no-recreate --scale connector-webhook=3 >"$work/scale.log" 2>&1
await 120 "two fifths are posted" posted $((LEADS * 2 / 5))
kill_one connector-webhook
await 120 "half is posted" posted $((LEADS / 2))
note "restarting the router"
relay restart -t 40 router >"$work/restart.log" 2>&1
await 120 "three fifths are posted" posted $((LEADS * 3 / 5))
note "restarting the broker"
relay restart -t 60 rabbitmq >>"$work/restart.log" 2>&1
await 300 "every lead is posted" posted "$LEADS"
wait "$sender"
sender=''
all_accepted

phase "counting"
await 180 "$LEADS leads at the receiver" arrived "$LEADS"
await 60 "the ledger knows all of them" recorded
await 60 "nothing is on its way any more" nothing_waits
each_once
no_token_in_the_logs "$url"
docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' | sort | while read -r line; do note "  $line"; done

phase "a lead into three simulated CRMs"
await 60 "the simulators and their connectors are healthy" healthy simulators connector-dynamics connector-salesforce connector-hubspot
one_lead_into_each_crm

phase ""
printf 'smoke: %s\n' "${phases[@]}"
note "$LEADS of $LEADS leads accepted and delivered, each once"
