-- News: each document once, by its id, with what was read in it. `seen_at` is when it reached us, `known_at`
-- when it had been read. Not part of the journal's position: a run begins with what is here.

CREATE TABLE documents (
    id         TEXT PRIMARY KEY,
    seen_at    INTEGER NOT NULL,
    published  INTEGER,                      -- as the feed says
    feed       TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    title      TEXT    NOT NULL,
    summary    TEXT    NOT NULL,
    link       TEXT    NOT NULL,
    symbols    TEXT    NOT NULL,             -- JSON
    sources    INTEGER NOT NULL DEFAULT 1,   -- feeds that had it
    translated TEXT,                         -- the headline in the language of the settings
    read_by    TEXT,
    known_at   INTEGER,
    score      REAL,
    impact     REAL,
    confidence REAL
) STRICT;
CREATE INDEX documents_by_time ON documents (seen_at, id);

CREATE TABLE document_symbols (
    symbol   TEXT    NOT NULL,
    seen_at  INTEGER NOT NULL,
    document TEXT    NOT NULL,
    PRIMARY KEY (symbol, seen_at, document)
) STRICT, WITHOUT ROWID;
