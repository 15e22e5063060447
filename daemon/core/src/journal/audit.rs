//! Checks of rows against their checksums and of rows against each other.
//!
//! Owns: what of the journal must hold before a start (a few rows) and in a full verification (all rows).
//! Must never: write.

use super::doubts::{doubt_sum, sighting_sum};
use super::ends::{document_sum, resolution_sum};
use super::generations::generation_sum;
use super::intents::{begin_chain, end_sum, fn_sum};
use super::open::Fault;
use super::orders::order_sum;
use super::read_back::{clear_sum, finding_sum, foreign_sum, tags_sum};
use super::readings::{orphan_sum, reading_sum};
use super::rows::{job_state_sum, job_sum};
use super::verdicts::{review_sum, verdict_sum};
use rusqlite::Connection;

pub(super) type Sum = fn(&Connection, i64) -> rusqlite::Result<Vec<u8>>;

/// Rows that decide what is sent next: everything unfinished, the end of each lane, the newest plan.
pub(super) fn before_start(conn: &Connection) -> Result<(), Fault> {
    let unfinished = "state IN ('ACCEPTED', 'RUNNING', 'IN_DOUBT')";
    let checks: [(&str, String, Sum); 13] = [
        (
            "finding",
            "SELECT id, sum FROM findings WHERE cleared_at IS NULL".into(),
            finding_sum,
        ),
        ("job", format!("SELECT id, sum FROM jobs WHERE {unfinished}"), job_sum),
        (
            "job",
            format!("SELECT id, state_sum FROM jobs WHERE {unfinished}"),
            job_state_sum,
        ),
        ("FN", "SELECT id, sum FROM fns".into(), fn_sum),
        ("generation", "SELECT id, sum FROM generations".into(), generation_sum),
        ("reading", "SELECT id, sum FROM readings".into(), reading_sum),
        (
            "orphan",
            "SELECT id, sum FROM orphans WHERE state = 'open' OR stops = 1".into(),
            orphan_sum,
        ),
        (
            "order",
            "SELECT version, sum FROM orders ORDER BY version DESC LIMIT 1".into(),
            order_sum,
        ),
        (
            "attempt",
            "SELECT i.id, i.end_sum FROM fns f JOIN intents i ON i.id = f.last_intent \
            WHERE i.end_sum IS NOT NULL OR i.state <> 'open'"
                .into(),
            end_sum,
        ),
        (
            "attempt",
            "SELECT i.id, i.chain FROM fns f JOIN intents i ON i.id = f.last_intent".into(),
            chain_of,
        ),
        (
            "doubt",
            "SELECT d.intent, d.sum FROM doubts d JOIN intents i ON i.id = d.intent \
            WHERE i.state IN ('open', 'in_doubt')"
                .into(),
            doubt_sum,
        ),
        (
            "verdict",
            "SELECT v.id, v.sum FROM verdicts v JOIN intents i ON i.id = v.intent \
            WHERE i.state IN ('open', 'in_doubt')"
                .into(),
            verdict_sum,
        ),
        (
            "review",
            "SELECT intent, sum FROM doubt_reviews WHERE state IN ('pending', 'incident')".into(),
            review_sum,
        ),
    ];
    for (what, statement, sum) in checks {
        if let Some(found) = sums(conn, what, &statement, sum)?.bad.first() {
            return Err(Fault::Damaged(found.clone()));
        }
    }
    for (statement, what) in [LANE_ENDS, UNRESOLVED, UNFINISHED_WITHOUT_INTENT] {
        if let Some(id) = ids(conn, statement)?.first() {
            return Err(Fault::Damaged(format!("{what} (row {id})")));
        }
    }
    Ok(())
}

/// A statement that finds rows which contradict others, and what it means.
pub(super) type Contradiction = (&'static str, &'static str);

