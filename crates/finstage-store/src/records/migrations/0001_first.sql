-- Times are nanoseconds since the epoch, prices are nanos of one, volumes are exact decimal text.
-- `position` is the journal position after the last event that the row follows from; 0 for rows
-- that follow from no event (imports). See finstage_model::Position.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Ids are dense from 0: the engine keeps its tables by them.
CREATE TABLE instruments (
    id     INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL UNIQUE,
    json   TEXT NOT NULL
) STRICT;

CREATE TABLE bars_tail (
    instrument INTEGER NOT NULL,
    interval   TEXT    NOT NULL,
    open_time  INTEGER NOT NULL,
    open       INTEGER NOT NULL,
    high       INTEGER NOT NULL,
    low        INTEGER NOT NULL,
    close      INTEGER NOT NULL,
    volume     TEXT    NOT NULL,
    trades     INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    PRIMARY KEY (instrument, interval, open_time)
) STRICT, WITHOUT ROWID;

CREATE TABLE signals (
    id        TEXT PRIMARY KEY,
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
CREATE INDEX signals_by_time ON signals (at, id);
CREATE INDEX signals_by_symbol ON signals (symbol, at, id);

CREATE TABLE alerts (
    id       TEXT PRIMARY KEY,
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
CREATE INDEX alerts_by_time ON alerts (said_at, id);
CREATE INDEX alerts_by_symbol ON alerts (symbol, said_at, id);

CREATE TABLE outbox (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    alert           TEXT    NOT NULL REFERENCES alerts (id),
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
    UNIQUE (alert, notifier)
) STRICT;
CREATE INDEX outbox_open ON outbox (notifier, id) WHERE state IN ('ready', 'sending');

-- What was said, by run: a rolling digest up to the last position applied.
CREATE TABLE runs (
    day      INTEGER NOT NULL,
    run      INTEGER NOT NULL,
    position INTEGER NOT NULL,
    events   INTEGER NOT NULL,
    outputs  INTEGER NOT NULL,
    digest   TEXT    NOT NULL,
    PRIMARY KEY (day, run)
) STRICT, WITHOUT ROWID;
