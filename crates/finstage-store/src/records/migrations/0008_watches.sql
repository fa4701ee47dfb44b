-- Watches that were added beside the configuration, what is muted, and instruments that the user named. A
-- watch that is taken out leaves no row: that it was there stands in the journal.

CREATE TABLE watches (
    id          TEXT PRIMARY KEY,            -- follows from symbol and rule
    symbol      TEXT    NOT NULL,
    rule        TEXT    NOT NULL,
    cooldown_ms INTEGER NOT NULL,
    added_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE mutes (
    what  TEXT PRIMARY KEY,                  -- a symbol or a rule
    until INTEGER NOT NULL
) STRICT;

CREATE TABLE listings (
    symbol   TEXT PRIMARY KEY,
    name     TEXT NOT NULL,
    name_ko  TEXT NOT NULL,
    category TEXT NOT NULL,
    currency TEXT,
    calendar TEXT
) STRICT;