const LANE_ENDS: Contradiction = (
    "SELECT f.id FROM fns f LEFT JOIN intents i ON i.id = f.last_intent \
     WHERE f.chain <> COALESCE(i.chain, x'') OR (f.last_intent IS NOT NULL AND i.fn IS NOT f.id)",
    "the chain of attempts on an FN is broken",
);
const UNRESOLVED: Contradiction = (
    "SELECT i.id FROM intents i LEFT JOIN jobs j ON j.id = i.job LEFT JOIN fns f ON f.id = i.fn \
     WHERE i.state IN ('open', 'in_doubt') AND (f.last_intent IS NOT i.id OR (i.job IS NOT NULL AND j.state IS NOT \
     CASE i.state WHEN 'open' THEN 'RUNNING' ELSE 'IN_DOUBT' END))",
    "an unresolved attempt is not the last of its lane, or its job is in another state",
);
const UNFINISHED_WITHOUT_INTENT: Contradiction = (
    "SELECT j.id FROM jobs j WHERE j.state IN ('ACCEPTED', 'RUNNING', 'IN_DOUBT') AND j.state <> 'ACCEPTED' \
     AND NOT EXISTS (SELECT 1 FROM intents i WHERE i.job = j.id AND i.state IN ('open', 'in_doubt'))",
    "a job runs or is in doubt without an unresolved attempt",
);

/// Rows that were looked at, and those whose checksum does not match.
#[derive(Default)]
pub(super) struct Summed {
    pub rows: u64,
    pub bad: Vec<String>,
}

/// Compares stored checksums with those of the rows as they are. The statement gives row number and stored sum.
pub(super) fn sums(conn: &Connection, what: &str, statement: &str, sum: Sum) -> Result<Summed, Fault> {
    let mut prepared = conn.prepare(statement)?;
    let mut rows = prepared.query([])?;
    let mut found = Summed::default();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        found.rows += 1;
        if row.get_ref(1)?.as_bytes_or_null().ok().flatten() != Some(sum(conn, id)?.as_slice()) {
            found
                .bad
                .push(format!("the checksum of {what} row {id} does not match"));
        }
    }
    Ok(found)
}

/// The chain value of an attempt, from its row and the row before it in its lane.
fn chain_of(conn: &Connection, intent: i64) -> rusqlite::Result<Vec<u8>> {
    let before: Option<Vec<u8>> = conn
        .prepare_cached(
            "SELECT COALESCE(p.chain, g.chain) FROM intents i LEFT JOIN intents p ON p.id = i.previous \
             LEFT JOIN lane_gaps g ON g.intent = i.id AND g.previous = i.previous WHERE i.id = ?1",
        )?
        .query_row([intent], |row| row.get(0))?;
    begin_chain(conn, intent, &before.unwrap_or_default())
}

