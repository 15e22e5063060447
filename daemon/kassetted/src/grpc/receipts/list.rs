//! Lists of jobs and of documents.
//!
//! Owns: pages: their size in rows and bytes, and how far a page reads for rows that fit its filter.
//! Must never: read without a bound, or show a row of a tenant that is not granted.

use crate::grpc::access::{self, Grants, Scope};
use crate::grpc::convert::findings::At;
use crate::grpc::convert::{document, filter};
use crate::grpc::status::{invalid, refusal};
use crate::grpc::surface::Surface;
use crate::grpc::tokens::{self, ListId};
use crate::identity::Role;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use prost::Message;
use tonic::Request;

const PARENT: At<'static> = At::top("parent");
/// Most rows that one page reads to find those that fit; a page that found fewer goes on in the next one.
const SCAN_ROWS_MAX: u32 = 5_000;
/// Rows read at first, before it is known how large they are.
const FIRST_ROWS: u32 = 20;
/// Most rows of one read.
const READ_ROWS_MAX: u32 = 200;

/// How much room a page still has.
struct Room {
    rows: u32,
    bytes: usize,
    scanned: u32,
    largest: usize,
}

impl Room {
    /// Three quarters of a message: the last read may overshoot by a few rows.
    const fn new(rows: u32, message_bytes: usize) -> Self {
        Self {
            rows,
            bytes: message_bytes / 4 * 3,
            scanned: 0,
            largest: 0,
        }
    }

    /// How many rows to read next; `None` when the page is full.
    fn next_read(&self) -> Option<u32> {
        if self.rows == 0 || self.scanned >= SCAN_ROWS_MAX || self.bytes < self.largest {
            return None;
        }
        let by_bytes = match self.largest {
            0 => FIRST_ROWS,
            largest => u32::try_from(self.bytes / largest).unwrap_or(READ_ROWS_MAX),
        };
        Some(self.rows.min(by_bytes).clamp(1, READ_ROWS_MAX))
    }

    fn take(&mut self, bytes: usize) {
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.largest = self.largest.max(bytes);
    }
}

/// A position of a list of jobs: the sequence of its first page, for the watch cursor, and the next row.
fn job_position(list: ListId, token: Option<&str>) -> Result<Option<(u64, i64)>, ErrorDetails> {
    let position = list.position(token)?;
    let read = |text: &str| {
        let (sequence, after) = text.split_once(':')?;
        Some((sequence.parse().ok()?, after.parse().ok()?))
    };
    // A sealed token of this list always holds such a position.
    Ok(position.as_deref().and_then(read))
}

/// Jobs, newest first.
pub(super) async fn receipts(
    surface: &Surface,
    request: Request<v1::ListReceiptsRequest>,
) -> Result<v1::ListReceiptsResponse, ErrorDetails> {
    let caller = access::caller_with(&request, Role::Provider)?;
    let grants = surface.grants().await?;
    let given = request.into_inner();
    let scope = grants.scope(&caller, &PARENT, &given.parent)?;
    let room = Room::new(tokens::page_size(given.page_size)?, surface.limits().message_bytes);
    let whole = v1::ListReceiptsRequest {
        page_size: None,
        page_token: None,
        ..given.clone()
    };
    let list = ListId::new("ListReceipts", &whole);
    let position = job_position(list, given.page_token.as_deref())?;
    let wanted = filter::jobs(given.filter).map_err(|findings| invalid(Code::RequestInvalid, findings))?;
    let page = job_page(surface, &grants, &scope, &wanted, position, room).await?;
    let JobPage { jobs, sequence, after } = page;
    Ok(v1::ListReceiptsResponse {
        receipt_jobs: jobs,
        next_page_token: after
            .map(|after| list.token(&format!("{sequence}:{after}")))
            .unwrap_or_default(),
        watch_cursor: tokens::cursor(surface.snapshot().generation, sequence),
    })
}

struct JobPage {
    jobs: Vec<v1::ReceiptJob>,
    /// Commit sequence of the first page.
    sequence: u64,
    after: Option<i64>,
}

