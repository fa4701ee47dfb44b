-- Signals and alerts get numbers of their own. The places of the stream are these numbers; SQLite's own row
-- numbers change when the database is vacuumed, and begin anew when all rows are gone. Nothing is renumbered here.

CREATE TABLE numbered_signals (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT    NOT NULL UNIQUE,
    position  INTEGER NOT NULL,
    symbol    TEXT    NOT NULL,
    interval  TEXT    NOT NULL,
    strategy  TEXT    NOT NULL,
    direction TEXT    NOT NULL,
    open_time INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    price     INTEGER NOT NULL,
    strength  REAL,              -- NULL is not a number
    facts     TEXT    NOT NULL,  -- [[name, value], …]
    verdict   TEXT,              -- NULL until ruled
    reason    TEXT,
    card      TEXT
) STRICT;
INSERT INTO numbered_signals
    SELECT rowid, id, position, symbol, interval, strategy, direction, open_time, at, price, strength,
        facts, verdict, reason, card
    FROM signals ORDER BY rowid;
DROP TABLE signals;
ALTER TABLE numbered_signals RENAME TO signals;
CREATE INDEX signals_by_time ON signals (at, id);
CREATE INDEX signals_by_symbol ON signals (symbol, at, id);

CREATE TABLE numbered_alerts (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT    NOT NULL UNIQUE,
    position INTEGER NOT NULL,
    json     TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    rule     TEXT    NOT NULL,
    symbol   TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    said_at  INTEGER NOT NULL,
    decision TEXT    NOT NULL,   -- send or withhold
    status   TEXT    NOT NULL,   -- withheld kept queued delivered failed expired
    reason   TEXT
) STRICT;
INSERT INTO numbered_alerts
    SELECT rowid, id, position, json, kind, rule, symbol, at, said_at, decision, status, reason
    FROM alerts ORDER BY rowid;

-- Its rows refer to alerts, so it is moved with them.
CREATE TABLE moved_outbox (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    alert           TEXT    REFERENCES numbered_alerts (id),
    notice          TEXT    REFERENCES notices (id),
    notifier        TEXT    NOT NULL,
    position        INTEGER NOT NULL,
    state           TEXT    NOT NULL DEFAULT 'ready',  -- ready sending delivered failed expired
    attempts        INTEGER NOT NULL DEFAULT 0,
    not_before      INTEGER NOT NULL DEFAULT 0,
    lease_until     INTEGER,
    fence           INTEGER NOT NULL DEFAULT 0,
    possible_repeat INTEGER NOT NULL DEFAULT 0,
    receipt         TEXT,
    reason          TEXT,
    leased_at       INTEGER,
    finished_at     INTEGER,
    CHECK ((alert IS NULL) <> (notice IS NULL)),
    UNIQUE (alert, notifier),
    UNIQUE (notice, notifier)
) STRICT;
INSERT INTO moved_outbox (id, alert, notice, notifier, position, state, attempts, not_before, lease_until,
        fence, possible_repeat, receipt, reason, leased_at, finished_at)
    SELECT id, alert, notice, notifier, position, state, attempts, not_before, lease_until,
        fence, possible_repeat, receipt, reason, leased_at, finished_at
    FROM outbox ORDER BY id;
DROP TABLE outbox;
DROP TABLE alerts;
ALTER TABLE numbered_alerts RENAME TO alerts;
ALTER TABLE moved_outbox RENAME TO outbox;
CREATE INDEX outbox_open ON outbox (notifier, id) WHERE state IN ('ready', 'sending');
CREATE INDEX alerts_by_time ON alerts (said_at, id);
CREATE INDEX alerts_by_symbol ON alerts (symbol, said_at, id);
CREATE INDEX alerts_by_moment ON alerts (at, id);

-- Minutes of a UTC day in which a service ran, and in which it was ready: what availability is computed of.
CREATE TABLE uptime (
    day      INTEGER PRIMARY KEY,            -- in days since 1970-01-01
    alive    INTEGER NOT NULL,               -- minutes
    ready    INTEGER NOT NULL,               -- minutes
    first    INTEGER NOT NULL,               -- the first minute that was noted, from 0
    last     INTEGER NOT NULL,               -- the last one
    is_ready INTEGER NOT NULL                -- whether that one counts as ready
) STRICT;
