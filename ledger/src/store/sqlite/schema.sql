-- Version 3. Times are microseconds since 1970; ids are 16 bytes; `lead` is lead.no.
-- Rows are made from facts that come in any order: see record.rs.

CREATE TABLE lead (
  no            INTEGER PRIMARY KEY,
  id            BLOB NOT NULL UNIQUE,
  state         TEXT NOT NULL DEFAULT 'accepted',
  received_at   INTEGER NOT NULL,
  round         INTEGER NOT NULL DEFAULT 0,
  duplicates    INTEGER NOT NULL DEFAULT 0,
  -- From the acceptance of the highest round; NULL round until one is told.
  accepted      INTEGER,
  source        TEXT NOT NULL DEFAULT '',
  format        TEXT NOT NULL DEFAULT 'marketplace',
  test          INTEGER NOT NULL DEFAULT 0,
  dnc           INTEGER NOT NULL DEFAULT 0,
  name          TEXT NOT NULL DEFAULT '',
  email         TEXT NOT NULL DEFAULT '',
  company       TEXT NOT NULL DEFAULT '',
  offer_title   TEXT NOT NULL DEFAULT '',
  action        TEXT NOT NULL DEFAULT '',
  -- Name, e-mail, company and offer in lower case, for searching.
  search        TEXT NOT NULL DEFAULT '',
  faults        TEXT,
  -- When the last of its deliveries was made, while its payload is still to be forgotten.
  settled_at    INTEGER
);
CREATE INDEX lead_time ON lead (received_at);
CREATE INDEX lead_state ON lead (state, received_at);
CREATE INDEX lead_source ON lead (source, received_at);
CREATE INDEX lead_test ON lead (source, received_at) WHERE test;
CREATE INDEX lead_settled ON lead (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE payload (
  lead          INTEGER PRIMARY KEY,
  -- The key that it is sealed with; NULL where it is as it came. See seal.rs.
  sealed        INTEGER,
  body          BLOB NOT NULL
);
CREATE INDEX payload_sealed ON payload (sealed);

CREATE TABLE delivery (
  lead          INTEGER NOT NULL,
  id            BLOB NOT NULL,
  destination   TEXT NOT NULL,
  state         TEXT NOT NULL,
  received_at   INTEGER NOT NULL,
  route         TEXT NOT NULL DEFAULT '',
  -- Since when it is under way in its round; NULL once it is delivered or parked.
  open_since    INTEGER,
  PRIMARY KEY (lead, id)
) WITHOUT ROWID;
CREATE INDEX delivery_id ON delivery (id);
CREATE INDEX delivery_destination ON delivery (destination, received_at, lead);
CREATE INDEX delivery_open ON delivery (destination, route, open_since) WHERE open_since IS NOT NULL;

CREATE TABLE event (
  lead          INTEGER NOT NULL,
  id            BLOB NOT NULL,
  at            INTEGER NOT NULL,
  kind          TEXT NOT NULL,
  fact          TEXT NOT NULL,
  PRIMARY KEY (lead, id)
) WITHOUT ROWID;

CREATE TABLE parked (
  -- The delivery's id, or the lead's where no delivery was made.
  key           BLOB PRIMARY KEY,
  lead          INTEGER NOT NULL,
  delivery      INTEGER NOT NULL,
  destination   TEXT,
  route         TEXT,
  at            INTEGER NOT NULL,
  round         INTEGER NOT NULL,
  kind          TEXT NOT NULL,
  reason        TEXT NOT NULL,
  -- The key that what waits is sealed with; NULL where it is JSON. See seal.rs.
  sealed        INTEGER,
  waiting       TEXT NOT NULL
);
CREATE INDEX parked_sealed ON parked (sealed);
CREATE INDEX parked_lead ON parked (lead);
CREATE INDEX parked_time ON parked (at);
CREATE INDEX parked_kind ON parked (kind, at);
CREATE INDEX parked_destination ON parked (destination, at);
CREATE INDEX parked_group ON parked (destination, kind, at);

CREATE TABLE destination (
  name            TEXT PRIMARY KEY,
  delivered       INTEGER NOT NULL DEFAULT 0,
  last_success_at INTEGER,
  last_error_at   INTEGER,
  last_error      TEXT,
  -- The last that was told of its pausing by itself; NULL pause: it resumed.
  pause_at        INTEGER,
  pause           TEXT,
  -- The last that was told of how the routes fit its fields: JSON, an array of notes.
  unfit_at        INTEGER,
  unfit           TEXT
) WITHOUT ROWID;

-- What operators have decided.
CREATE TABLE decision (
  destination   TEXT PRIMARY KEY,
  reason        TEXT NOT NULL,
  at            INTEGER NOT NULL
) WITHOUT ROWID;

-- What is known of conditions and was told of them, for each channel: JSON.
CREATE TABLE alert (
  channel       TEXT PRIMARY KEY,
  known         TEXT NOT NULL
) WITHOUT ROWID;

-- Messages that are still to be sent: JSON.
CREATE TABLE alert_message (
  channel       TEXT NOT NULL,
  id            TEXT NOT NULL,
  at            INTEGER NOT NULL,
  message       TEXT NOT NULL,
  PRIMARY KEY (channel, id)
) WITHOUT ROWID;
