//! Lists of jobs and documents, and what a client is told beside them.
//!
//! Owns: what a page, a document and a status say after a few receipts.
//! Must never: depend on how many rows a page holds.

use kassette_api::codes::Code;
use kassette_api::v1::{
    DocumentFilter, Evidence, FiscalDocument, GetRackRequest, GetTenantStatusRequest, JobState, ListDocumentsRequest,
    ListReceiptsRequest, ListReceiptsResponse, ReceiptFilter, ValidateReceiptRequest,
};
use kassette_tests::api::{Api, details};
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::{TestRack, final_job};
use tonic::Status;

/// 1 July 2024, before the rate of 22 % came into force.
const BEFORE_22_PERCENT: i64 = 1_719_792_000;

fn page(size: i32, token: Option<String>, labels: &[(&str, &str)]) -> ListReceiptsRequest {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ListReceiptsRequest {
        parent: format!("tenants/{}", inn(1)),
        page_size: Some(size),
        page_token: token,
        filter: Some(ReceiptFilter {
            labels: labels.collect(),
            ..ReceiptFilter::default()
        }),
    }
}

fn list(api: &Api, request: ListReceiptsRequest) -> Result<ListReceiptsResponse, Status> {
    Ok(api.wait(api.receipts().list_receipts(request))?.into_inner())
}

fn documents(api: &Api, codes: Vec<u32>) -> Vec<FiscalDocument> {
    let request = ListDocumentsRequest {
        parent: format!("tenants/{}", inn(1)),
        filter: Some(DocumentFilter {
            document_codes: codes,
            ..DocumentFilter::default()
        }),
        ..ListDocumentsRequest::default()
    };
    let answer = api.wait(api.receipts().list_documents(request));
    answer.unwrap().into_inner().documents
}

#[test]
fn lists_tell_each_job_and_each_document_whole() {
    let rack = TestRack::start(75, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    let api = rack.api();
    let longest_key = "ключ".repeat(32);
    for (at, key) in ["one", "two", longest_key.as_str()].into_iter().enumerate() {
        let mut order = submission(&inn(1), key, plain_receipt(10_000 + i64::try_from(at).unwrap()));
        order.labels.insert("shop".to_owned(), (at % 2).to_string());
        api.submit(order).unwrap();
        let job = final_job(api, &inn(1), key).unwrap();
        assert_eq!(job.state(), JobState::Completed, "{job:?}");
        // The first one was held until the FN was read: that is no attempt.
        let slots: Vec<&str> = job.attempts.iter().map(|one| one.slot.as_str()).collect();
        assert_eq!(slots, ["slots/R1-S01"]);
    }
    check_pages(api);
    check_documents(api);
    check_status(api);
}

fn check_pages(api: &Api) {
    let first = list(api, page(1, None, &[])).unwrap();
    let second = list(api, page(1, Some(first.next_page_token.clone()), &[])).unwrap();
    assert_eq!(first.watch_cursor, second.watch_cursor, "the cursor of the first page");
    assert_ne!(first.receipt_jobs[0].name, second.receipt_jobs[0].name);
    let labelled = list(api, page(1000, None, &[("shop", "0")])).unwrap();
    assert_eq!(
        (labelled.receipt_jobs.len(), labelled.next_page_token.as_str()),
        (2, "")
    );
    for (size, token, labels) in [
        (1, first.next_page_token.clone(), [("shop", "0")].as_slice()),
        (1, first.watch_cursor, &[]),
        (1001, String::new(), &[]),
        (-1, String::new(), &[]),
    ] {
        let refused = list(api, page(size, Some(token), labels)).unwrap_err();
        assert_eq!(details(&refused).unwrap().code, Code::PageInvalid, "{size} {labels:?}");
    }
}

fn check_documents(api: &Api) {
    let receipts = documents(api, vec![3]);
    assert_eq!(receipts.len(), 3);
    for one in &receipts {
        assert_eq!((one.settlement_sign, one.ffd_version), (Some(1), Some(4)));
        assert_eq!(one.evidence(), Evidence::Answer);
        assert!(one.qr_text.as_ref().unwrap().contains(&format!("fn={}", one.r#fn)));
        assert!(!one.rnm.is_empty() && one.receipt_job.is_some(), "{one:?}");
    }
    let shifts = documents(api, vec![2]);
    assert_eq!(shifts.len(), 1);
    assert_eq!((shifts[0].settlement_sign, shifts[0].qr_text.as_ref()), (None, None));
    assert_eq!(documents(api, vec![1, 6]), [], "the journal holds none of these");
    assert_eq!(documents(api, vec![]).len(), 4);
}

fn check_status(api: &Api) {
    let name = format!("tenants/{}", inn(1));
    let status = api.wait(api.receipts().get_tenant_status(GetTenantStatusRequest { name }));
    let status = status.unwrap().into_inner().tenant_status.unwrap();
    assert!(
        status.rate_millihertz.unwrap() > 0 && status.expected_delay.is_some(),
        "{status:?}"
    );
    assert!(status.days_to_first_fn_end.unwrap() > 0);
    let rack = api.wait(api.racks().get_rack(GetRackRequest {})).unwrap().into_inner();
    assert_eq!(rack.rack.unwrap().journal_id.len(), 32);
    let validate = |seconds: Option<i64>| {
        let request = ValidateReceiptRequest {
            parent: format!("tenants/{}", inn(1)),
            receipt: Some(plain_receipt(10_000)),
            at: seconds.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
        };
        let answer = api.wait(api.receipts().validate_receipt(request))?.into_inner();
        Ok::<_, Status>(answer.violations.into_iter().map(|one| one.rule).collect::<Vec<_>>())
    };
    assert!(validate(None).unwrap().is_empty());
    assert!(validate(Some(BEFORE_22_PERCENT)).unwrap().contains(&"R18".to_owned()));
    assert_eq!(
        details(&validate(Some(i64::MAX)).unwrap_err()).unwrap().code,
        Code::RequestInvalid
    );
}
