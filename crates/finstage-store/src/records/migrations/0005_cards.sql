-- Evidence cards: of every hypothesis that was judged on stored bars the one in force, as JSON.
-- `number` is that of the verification that put it there; a running service looks for newer ones.

CREATE TABLE cards (
    hypothesis TEXT    PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    number     INTEGER NOT NULL,
    issued     INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    json       TEXT    NOT NULL
) STRICT;

CREATE INDEX cards_by_number ON cards (number);