pub(super) fn ids(conn: &Connection, statement: &str) -> Result<Vec<i64>, Fault> {
    let found = conn
        .prepare(statement)?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// Checksums of every row of a table: what it is called, its statement, and how the sum is made.
pub(super) const ALL_SUMS: [(&str, &str, Sum); 19] = [
    ("job", "SELECT id, sum FROM jobs", job_sum),
    ("job", "SELECT id, state_sum FROM jobs", job_state_sum),
    ("FN", "SELECT id, sum FROM fns", fn_sum),
    ("attempt", "SELECT id, chain FROM intents", chain_of),
    (
        "attempt",
        "SELECT id, end_sum FROM intents WHERE end_sum IS NOT NULL OR state <> 'open'",
        end_sum,
    ),
    ("resolution", "SELECT intent, sum FROM resolutions", resolution_sum),
    ("document", "SELECT id, sum FROM documents", document_sum),
    ("order", "SELECT version, sum FROM orders", order_sum),
    ("document as read", "SELECT id, sum FROM document_tags", tags_sum),
    ("foreign document", "SELECT id, sum FROM foreign_documents", foreign_sum),
    ("finding", "SELECT id, sum FROM findings", finding_sum),
    (
        "finding",
        "SELECT id, clear_sum FROM findings WHERE clear_sum IS NOT NULL OR cleared_at IS NOT NULL",
        clear_sum,
    ),
    ("doubt", "SELECT intent, sum FROM doubts", doubt_sum),
    ("sighting", "SELECT id, sum FROM doubt_sightings", sighting_sum),
    ("verdict", "SELECT id, sum FROM verdicts", verdict_sum),
    ("review", "SELECT intent, sum FROM doubt_reviews", review_sum),
    ("generation", "SELECT id, sum FROM generations", generation_sum),
    ("reading", "SELECT id, sum FROM readings", reading_sum),
    ("orphan", "SELECT id, sum FROM orphans", orphan_sum),
];

/// Everything that rows of the journal may never say of each other.
pub(super) const ALL_CONTRADICTIONS: [Contradiction; 14] = [
    LANE_ENDS,
    UNRESOLVED,
    UNFINISHED_WITHOUT_INTENT,
    (
        "SELECT x.id FROM (SELECT id, previous, LAG(id) OVER (PARTITION BY fn ORDER BY id) AS before FROM intents) x \
         WHERE previous IS NOT before AND NOT EXISTS (SELECT 1 FROM lane_gaps g WHERE g.intent = x.id \
         AND g.previous = x.previous)",
        "an attempt is missing in the chain of an FN",
    ),
    (
        "SELECT f.id FROM fns f WHERE f.last_intent IS NOT (SELECT MAX(i.id) FROM intents i WHERE i.fn = f.id)",
        "an FN does not know its last attempt",
    ),
    (
        "SELECT id FROM jobs j WHERE state = 'COMPLETED' AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.job = j.id)",
        "a completed job has no document",
    ),
    (
        "SELECT d.id FROM documents d LEFT JOIN jobs j ON j.id = d.job WHERE d.job IS NOT NULL \
         AND j.state IS NOT 'COMPLETED'",
        "the job of a document is not completed",
    ),
    (
        "SELECT d.id FROM documents d LEFT JOIN intents i ON i.id = d.intent WHERE i.state IS NOT 'made' \
         OR i.job IS NOT d.job OR d.fd <= i.baseline OR (i.fn IS NOT d.fn AND NOT EXISTS (SELECT 1 FROM orphans o \
         JOIN fns f ON f.number = o.number WHERE o.job = d.job AND o.state = 'claimed' AND f.id = d.fn AND o.fd = d.fd))",
        "a document is not what its attempt was to make",
    ),
    (
        "SELECT i.id FROM intents i WHERE i.state = 'made' \
         AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.intent = i.id)",
        "an attempt made a document that is not there",
    ),
    (
        "SELECT j.id FROM jobs j WHERE j.attempts <> (SELECT COUNT(*) FROM intents i WHERE i.job = j.id) \
         OR j.attempts <> (SELECT COALESCE(MAX(number), 0) FROM intents i WHERE i.job = j.id)",
        "the attempts of a job are not numbered without gaps",
    ),
    (
        "SELECT d.id FROM documents d JOIN fns f ON f.id = d.fn WHERE d.fd > f.last_fd",
        "a document stands above the last number known of its FN",
    ),
    (
        "SELECT id FROM fns WHERE audited_fd > last_fd",
        "an FN was read back further than it is known",
    ),
    (
        "SELECT x.id FROM foreign_documents x JOIN documents d ON d.fn = x.fn AND d.fd = x.fd",
        "a document is noted as foreign and as ours",
    ),
    (
        "SELECT v.id FROM verdicts v LEFT JOIN verdicts w ON w.id = v.confirms WHERE v.confirms IS NOT NULL \
         AND (w.intent IS NOT v.intent OR w.client = v.client OR w.id >= v.id)",
        "a verdict repeats none of another person on the same doubt",
    ),
];
