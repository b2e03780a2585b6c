# shellcheck shell=bash disable=SC2154
# The leads of the smoke test: posting them, and counting what became of them. Sourced by smoke.sh.

# Where the world posts leads of a source, as the command line tells it.
source_url() {
  local url
  url=$(cli source url "$1") || { cat "$work/cli.log" >&2; fail "no URL for $1"; }
  # The command line knows the container's address; ours is the one that compose publishes.
  echo "http://$LEADRELAY_HTTP/v1${url#*/v1}"
}

lead() {
  printf '{"UserDetails":{"FirstName":"Robin","LastName":"Sample %d","Email":"lead-%d@example.com","Phone":"+1 425 555 0100","Country":"US","Company":"Contoso"},"LeadSource":"AzureMarketplace-INS|contoso.sample-offer","ActionCode":"INS","OfferTitle":"Sample offer"}' "$1" "$1"
}

# Posts a lead and prints the status of the answer. The URL holds a token, so it is not an argument that others could see.
post() {
  printf 'url = "%s"\n' "$1" | curl -sS -K - -o /dev/null -m 30 -w '%{http_code}\n' -H 'Content-Type: application/json' -d "$(lead "$2")"
}

post_leads() {
  local n
  : >"$work/statuses"
  for n in $(seq "$LEADS"); do
    post "$1" "$n" >>"$work/statuses" 2>>"$work/curl.log" || echo 000 >>"$work/statuses"
    # Slow enough that what breaks, breaks in the middle of it.
    sleep 0.05
  done
}

posted() { [ "$(wc -l <"$work/statuses" 2>/dev/null || echo 0)" -ge "$1" ]; }

all_accepted() {
  local refused
  refused=$(grep -cv '^202$' "$work/statuses" || true)
  [ "$refused" -eq 0 ] || fail "$refused of $LEADS leads were not accepted: $(sort "$work/statuses" | uniq -c | tr '\n' ' ')"
}

one_lead_into_the_inbox() {
  local url status
  url=$(source_url marketplace)
  status=$(post "$url" 0)
  [ "$status" = 202 ] || fail "a lead is answered $status"
  await 30 "a lead is in the inbox" in_the_inbox
}

in_the_inbox() {
  docker cp "$(relay ps -q connector-file):/var/lib/leadrelay/inbox" - 2>/dev/null | tar -xO 2>/dev/null | grep 'lead-0@example.com' >/dev/null
}

# The console asks whoever comes who they are.
console_is_served() {
  curl -sS -m 10 -L "http://$LEADRELAY_CONSOLE/" | grep -q 'name="token"' || fail "the console does not answer at $LEADRELAY_CONSOLE"
}

one_lead_into_each_crm() {
  local url status port
  url=$(source_url demo-crms)
  status=$(post "$url" 9001)
  [ "$status" = 202 ] || fail "a lead is answered $status"
  for port in 18091 18092 18093; do
    await 60 "a lead is in the CRM at port $port" in_the_crm "$port"
  done
}

in_the_crm() { curl -sS -m 10 "http://127.0.0.1:$1/records" | grep "lead-9001@example.com" >/dev/null; }

# A crash, as the engine sees it: the process is killed, and nobody told the engine to.
kill_one() {
  local ids id pid
  mapfile -t ids < <(relay ps -q "$1")
  id=${ids[0]}
  pid=$(docker inspect -f '{{.State.Pid}}' "$id")
  grep -q "$id" "/proc/$pid/cgroup" || fail "the engine is not on this machine, and its processes cannot be killed"
  note "killing one $1"
  kill -KILL "$pid"
  await 30 "a killed $1 is started again" restarted "$id"
}

restarted() { [ "$(docker inspect -f '{{.RestartCount}} {{.State.Running}}' "$1")" = "1 true" ]; }

figure() { curl -sS -m 10 "http://$LEADRELAY_RECEIVER/" | grep -o "\"$1\":[0-9]*" | cut -d: -f2; }

arrived() { [ "$(figure leads)" = "$1" ]; }

each_once() {
  note "the receiver says $(curl -sS -m 10 "http://$LEADRELAY_RECEIVER/")"
  [ "$(figure deliveries)" = "$LEADS" ] || fail "$(figure deliveries) webhook-ids for $LEADS leads"
  [ "$(figure leads_twice)" = 0 ] || fail "$(figure leads_twice) leads came under two ids"
  [ "$(figure changed)" = 0 ] || fail "$(figure changed) leads came again as something else"
  [ "$(figure refused)" = 0 ] || fail "$(figure refused) requests were not signed"
}

# Whether the ledger tells of every lead that it was delivered.
recorded() {
  local count=0 cursor='' page
  while page=$(cli --json leads list --source demo --state delivered --limit 200 ${cursor:+--cursor "$cursor"}); do
    count=$((count + $(grep -c '"email":' <<<"$page" || true)))
    cursor=$(sed -n 's/^  "next": "\(.*\)"$/\1/p' <<<"$page")
    [ -n "$cursor" ] || break
  done
  [ "$count" = "$LEADS" ]
}

# Whether the broker holds nothing, claimed or not.
nothing_waits() {
  local queues
  queues=$(relay exec -T rabbitmq rabbitmqctl -q list_queues name messages) || return 1
  grep -q '^leadrelay' <<<"$queues" || return 1
  ! awk '/^leadrelay/ && $2 != 0' <<<"$queues" | grep -q .
}

# The token of a source is in every URL that is posted to, and nowhere else.
no_token_in_the_logs() {
  local token=${1##*/}
  [ "${#token}" -ge 16 ] || fail "that is no URL of a source"
  relay logs --no-color >"$work/services.log" 2>&1
  if grep -qF "$token" "$work/services.log"; then fail "the logs show a source's token"; fi
}
