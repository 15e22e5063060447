-- Archive files, the key index, and digests of buyers that were dropped.
--
-- A program of schema 1 or 2 works on this journal without breaking a promise. Rows that it needs are there: nothing
-- unfinished is archived, nor the last two attempts of an FN, by which it checks a lane. What it does not know is the key
-- index: the trigger below refuses a key of it for such a program too, so that no archived job is ever taken as new. It
-- does not show archived jobs, and its own "journal verify" calls the lanes whose beginnings were archived broken; the
-- verification of this program follows them into the files.

-- Archive files, each written once: which rows they hold. Written when the file is whole and durable, before the first of
-- those rows leaves this one. hash: SHA-256 of the file. moved_at: since when none of them is left here.
CREATE TABLE archives (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL,
    hash BLOB NOT NULL, sealed_at INTEGER NOT NULL, jobs INTEGER NOT NULL, attempts INTEGER NOT NULL,
    documents INTEGER NOT NULL, first_job INTEGER, last_job INTEGER, first_document INTEGER, last_document INTEGER,
    accepted_from INTEGER, accepted_until INTEGER, sum BLOB NOT NULL, moved_at INTEGER) STRICT;

-- The key index: what is known of each job whose row was archived, for as long as its client may repeat its key. sum
-- covers all of it. The document's columns are those of `documents`.
CREATE TABLE keys (job INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, tenant INTEGER NOT NULL REFERENCES tenants,
    client INTEGER NOT NULL REFERENCES clients, external_id TEXT NOT NULL, hash_version INTEGER NOT NULL,
    hash BLOB NOT NULL, key_time INTEGER, accepted_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, replaces INTEGER,
    state TEXT NOT NULL, code TEXT, detail TEXT, revision INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    fn INTEGER REFERENCES fns, fd INTEGER, fp INTEGER, time TEXT, zone_minutes INTEGER, shift INTEGER,
    number_in_shift INTEGER, total INTEGER, register INTEGER REFERENCES registers, rnm TEXT, learned TEXT,
    archive INTEGER NOT NULL REFERENCES archives, sum BLOB NOT NULL, UNIQUE (tenant, client, external_id)) STRICT;
CREATE UNIQUE INDEX keys_by_document ON keys (fn, fd) WHERE fd IS NOT NULL;
CREATE UNIQUE INDEX keys_by_replaced ON keys (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX keys_by_age ON keys (accepted_at);
-- Whoever writes here, a known key is never new; nor is one of which that can no longer be told, because rows older than
-- the fact 'keys_floor' (milliseconds) were dropped from the index; and a job is stood in for once. Every program notes a
-- job it accepts here in the same transaction; a trigger on `jobs` itself would make SQLite read whole tables for each.
CREATE TRIGGER known_keys_are_never_new BEFORE INSERT ON events
    WHEN NEW.kind = 'accepted' AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = NEW.job AND (
        EXISTS (SELECT 1 FROM keys k WHERE k.tenant = j.tenant AND k.client = j.client AND k.external_id = j.external_id)
        OR EXISTS (SELECT 1 FROM keys k WHERE k.replaces = j.replaces)
        OR EXISTS (SELECT 1 FROM meta m WHERE m.name = 'keys_floor'
            AND COALESCE(j.key_time, -1) < CAST(m.value AS INTEGER))))
    BEGIN SELECT RAISE(ABORT, 'this key belongs to an archived job'); END;

-- Where the chain of a lane leads into an archive: the attempt here, the one before it there, and the checksum that the
-- chain had after that one.
CREATE TABLE lane_gaps (intent INTEGER PRIMARY KEY REFERENCES intents, previous INTEGER NOT NULL, chain BLOB NOT NULL,
    sum BLOB NOT NULL) STRICT;
CREATE INDEX intents_by_previous ON intents (previous) WHERE previous IS NOT NULL;

-- What stays of a buyer that was dropped: JSON, [[tag, "hex digest"], …] as `kassette_receipts::digest` makes them.
CREATE TABLE contact_digests (job INTEGER PRIMARY KEY, dropped_at INTEGER NOT NULL,
    digests TEXT NOT NULL, sum BLOB NOT NULL) STRICT;
-- Buyers of archived jobs that are still kept, because nobody was shown the result and their retention is not over.
CREATE TABLE archived_contacts (job INTEGER PRIMARY KEY REFERENCES keys, nonce BLOB NOT NULL, sealed BLOB NOT NULL)
    STRICT;
