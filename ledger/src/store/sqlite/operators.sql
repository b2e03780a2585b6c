-- Since version 3: what operators have done.

-- The audit log. NULL outcome: it was begun, and this ledger ended before it could say how that went.
CREATE TABLE audit (
  no            INTEGER PRIMARY KEY,
  at            INTEGER NOT NULL,
  operator      TEXT NOT NULL,
  via           TEXT NOT NULL,
  act           TEXT NOT NULL,
  object        TEXT NOT NULL,
  outcome       TEXT
);
CREATE INDEX audit_time ON audit (at);

-- Leads that were erased, of which workers are told.
CREATE TABLE erased (
  lead          BLOB PRIMARY KEY,
  at            INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX erased_time ON erased (at);