async fn job_page(
    surface: &Surface,
    grants: &Grants,
    scope: &Scope,
    wanted: &filter::JobMatch,
    position: Option<(u64, i64)>,
    mut room: Room,
) -> Result<JobPage, ErrorDetails> {
    let (mut sequence, mut after) = position.unzip();
    let mut jobs = Vec::new();
    while let Some(limit) = room.next_read() {
        let page = surface
            .rack()
            .jobs(wanted.stored(scope.only.clone()), after, limit)
            .await
            .map_err(refusal)?;
        sequence.get_or_insert(page.sequence);
        room.scanned += page.looked.max(1);
        for job in page
            .rows
            .into_iter()
            .filter(|job| scope.tenants.contains(&job.tenant) && wanted.fits(job))
        {
            let shown = surface.show(grants, job);
            room.take(shown.encoded_len());
            jobs.push(shown);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(JobPage {
        jobs,
        sequence: sequence.unwrap_or_default(),
        after,
    })
}

/// Documents by FN and number.
pub(super) async fn documents(
    surface: &Surface,
    request: Request<v1::ListDocumentsRequest>,
) -> Result<v1::ListDocumentsResponse, ErrorDetails> {
    let caller = access::caller_with(&request, Role::Provider)?;
    let grants = surface.grants().await?;
    let given = request.into_inner();
    let scope = grants.scope(&caller, &PARENT, &given.parent)?;
    let read = document::Read {
        tags: given.with_tags,
        tlv: given.with_tlv,
    };
    let room = Room::new(tokens::page_size(given.page_size)?, surface.limits().message_bytes);
    let whole = v1::ListDocumentsRequest {
        page_size: None,
        page_token: None,
        ..given.clone()
    };
    let list = ListId::new("ListDocuments", &whole);
    let after = list.number(given.page_token.as_deref())?;
    let wanted = filter::documents(given.filter).map_err(|findings| invalid(Code::RequestInvalid, findings))?;
    if wanted.is_empty() {
        return Ok(v1::ListDocumentsResponse::default());
    }
    document_page(surface, &scope, (&wanted, read), list, after, room).await
}

async fn document_page(
    surface: &Surface,
    scope: &Scope,
    (wanted, read): (&filter::DocumentMatch, document::Read),
    list: ListId,
    mut after: Option<i64>,
    mut room: Room,
) -> Result<v1::ListDocumentsResponse, ErrorDetails> {
    let mut documents = Vec::new();
    while let Some(limit) = room.next_read() {
        let filter = wanted.stored(scope.only.clone(), read.tags || read.tlv);
        let page = surface.rack().documents(filter, after, limit).await.map_err(refusal)?;
        room.scanned += page.looked.max(1);
        for row in page
            .rows
            .iter()
            .filter(|row| scope.tenants.contains(&row.tenant) && wanted.fits(row))
        {
            let shown = document::document(row, read);
            room.take(shown.encoded_len());
            documents.push(shown);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let next_page_token = after.map(|after| list.token(&after.to_string())).unwrap_or_default();
    Ok(v1::ListDocumentsResponse {
        documents,
        next_page_token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_never_grows_beyond_its_rows_or_bytes_and_always_gets_on() {
        let mut room = Room::new(1000, 1024 * 1024);
        let (mut rows, mut bytes) = (0, 0);
        while let Some(read) = room.next_read() {
            assert!(read >= 1);
            room.scanned += read;
            for _ in 0..read {
                room.take(60_000);
                (rows, bytes) = (rows + 1, bytes + 60_000);
            }
        }
        assert!(rows >= 10 && bytes < 2 * 1024 * 1024, "{rows} rows of {bytes} bytes");
        let mut nothing_fits = Room::new(1000, 1024 * 1024);
        let mut reads = 0;
        while let Some(read) = nothing_fits.next_read() {
            nothing_fits.scanned += read;
            reads += 1;
        }
        assert!(
            reads <= 250,
            "a filter that fits nothing must not read the whole journal"
        );
    }
}
