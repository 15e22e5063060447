//! Bad input: a clear status with details, nothing stored, nothing sent.
//!
//! Owns: the list of bad requests.
//! Must never: accept a status without our code in it.

use kassette_api::codes::Code;
use kassette_api::v1::{Receipt, SubmitReceiptRequest};
use kassette_tests::api::{LONGEST_WAIT, details};
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::requests::{plain_item, plain_receipt, submission};
use kassette_tests::test_rack::TestRack;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::codegen::{Body, Bytes, http};

struct Bad {
    name: &'static str,
    request: SubmitReceiptRequest,
    class: tonic::Code,
    code: Code,
    /// The rule that must stand among the violations.
    rule: Option<&'static str>,
}

fn broken(name: &'static str, rule: &'static str, spoil: impl FnOnce(&mut Receipt)) -> Bad {
    let mut receipt = plain_receipt(12_200);
    spoil(&mut receipt);
    Bad {
        name,
        request: submission(&inn(1), name, receipt),
        class: tonic::Code::InvalidArgument,
        code: Code::ReceiptInvalid,
        rule: Some(rule),
    }
}

fn refused(name: &'static str, request: SubmitReceiptRequest, class: tonic::Code, code: Code) -> Bad {
    let rule = None;
    Bad {
        name,
        request,
        class,
        code,
        rule,
    }
}

fn bad_requests() -> Vec<Bad> {
    let plain = || plain_receipt(12_200);
    let unnamed = SubmitReceiptRequest {
        external_id: String::new(),
        ..submission(&inn(1), "x", plain())
    };
    let receiptless = SubmitReceiptRequest {
        receipt: None,
        ..submission(&inn(1), "no receipt", plain())
    };
    vec![
        refused(
            "unknown tenant",
            submission(&inn(77), "unknown tenant", plain()),
            tonic::Code::NotFound,
            Code::TenantUnknown,
        ),
        refused(
            "wrong check digits of the tenant",
            submission("7700000010", "wrong check digits", plain()),
            tonic::Code::InvalidArgument,
            Code::InnInvalid,
        ),
        refused("empty key", unnamed, tonic::Code::InvalidArgument, Code::KeyInvalid),
        refused(
            "over-long key",
            submission(&inn(1), &"k".repeat(129), plain()),
            tonic::Code::InvalidArgument,
            Code::KeyInvalid,
        ),
        refused(
            "no receipt",
            receiptless,
            tonic::Code::InvalidArgument,
            Code::ReceiptInvalid,
        ),
        broken("items do not add up to the total", "R15", |r| {
            r.total_kopecks = Some(12_201)
        }),
        broken("payments do not add up to the total", "R16", |r| {
            r.payments.get_or_insert_default().noncash_kopecks = Some(12_199);
        }),
        broken("amount is not price by quantity", "R13", |r| {
            r.items[0].quantity_millionths = Some(2_000_000);
        }),
        broken("a rate that is not in force", "R18", |r| r.items[0].vat_rate = Some(1)),
        broken("a rate that never was", "R18", |r| r.items[0].vat_rate = Some(99)),
        broken("wrong check digits of the cashier", "FORM", |r| {
            (r.cashier_name, r.cashier_inn) = (Some("Кассир".into()), Some("500100732250".into()));
        }),
        broken("text that CP866 cannot hold", "R12", |r| {
            r.items[0].name = Some("茶".into())
        }),
        broken("an over-long name", "R11", |r| r.items[0].name = Some("Я".repeat(129))),
        broken("an over-long attribute", "R38", |r| {
            r.additional_attribute = Some("1".repeat(17))
        }),
        broken("an empty list", "R10", |r| {
            r.items.clear();
            r.total_kopecks = Some(0);
            r.payments.get_or_insert_default().noncash_kopecks = Some(0);
        }),
        Bad {
            class: tonic::Code::FailedPrecondition,
            code: Code::NoRegistrationCovers,
            ..broken("cash where there is no cash unit", "R17", |r| {
                let sums = r.payments.get_or_insert_default();
                (sums.cash_kopecks, sums.noncash_kopecks) = (Some(12_200), None);
            })
        },
    ]
}

fn assert_refused(rack: &TestRack, bad: Bad) {
    let name = bad.name;
    let Err(status) = rack.api().submit(bad.request) else {
        panic!("{name}: was accepted")
    };
    let told = details(&status).unwrap_or_else(|| panic!("{name}: no details of ours in {status:?}"));
    assert_eq!((status.code(), told.code), (bad.class, bad.code), "{name}: {status:?}");
    assert!(!status.message().is_empty(), "{name}");
    if let Some(rule) = bad.rule {
        let rules: Vec<&str> = told.violations.iter().map(|one| one.rule.as_str()).collect();
        assert!(rules.contains(&rule), "{name}: rules {rules:?}");
        assert!(
            told.violations
                .iter()
                .all(|one| !one.field.is_empty() && !one.text.is_empty()),
            "{name}: {told:?}"
        );
    }
}

