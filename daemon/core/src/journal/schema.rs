//! Tables of the journal and how they came to be.
//!
//! History: 1 = first journal; 2 = revisions of tenants, requests of orders, cancellations, where attempts ran;
//! 3 = read-back, verdicts of persons, generations and orphans, archives and the key index (one file each in `schema/`).
//!
//! Owns: the migrations, forward only; within a release they only add, so that the release before can still read.
//! Must never: change a migration that was released.

/// Version of the schema that this program writes.
pub const SCHEMA: i64 = 3;
/// Oldest program schema that may work on a journal written by this program.
pub const MIN_READER: i64 = 1;

/// The migrations; number `n` stands at `n - 1`.
pub const MIGRATIONS: &[&str] = &[FIRST, SECOND, THIRD];

const FIRST: &str = r"
-- Facts of the journal as a whole: rack_id, kind, journal_id, generation, their sum, schema, min_reader, events_floor.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE starts (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, program TEXT NOT NULL) STRICT;

CREATE TABLE tenants (id INTEGER PRIMARY KEY, inn TEXT NOT NULL UNIQUE, first_seen INTEGER NOT NULL) STRICT;
CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, first_seen INTEGER NOT NULL) STRICT;
CREATE TABLE slots (id INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE, first_seen INTEGER NOT NULL) STRICT;
CREATE TABLE registers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, model TEXT, firmware TEXT,
    first_seen INTEGER NOT NULL) STRICT;
-- last_fd: last document number known of this FN; audited_fd: every document up to here was read back and matched;
-- last_intent and chain: the lane's last row and the checksum of its rows so far. sum covers all of it.
CREATE TABLE fns (id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, last_fd INTEGER NOT NULL,
    audited_fd INTEGER NOT NULL, last_time TEXT, last_intent INTEGER, chain BLOB NOT NULL, first_seen INTEGER NOT NULL,
    sum BLOB NOT NULL) STRICT;
-- What each FN was activated with, as the device stated it; a new row when it states something else.
CREATE TABLE registrations (id INTEGER PRIMARY KEY, fn INTEGER NOT NULL REFERENCES fns, register INTEGER NOT NULL
    REFERENCES registers, facts TEXT NOT NULL, seen_at INTEGER NOT NULL) STRICT;
CREATE INDEX registrations_by_fn ON registrations (fn, id);
-- What stood where, when.
CREATE TABLE placements (id INTEGER PRIMARY KEY, slot INTEGER NOT NULL REFERENCES slots, register INTEGER NOT NULL
    REFERENCES registers, fn INTEGER REFERENCES fns, from_at INTEGER NOT NULL, until_at INTEGER) STRICT;
CREATE INDEX placements_now ON placements (slot) WHERE until_at IS NULL;
CREATE TABLE unit_moves (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, slot TEXT NOT NULL, register TEXT, fn TEXT,
    state TEXT NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
-- Every order that changed what stands in the rack, with the whole plan it made.
CREATE TABLE orders (version INTEGER PRIMARY KEY, at INTEGER NOT NULL, client TEXT NOT NULL, reason TEXT,
    request_id TEXT UNIQUE, plan TEXT NOT NULL, sum BLOB NOT NULL) STRICT;

-- id is the local sequence inside the job key and never given twice, also after old rows were archived. body holds no
-- buyer. sum covers what never changes, state_sum what does; a state that is none is found by quick_check.
CREATE TABLE jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, tenant INTEGER NOT NULL REFERENCES tenants,
    client INTEGER NOT NULL REFERENCES clients, external_id TEXT NOT NULL, hash_version INTEGER NOT NULL,
    hash BLOB NOT NULL, key_time INTEGER, body TEXT NOT NULL, priority INTEGER NOT NULL, labels TEXT NOT NULL,
    accepted_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, replaces INTEGER REFERENCES jobs, sum BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACCEPTED', 'RUNNING', 'IN_DOUBT', 'COMPLETED', 'REFUSED', 'CANCELLED',
    'EXPIRED')), code TEXT, detail TEXT, person_code TEXT, person_detail TEXT, attempts INTEGER NOT NULL,
    revision INTEGER NOT NULL, updated_at INTEGER NOT NULL, state_sum BLOB NOT NULL,
    UNIQUE (tenant, client, external_id)) STRICT;
CREATE INDEX jobs_unfinished ON jobs (id) WHERE state IN ('ACCEPTED', 'RUNNING', 'IN_DOUBT');
CREATE INDEX jobs_by_tenant ON jobs (tenant, id);
CREATE INDEX jobs_for_a_person ON jobs (id) WHERE person_code IS NOT NULL;
CREATE UNIQUE INDEX jobs_replaced_once ON jobs (replaces) WHERE replaces IS NOT NULL;
-- Buyers, encrypted under the tenant's key.
CREATE TABLE contacts (job INTEGER PRIMARY KEY REFERENCES jobs, nonce BLOB NOT NULL, sealed BLOB NOT NULL) STRICT;

