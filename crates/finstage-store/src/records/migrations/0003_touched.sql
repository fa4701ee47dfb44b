-- Series that an import has added bars to: one row a series, numbered anew by each import that
-- brought something. A running service looks here for what other processes imported.

CREATE TABLE touched (
    instrument INTEGER NOT NULL,
    interval   TEXT    NOT NULL,
    number     INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (instrument, interval)
) STRICT, WITHOUT ROWID;
