-- Generations of this journal, FNs that are read anew, and receipts that no job here explains.
--
-- A program of schema 1 or 2 keeps its promises on these tables without knowing them: a job that is held is IN_DOUBT with
-- an attempt on a lane of its own, whose FN ("HELD" and the job's row number) never answers, so that it is never offered,
-- never ends by its ttl and never is taken back; an FN that is read anew stands in `fns` with the number up to which it
-- was read, so that such a program isolates it as one with foreign documents; a copy that waits for its restore says
-- that it needs a reader of schema 3.

-- Every generation that job keys of this journal carry: which, from when, and why it was drawn ('first', 'restore',
-- 'seen': a document of an FN carried the one before).
CREATE TABLE generations (id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, at INTEGER NOT NULL, why TEXT NOT NULL
    CHECK (why IN ('first', 'restore', 'seen')), sum BLOB NOT NULL) STRICT;
-- FNs whose documents are read before their lane opens, by number: the FN itself may never have been seen. why: 'new' =
-- this journal never knew it, 'ahead' = it has documents above the mark, 'restore' = this journal is a copy. mark: the
-- last document that was not read, null until that is known; read_fd: read up to here; span_from: documents before that
-- instant were not read; jobs_upto: jobs up to this row number may have run after the copy was taken.
CREATE TABLE readings (id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, tenant INTEGER NOT NULL REFERENCES tenants,
    why TEXT NOT NULL CHECK (why IN ('new', 'ahead', 'restore')), began_at INTEGER NOT NULL, adopted INTEGER NOT NULL,
    jobs_upto INTEGER NOT NULL, mark INTEGER, read_fd INTEGER, span_from INTEGER, done_at INTEGER, sum BLOB NOT NULL)
    STRICT;
CREATE INDEX readings_open ON readings (tenant) WHERE done_at IS NULL;
-- Every document that was read so. state: 'noted' = explained by what it is (a shift report), or by its job; 'open' = a
-- receipt without a job; 'claimed' = it became the document of a job; 'dismissed' = a person knows it as somebody else's.
-- stops = 1 while the lane waits for a person because of it. sealed: its tags, under the tenant's key for contacts;
-- dropped once nobody needs them.
CREATE TABLE orphans (id INTEGER PRIMARY KEY, number TEXT NOT NULL, fd INTEGER NOT NULL, tenant INTEGER NOT NULL
    REFERENCES tenants, code INTEGER NOT NULL, key TEXT, hash INTEGER, sign INTEGER, total INTEGER, fp INTEGER, time TEXT,
    time_ms INTEGER, zone_minutes INTEGER NOT NULL, shift INTEGER, number_in_shift INTEGER, register TEXT NOT NULL,
    rnm TEXT NOT NULL, nonce BLOB, sealed BLOB, state TEXT NOT NULL CHECK (state IN ('noted', 'open', 'claimed',
    'dismissed')), stops INTEGER NOT NULL, job INTEGER REFERENCES jobs, at INTEGER NOT NULL, settled_at INTEGER,
    client TEXT, reason TEXT, sum BLOB NOT NULL, UNIQUE (number, fd)) STRICT;
CREATE INDEX orphans_by_hash ON orphans (tenant, hash) WHERE state = 'open' AND hash IS NOT NULL;
CREATE INDEX orphans_by_total ON orphans (tenant, total) WHERE state = 'open' AND hash IS NULL;
CREATE INDEX orphans_that_stop ON orphans (number) WHERE stops = 1;
CREATE UNIQUE INDEX orphans_by_job ON orphans (job) WHERE state = 'claimed';
