-- Verdicts of persons on doubts, and those that wait for a second person.
--
-- A program of schema 1 or 2 works on this journal without breaking a promise. It never reads these tables. An attempt
-- that persons settled looks to it like any other that ended: without a document, or with one that was known "by
-- content", the word it has for it. An FN that comes back with a document after "not made" stands above its mark, so that
-- it isolates the unit as it does with every document it cannot explain; nothing is made twice. What it puts in doubt or
-- resolves itself is listed here by the next start of this program.

-- One row for each attempt that ever fell into doubt. code, detail: what made it doubtful; person_*: why only a person can
-- settle it. How it ended stands in the attempt's own row.
CREATE TABLE doubts (intent INTEGER PRIMARY KEY REFERENCES intents, opened_at INTEGER NOT NULL, code TEXT NOT NULL,
    detail TEXT NOT NULL, person_code TEXT, person_detail TEXT, revision INTEGER NOT NULL, sum BLOB NOT NULL) STRICT;
-- What was seen since, and readings that persons asked for; the last so many of each doubt.
CREATE TABLE doubt_sightings (id INTEGER PRIMARY KEY AUTOINCREMENT, intent INTEGER NOT NULL REFERENCES doubts,
    at INTEGER NOT NULL, text TEXT NOT NULL, scan TEXT, client TEXT, request_id TEXT, sum BLOB NOT NULL) STRICT;
CREATE INDEX doubt_sightings_of ON doubt_sightings (intent, id);
CREATE UNIQUE INDEX doubt_sightings_once ON doubt_sightings (client, request_id) WHERE request_id IS NOT NULL;
-- What persons said, never changed: claim is JSON, confirms the verdict that a second person repeated, revision that of
-- the doubt after it. sum is chained over the verdict before, whatever its doubt.
CREATE TABLE verdicts (id INTEGER PRIMARY KEY AUTOINCREMENT, intent INTEGER NOT NULL REFERENCES doubts,
    at INTEGER NOT NULL, client TEXT NOT NULL, reason TEXT, request_id TEXT, claim TEXT NOT NULL,
    confirmation TEXT NOT NULL, confirms INTEGER REFERENCES verdicts, expires_at INTEGER NOT NULL,
    revision INTEGER NOT NULL, sum BLOB NOT NULL) STRICT;
CREATE INDEX verdicts_of ON verdicts (intent, id);
CREATE UNIQUE INDEX verdicts_once ON verdicts (client, request_id) WHERE request_id IS NOT NULL;
-- FNs that are read from the baseline of a doubt that persons settled, before anything is made on them again. fd, fp: the
-- document that was found although they said otherwise; last_fd: up to where it was read then.
CREATE TABLE doubt_reviews (intent INTEGER PRIMARY KEY REFERENCES doubts, fn INTEGER NOT NULL REFERENCES fns,
    state TEXT NOT NULL CHECK (state IN ('pending', 'clean', 'incident', 'closed')), at INTEGER NOT NULL,
    detail TEXT NOT NULL, fd INTEGER, fp INTEGER, last_fd INTEGER, sum BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX doubt_reviews_open ON doubt_reviews (fn) WHERE state IN ('pending', 'incident');
-- The doubt that an event of kind 'doubt' is about.
ALTER TABLE events ADD COLUMN intent INTEGER REFERENCES intents;
CREATE INDEX events_of_doubts ON events (kind, sequence) WHERE kind = 'doubt';
-- The verdict by which a document is known, instead of the FN.
ALTER TABLE documents ADD COLUMN verdict INTEGER REFERENCES verdicts;
