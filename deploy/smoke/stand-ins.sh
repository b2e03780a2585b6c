# shellcheck shell=bash disable=SC2154
# Stand-ins for the base images, where they cannot be pulled: Debian by debootstrap, Rust from the toolchain that this machine
# builds with, RabbitMQ and PostgreSQL from Debian's packages. Sourced by smoke.sh.
#
# What an image's users rely on is the same: names, paths, the user's id, which files of configuration are read.

rust_image=rust:1.95-slim-bookworm
broker_image=rabbitmq:4.3
database_image=postgres:15
debian_image=debian:bookworm-slim

# Pulls the base images, or makes them.
base_images() {
  have "$rust_image" || rust_stand_in
  have "$broker_image" || broker_stand_in
  have "$database_image" || database_stand_in
}

# Whether there is the image, or it can be pulled.
have() {
  docker image inspect "$1" >/dev/null 2>&1 && return
  timeout 120 docker pull -q "$1" >/dev/null 2>"$work/pull.log" && return
  note "$1 cannot be pulled ($(tail -n 1 "$work/pull.log" | cut -c1-100)); making a stand-in"
  return 1
}

debian_stand_in() {
  have "$debian_image" && return
  local root="$work/debian"
  [ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$work/debootstrap.log"
  trust_what_this_machine_trusts "$root"
  tar -C "$root" -c --exclude=./var/cache/apt/archives --exclude=./var/lib/apt/lists . | docker import - "$debian_image" >/dev/null
  made_images+=("$debian_image")
}

# Certificates of the machine's own, and how apt reaches its mirror: both may be other than usual here.
trust_what_this_machine_trusts() {
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    mkdir -p "$1/usr/local/share/ca-certificates"
    cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"
    chroot "$1" update-ca-certificates >/dev/null 2>&1
  fi
  apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https|Check)' | grep -v '"";$' >"$1/etc/apt/apt.conf.d/99host" || true
}

rust_stand_in() {
  debian_stand_in
  local dir="$work/rust" toolchain
  toolchain=$(rustc --print sysroot)
  rm -rf "$dir" && mkdir -p "$dir/toolchain/lib/rustlib" "$dir/cargo"
  cp -a "$toolchain/bin" "$dir/toolchain/"
  cp -a "$toolchain"/lib/*.so* "$dir/toolchain/lib/"
  cp -a "$toolchain/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')" "$dir/toolchain/lib/rustlib/"
  # How cargo reaches the registry.
  local config="${CARGO_HOME:-$HOME/.cargo}/config.toml"
  [ ! -e "$config" ] || cp "$config" "$dir/cargo/"
  cat >"$dir/Dockerfile" <<EOF
FROM $debian_image
RUN apt-get update -q && apt-get install -qy --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY toolchain /usr/local
COPY cargo /usr/local/cargo
RUN rustc --version
ENV CARGO_HOME=/usr/local/cargo
EOF
  docker build -t "$rust_image" "${proxies[@]}" "$dir" >"$work/rust.log" 2>&1 || { tail -n 20 "$work/rust.log" >&2; fail "no Rust"; }
  rm -rf "$dir"
  made_images+=("$rust_image")
}

broker_stand_in() {
  debian_stand_in
  local dir="$work/broker"
  mkdir -p "$dir"
  # The official image's user has this id, its programs are on the path, and it reads rabbitmq.conf and conf.d.
  cat >"$dir/Dockerfile" <<EOF
FROM $debian_image
RUN groupadd --gid 999 --system rabbitmq \
 && useradd --uid 999 --system --home-dir /var/lib/rabbitmq --gid rabbitmq rabbitmq \
 && printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d \
 && apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends rabbitmq-server \
 && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/* /var/lib/rabbitmq/.erlang.cookie /etc/rabbitmq/* \
 && mkdir -p /etc/rabbitmq/conf.d && printf 'log.console = true\n' >/etc/rabbitmq/conf.d/10-defaults.conf \
 && chown -R rabbitmq:rabbitmq /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq && chmod 1777 /var/lib/rabbitmq
ENV HOME=/var/lib/rabbitmq LANG=C.UTF-8 PATH=/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
VOLUME /var/lib/rabbitmq
EXPOSE 5672
CMD ["rabbitmq-server"]
EOF
  docker build -t "$broker_image" "${proxies[@]}" "$dir" >"$work/broker.log" 2>&1 || { tail -n 20 "$work/broker.log" >&2; fail "no RabbitMQ"; }
  made_images+=("$broker_image")
}

database_stand_in() {
  debian_stand_in
  local dir="$work/database"
  mkdir -p "$dir"
  # The official image's user has this id, its programs are on the path, and its entry point makes the user and the database that
  # the environment names when there is no data yet.
  cat >"$dir/entrypoint" <<'EOF'
#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256 -D "$PGDATA"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D "$PGDATA" postgres
fi
exec "$@"
EOF
  cat >"$dir/Dockerfile" <<EOF
FROM $debian_image
RUN groupadd --gid 999 --system postgres \\
 && useradd --uid 999 --system --home-dir /var/lib/postgresql --gid postgres postgres \\
 && mkdir -p /etc/postgresql-common/createcluster.d \\
 && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/none.conf \\
 && apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql-15 \\
 && rm -rf /var/lib/apt/lists/* && mkdir -p /var/lib/postgresql/data && chown postgres:postgres /var/lib/postgresql/data \\
 && chmod 1777 /var/lib/postgresql/data && chmod 3777 /var/run/postgresql
COPY entrypoint /usr/local/bin/entrypoint
RUN chmod 755 /usr/local/bin/entrypoint
ENV PGDATA=/var/lib/postgresql/data LANG=C.UTF-8 PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
VOLUME /var/lib/postgresql/data
EXPOSE 5432
ENTRYPOINT ["entrypoint"]
CMD ["postgres", "-c", "listen_addresses=*"]
EOF
  docker build -t "$database_image" "${proxies[@]}" "$dir" >"$work/database.log" 2>&1 || { tail -n 20 "$work/database.log" >&2; fail "no PostgreSQL"; }
  made_images+=("$database_image")
}
