# Each target is one command; continuous integration calls the same ones.
.PHONY: test lint bench chaos smoke needs

# Everything that the tests talk to is installed by this: a C compiler and make for SQLite and the allocator, RabbitMQ, PostgreSQL.
needs:
	@.ci/needs

# Passes every test.
test: needs
	cargo test --workspace --locked

# Formatting, lints as errors, dependencies.
lint: needs
	cargo fmt --all --check
	cargo test --locked -p leadrelay --test it architecture
	cargo clippy --workspace --all-targets --locked -- -D warnings
	.ci/deny

# Figures, as ratios against the raw limit in the same run.
bench: needs
	cargo bench --locked -p leadrelay-shared --bench queue
	cargo build --release --locked --workspace --bins
	cargo bench --locked -p leadrelay --bench figures

# Kills the process at random moments, 100 rounds of 2,000 leads where `test` has 20; then faults against a real RabbitMQ, ten rounds
# of each where `test` has one; then 10,000 leads into two simulated CRMs, on both queues, with everything at them that passes, where
# `test` has 1,000. Prints its seed; CHAOS_SEED=n repeats one, CHAOS_ROUNDS=n makes it shorter or longer.
chaos: needs
	CHAOS_ROUNDS=$${CHAOS_ROUNDS:-100} cargo test --locked -p leadrelay --test it -- --nocapture process::kill
	CHAOS_ROUNDS=$${CHAOS_ROUNDS:-10} cargo test --locked -p leadrelay --test it -- --nocapture --ignored chaos::all_families
	CHAOS_LEADS=$${CHAOS_LEADS:-10000} cargo test --locked -p leadrelay --test it -- --nocapture crms::

# `docker compose up` for real, with its own Docker engine where none runs: 500 leads while things break, each delivered once.
smoke:
	deploy/smoke.sh
