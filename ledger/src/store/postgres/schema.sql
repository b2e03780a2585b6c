-- Version 1. Times are microseconds since 1970; ids are 16 bytes; `lead` is lead.no. Texts are compared byte by byte.
-- The tables of what is known of a lead have a part for each month: a lead's number begins with its month. See months.rs.

-- Every lead's number. Who has a row here locked is the only one to change what is known of its lead.
CREATE TABLE lead_no (
  id            BYTEA PRIMARY KEY,
  no            BIGINT NOT NULL UNIQUE
);
CREATE SEQUENCE lead_count AS BIGINT;

-- The months that have parts.
CREATE TABLE lead_month (
  month         BIGINT PRIMARY KEY
);

CREATE TABLE lead (
  no            BIGINT PRIMARY KEY,
  id            BYTEA NOT NULL,
  state         TEXT COLLATE "C" NOT NULL DEFAULT 'accepted',
  received_at   BIGINT NOT NULL,
  round         BIGINT NOT NULL DEFAULT 0,
  duplicates    BIGINT NOT NULL DEFAULT 0,
  -- From the acceptance of the highest round; NULL round until one is told.
  accepted      BIGINT,
  source        TEXT COLLATE "C" NOT NULL DEFAULT '',
  format        TEXT COLLATE "C" NOT NULL DEFAULT 'marketplace',
  test          BOOLEAN NOT NULL DEFAULT false,
  dnc           BOOLEAN NOT NULL DEFAULT false,
  name          TEXT NOT NULL DEFAULT '',
  email         TEXT NOT NULL DEFAULT '',
  company       TEXT NOT NULL DEFAULT '',
  offer_title   TEXT NOT NULL DEFAULT '',
  action        TEXT NOT NULL DEFAULT '',
  -- Name, e-mail, company and offer in lower case, for searching.
  search        TEXT COLLATE "C" NOT NULL DEFAULT '',
  faults        TEXT,
  -- When the last of its deliveries was made, while its payload is still to be forgotten.
  settled_at    BIGINT
) PARTITION BY RANGE (no);
CREATE INDEX lead_id ON lead (id);
CREATE INDEX lead_time ON lead (received_at, no);
CREATE INDEX lead_state ON lead (state, received_at, no);
CREATE INDEX lead_source ON lead (source, received_at, no);
CREATE INDEX lead_test ON lead (source, received_at) WHERE test;
CREATE INDEX lead_settled ON lead (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE payload (
  lead          BIGINT PRIMARY KEY,
  -- The key that it is sealed with; NULL where it is as it came. See seal.rs.
  sealed        BIGINT,
  body          BYTEA NOT NULL
) PARTITION BY RANGE (lead);
CREATE INDEX payload_sealed ON payload (sealed, lead);

CREATE TABLE delivery (
  lead          BIGINT NOT NULL,
  id            BYTEA NOT NULL,
  destination   TEXT COLLATE "C" NOT NULL,
  state         TEXT COLLATE "C" NOT NULL,
  received_at   BIGINT NOT NULL,
  route         TEXT COLLATE "C" NOT NULL DEFAULT '',
  -- Since when it is under way in its round; NULL once it is delivered or parked.
  open_since    BIGINT,
  PRIMARY KEY (lead, id)
) PARTITION BY RANGE (lead);
CREATE INDEX delivery_open ON delivery (destination, route, open_since) WHERE open_since IS NOT NULL;
CREATE INDEX delivery_id ON delivery (id);
CREATE INDEX delivery_destination ON delivery (destination, received_at, lead);

CREATE TABLE event (
  lead          BIGINT NOT NULL,
  id            BYTEA NOT NULL,
  at            BIGINT NOT NULL,
  kind          TEXT COLLATE "C" NOT NULL,
  fact          TEXT NOT NULL,
  PRIMARY KEY (lead, id)
) PARTITION BY RANGE (lead);

-- What waits is little, and is looked for by its key and in all months at once.
CREATE TABLE parked (
  -- The delivery's id, or the lead's where no delivery was made.
  key           BYTEA PRIMARY KEY,
  -- The order in which rows came, as SQLite has it by itself.
  rowid         BIGINT GENERATED ALWAYS AS IDENTITY,
  lead          BIGINT NOT NULL,
  delivery      BOOLEAN NOT NULL,
  destination   TEXT COLLATE "C",
  route         TEXT,
  at            BIGINT NOT NULL,
  round         BIGINT NOT NULL,
  kind          TEXT COLLATE "C" NOT NULL,
  reason        TEXT COLLATE "C" NOT NULL,
  -- The key that what waits is sealed with; NULL where it is JSON. See seal.rs.
  sealed        BIGINT,
  waiting       TEXT COLLATE "C" NOT NULL
);
CREATE INDEX parked_sealed ON parked (sealed, rowid);
CREATE INDEX parked_lead ON parked (lead);
CREATE INDEX parked_time ON parked (at, rowid);
CREATE INDEX parked_kind ON parked (kind, at, rowid);
CREATE INDEX parked_group ON parked (destination, kind, at);
CREATE INDEX parked_destination ON parked (destination, at, rowid);

-- How destinations are; of two sayings the later.
CREATE TABLE destination (
  name            TEXT COLLATE "C" PRIMARY KEY,
  delivered       BIGINT NOT NULL DEFAULT 0,
  last_success_at BIGINT,
  last_error_at   BIGINT,
  last_error      TEXT COLLATE "C",
  pause_at        BIGINT,
  pause           TEXT COLLATE "C",
  unfit_at        BIGINT,
  unfit           TEXT COLLATE "C"
);

-- What operators have decided.
CREATE TABLE decision (
  destination   TEXT COLLATE "C" PRIMARY KEY,
  reason        TEXT NOT NULL,
  at            BIGINT NOT NULL
);

-- What is known of conditions and was told of them, for each channel: JSON.
CREATE TABLE alert (
  channel       TEXT PRIMARY KEY,
  known         TEXT NOT NULL
);

-- Messages that are still to be sent: JSON.
CREATE TABLE alert_message (
  channel       TEXT NOT NULL,
  id            TEXT NOT NULL,
  at            BIGINT NOT NULL,
  message       TEXT NOT NULL,
  PRIMARY KEY (channel, id)
);

-- The audit log. NULL outcome: it was begun, and the ledger ended before it could say how that went.
CREATE TABLE audit (
  no            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at            BIGINT NOT NULL,
  operator      TEXT NOT NULL,
  via           TEXT NOT NULL,
  act           TEXT NOT NULL,
  object        TEXT NOT NULL,
  outcome       TEXT
);
CREATE INDEX audit_time ON audit (at);

-- Leads that were erased, of which workers are told.
CREATE TABLE erased (
  lead          BYTEA PRIMARY KEY,
  at            BIGINT NOT NULL
);
CREATE INDEX erased_time ON erased (at);

-- How far a move out of a file has got: the last lead of the file that is here, and how many.
CREATE TABLE moved (
  last          BIGINT NOT NULL,
  id            BYTEA,
  leads         BIGINT NOT NULL,
  done          BOOLEAN NOT NULL
);
