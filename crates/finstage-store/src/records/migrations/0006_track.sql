-- The track record: signals with their verdicts, and what became of them, in a chain of hashes. `body` is
-- the canonical JSON that `hash` is the SHA-256 of; it holds number and previous hash too. `horizon` is
-- empty for the signal itself. `is_open` is a note and no part of the chain: 1 while a signal has outcomes
-- to come.

CREATE TABLE track (
    number  INTEGER PRIMARY KEY,
    signal  TEXT    NOT NULL,
    horizon TEXT    NOT NULL,
    is_open INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    hash    TEXT    NOT NULL,
    UNIQUE (signal, horizon)
) STRICT;
CREATE INDEX track_open ON track (number) WHERE is_open = 1;
