-- The manifest of the Parquet shelf: one row a period of a series. A file is history exactly while
-- its number stands in `generation`; every other file of the folder is unfinished or replaced.
-- `claimed` is the last number handed out and is never handed out again; numbers up to `abandoned`
-- may no longer become the generation, so their files can be removed.

CREATE TABLE history_files (
    instrument INTEGER NOT NULL,
    interval   TEXT    NOT NULL,
    period     TEXT    NOT NULL,             -- 2026-11, or all
    claimed    INTEGER NOT NULL,
    abandoned  INTEGER NOT NULL DEFAULT 0,
    generation INTEGER,                      -- NULL until the first file is there
    bars       INTEGER,
    first      INTEGER,                      -- open times
    last       INTEGER,
    bytes      INTEGER,
    checksum   INTEGER,                      -- CRC32C of the file
    PRIMARY KEY (instrument, interval, period)
) STRICT, WITHOUT ROWID;

-- Adjusted price = raw price * price_factor * split_factor, by the first row whose day is on or
-- after the bar's. Raw bars are never changed by them.
CREATE TABLE history_factors (
    instrument      INTEGER NOT NULL,
    day             INTEGER NOT NULL,        -- days since the epoch
    price_factor    REAL    NOT NULL,
    split_factor    REAL    NOT NULL,
    reference_price REAL    NOT NULL,
    PRIMARY KEY (instrument, day)
) STRICT, WITHOUT ROWID;
