-- The ledger of trials: everything that was tried on data, in a chain of hashes. `body` is the
-- canonical JSON that `hash` is the SHA-256 of; it holds number and previous hash too. `recorded_ns` is
-- when the row was written, for people and for epochs; it is not part of the chain.

CREATE TABLE trials (
    number      INTEGER PRIMARY KEY,
    hypothesis  TEXT    NOT NULL,
    data_hash   TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    hash        TEXT    NOT NULL,
    recorded_ns INTEGER NOT NULL,
    UNIQUE (hypothesis, data_hash)
) STRICT;