-- One row for each try to make a document, durable before its first byte: receipts, corrections, shift reports.
-- previous: the row before it in the lane's chain.
CREATE TABLE intents (id INTEGER PRIMARY KEY, fn INTEGER NOT NULL REFERENCES fns, register INTEGER NOT NULL
    REFERENCES registers, rnm TEXT NOT NULL, job INTEGER REFERENCES jobs, number INTEGER NOT NULL, kind TEXT NOT NULL,
    baseline INTEGER NOT NULL, job_key TEXT, key_place TEXT, content BLOB, start INTEGER NOT NULL,
    started_at INTEGER NOT NULL, previous INTEGER, chain BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'in_doubt', 'made', 'not_made')), ended_at INTEGER, code TEXT, detail TEXT, device TEXT, end_sum BLOB) STRICT;
-- I6: at most one unresolved intent per FN, and per job.
CREATE UNIQUE INDEX one_intent_per_fn ON intents (fn) WHERE state IN ('open', 'in_doubt');
CREATE UNIQUE INDEX one_intent_per_job ON intents (job) WHERE job IS NOT NULL AND state IN ('open', 'in_doubt');
CREATE INDEX intents_by_job ON intents (job, number) WHERE job IS NOT NULL;
-- What ended a doubt: identity, idle seen twice, last number before and after, what each document above the baseline is.
CREATE TABLE resolutions (intent INTEGER PRIMARY KEY REFERENCES intents, at INTEGER NOT NULL, verdict TEXT NOT NULL,
    scan TEXT NOT NULL, sum BLOB NOT NULL) STRICT;
-- Documents we know of, each explained: by a job, by a shift order of ours, or noted as foreign.
CREATE TABLE documents (id INTEGER PRIMARY KEY, fn INTEGER NOT NULL REFERENCES fns, fd INTEGER NOT NULL, kind TEXT NOT NULL, fp INTEGER NOT NULL,
    time TEXT NOT NULL, zone_minutes INTEGER NOT NULL, shift INTEGER NOT NULL, number_in_shift INTEGER NOT NULL,
    total INTEGER NOT NULL, tenant INTEGER NOT NULL REFERENCES tenants, register INTEGER NOT NULL REFERENCES registers,
    rnm TEXT NOT NULL, job INTEGER REFERENCES jobs, intent INTEGER NOT NULL UNIQUE REFERENCES intents,
    learned TEXT NOT NULL, at INTEGER NOT NULL, sum BLOB NOT NULL, UNIQUE (fn, fd)) STRICT;
CREATE UNIQUE INDEX documents_by_job ON documents (job) WHERE job IS NOT NULL;
CREATE INDEX documents_by_tenant ON documents (tenant, id);
-- Results that a receiver has not confirmed yet.
CREATE TABLE outbox (job INTEGER PRIMARY KEY REFERENCES jobs, at INTEGER NOT NULL, reported_at INTEGER) STRICT;
-- The one commit sequence that watches follow.
CREATE TABLE events (sequence INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, job INTEGER REFERENCES jobs,
    tenant INTEGER REFERENCES tenants, fn INTEGER REFERENCES fns, kind TEXT NOT NULL) STRICT;
CREATE INDEX events_by_tenant ON events (tenant, sequence);
";

const SECOND: &str = r"
-- What an order asked for, where the plan alone does not tell: a repeat is known by it.
ALTER TABLE orders ADD COLUMN request TEXT;
-- How often a tenant's own row of the plan changed, and that row.
CREATE TABLE tenant_revisions (tenant INTEGER PRIMARY KEY REFERENCES tenants, revision INTEGER NOT NULL,
    version INTEGER NOT NULL, row TEXT NOT NULL) STRICT;
CREATE INDEX events_of_tenants ON events (kind, sequence) WHERE kind = 'tenant';
-- Who took a job back, and why.
CREATE TABLE cancellations (job INTEGER PRIMARY KEY REFERENCES jobs, client INTEGER NOT NULL REFERENCES clients,
    at INTEGER NOT NULL, reason TEXT, request_id TEXT) STRICT;
CREATE UNIQUE INDEX cancellations_once ON cancellations (client, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX placements_by_register ON placements (register, from_at);
";

const THIRD: &str = concat!(
    include_str!("schema/3_audit.sql"),
    include_str!("schema/3_doubts.sql"),
    include_str!("schema/3_generations.sql"),
    include_str!("schema/3_care.sql"),
);