#[test]
fn bad_receipts_are_refused_with_details_and_leave_nothing_behind() {
    let rack = TestRack::start(80, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    // A register that has worked has shown its registration, which some rules need.
    assert_still_works(&rack, "before");
    for bad in bad_requests() {
        assert_refused(&rack, bad);
    }
    let three = broken("three mistakes at once", "R18", |r| {
        r.items = vec![plain_item("茶", 100)];
        r.items[0].vat_rate = Some(99);
    });
    let Err(status) = rack.api().submit(three.request) else {
        panic!("accepted")
    };
    let told = details(&status).unwrap();
    let rules: Vec<&str> = told.violations.iter().map(|one| one.rule.as_str()).collect();
    assert!(
        ["R12", "R15", "R18"].iter().all(|rule| rules.contains(rule)),
        "not all at once: {rules:?}"
    );
    assert_eq!(rack.api().jobs().unwrap().len(), 1, "only the good one is stored");
    assert_one_sent(&rack);
    assert_still_works(&rack, "after");
}

/// No receipt but the good one was begun on the register.
fn assert_one_sent(rack: &TestRack) {
    let events = rack
        .control()
        .events(&rack.register(0).serial, 0, Duration::ZERO)
        .unwrap();
    let begun: Vec<_> = events
        .iter()
        .filter(|one| one.command.as_deref() == Some("8D"))
        .collect();
    assert_eq!(begun.len(), 1, "{begun:?}");
}

fn assert_still_works(rack: &TestRack, key: &str) {
    rack.api().submit(submission(&inn(1), key, plain_receipt(100))).unwrap();
    let job = rack.api().job(&inn(1), key, LONGEST_WAIT).unwrap();
    assert_eq!(job.state(), kassette_api::v1::JobState::Completed, "{job:?}");
}

/// A body that announces a message of so many bytes and then sends zeros for ever, or nothing.
struct Announced {
    head: Option<Bytes>,
    goes_on: bool,
}

impl Announced {
    fn new(length: u32, goes_on: bool) -> Self {
        let mut head = vec![0];
        head.extend(length.to_be_bytes());
        Self {
            head: Some(head.into()),
            goes_on,
        }
    }
}

impl Body for Announced {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, tonic::Status>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(http_body::Frame::data(head))));
        }
        if self.goes_on {
            return Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(&[0; 16 * 1024])))));
        }
        Poll::Pending
    }
}

fn post(body: Announced) -> http::Request<tonic::body::Body> {
    http::Request::post("http://kassette.local/kassette.v1.ReceiptService/SubmitReceipt")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(body))
        .unwrap()
}

#[test]
fn a_gigabyte_message_and_half_open_streams_cost_the_daemon_nothing() {
    let rack = TestRack::start(81, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    let api = rack.api();
    let socket = rack.setup.socket();
    let refused = api.wait(async {
        let channel = kassette_tests::api::channel(socket.clone()).await.unwrap();
        let call = tower::ServiceExt::oneshot(channel, post(Announced::new(1 << 30, true)));
        tokio::time::timeout(LONGEST_WAIT, call)
            .await
            .expect("an answer to a gigabyte")
    });
    // A server may answer with a status or end the stream; it may not take it.
    if let Ok(answer) = refused {
        let status = answer
            .headers()
            .get("grpc-status")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let limits = [
            tonic::Code::OutOfRange,
            tonic::Code::ResourceExhausted,
            tonic::Code::InvalidArgument,
        ];
        assert!(
            limits.iter().any(|code| status == i32::from(*code).to_string()),
            "{answer:?}"
        );
    }
    // Calls that never end, on connections of their own; the others are served all the same.
    let halves: Vec<_> = (0..40)
        .map(|_| {
            let socket = socket.clone();
            api.spawn(async move {
                let channel = kassette_tests::api::channel(socket).await.unwrap();
                tower::ServiceExt::oneshot(channel, post(Announced::new(2000, false)))
                    .await
                    .map(drop)
            })
        })
        .collect();
    assert_still_works(&rack, "beside");
    for half in halves {
        half.abort();
    }
    assert_eq!(rack.api().jobs().unwrap().len(), 1, "only the receipt that was whole");
}
