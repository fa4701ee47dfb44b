-- Notices: messages of the service itself, which follow from no event. `json` is lines of styled text;
-- older than `max_age_ms` a notice is not sent. The outbox carries an alert or a notice.

CREATE TABLE notices (
    id         TEXT PRIMARY KEY,
    kind       TEXT    NOT NULL,             -- report muted
    said_at    INTEGER NOT NULL,
    max_age_ms INTEGER NOT NULL,
    json       TEXT    NOT NULL
) STRICT;

CREATE TABLE outbox_of_both (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    alert           TEXT    REFERENCES alerts (id),
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

INSERT INTO outbox_of_both (id, alert, notifier, position, state, attempts, not_before, lease_until,
        fence, possible_repeat, receipt, reason, leased_at, finished_at)
    SELECT id, alert, notifier, position, state, attempts, not_before, lease_until,
        fence, possible_repeat, receipt, reason, leased_at, finished_at
    FROM outbox ORDER BY id;
DROP TABLE outbox;
ALTER TABLE outbox_of_both RENAME TO outbox;
CREATE INDEX outbox_open ON outbox (notifier, id) WHERE state IN ('ready', 'sending');

-- What a report of a day asks for: alerts by the moment they are about, outcomes by their exit.
CREATE INDEX alerts_by_moment ON alerts (at, id);
CREATE INDEX track_by_exit ON track (json_extract(body, '$.exit_at')) WHERE horizon <> '';
