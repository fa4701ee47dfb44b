-- Work to be done later: a durable queue, and how far each schedule came. `priority` counts down: 0 is
-- critical, 3 is low. The fence grows with every lease. `attempts` counts leases that were not given back;
-- at `attempts_max` a failure is final. Ended tasks are kept for a while and then pruned.

CREATE TABLE tasks (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT    NOT NULL,
    idem         TEXT    UNIQUE,                    -- who submits the same again gets the same task
    lane         TEXT,                              -- one task of a lane runs at a time
    state        TEXT    NOT NULL,                  -- waiting ready running done dead cancelled
    priority     INTEGER NOT NULL,
    run_at       INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    payload      TEXT    NOT NULL,
    tries        INTEGER NOT NULL,
    backoff_ms   INTEGER NOT NULL,
    timeout_ms   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL,
    fence        INTEGER NOT NULL,
    worker       TEXT,
    leased_at    INTEGER,
    lease_until  INTEGER,
    cancel_asked INTEGER NOT NULL,
    progress     REAL    NOT NULL,
    doing        TEXT,
    finished_at  INTEGER,
    result       TEXT,
    reason       TEXT
) STRICT;
CREATE INDEX tasks_by_turn ON tasks (state, priority, id);
CREATE INDEX tasks_by_time ON tasks (state, run_at);

CREATE TABLE schedules (
    name    TEXT PRIMARY KEY,
    last_at INTEGER NOT NULL                        -- the occurrence that was last submitted or passed over
) STRICT;
