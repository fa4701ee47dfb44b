-- A document that tells in other words what an earlier one told names it: the story counts once for scores.

ALTER TABLE documents ADD COLUMN story TEXT;
