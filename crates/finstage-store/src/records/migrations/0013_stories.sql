-- A document that tells in other words what an earlier one told names it: the story counts once for scores.

ALTER TABLE documents ADD COLUMN story TEXT;

-- The other feeds that have a document, each once: who lists it again does not count twice.
CREATE TABLE document_feeds (
    document TEXT NOT NULL,
    feed     TEXT NOT NULL,
    PRIMARY KEY (document, feed)
) STRICT, WITHOUT ROWID;
