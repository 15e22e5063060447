//! Tenants, their limits, and the orders that change them, over a real daemon.
//!
//! Owns: what an operator and a client may rely on when a tenant is changed while it works.
//! Must never: wait for a receipt to be printed: the jobs here wait for a register that is not there.

use kassette_api::codes::Code;
use kassette_api::v1::watch_start::Start;
use kassette_api::v1::watch_tenants_response::Event;
use kassette_api::v1::{
    CancelReceiptRequest, CordonTenantRequest, GetTenantRequest, GetTenantStatusRequest, JobState, ListTenantsRequest,
    Tenant, TenantDescription, UncordonTenantRequest, UpdateTenantRequest, WatchStart, WatchTenantsRequest,
};
use kassette_tests::api::{Api, details, duration};
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::{TestRack, final_job};
use std::time::Duration;
use tonic::Status;

/// A rack with a working register of the first tenant, and one of the second whose FN was read before it was carried
/// away for repair.
fn rack(seed: u64) -> TestRack {
    let registers = vec![BenchRegister::new(1, &inn(1)), BenchRegister::new(2, &inn(2))];
    let rack = TestRack::start(seed, registers).unwrap();
    rack.wait_ready().unwrap();
    rack.carry_away(1).unwrap();
    rack
}

fn name(number: u32) -> String {
    format!("tenants/{}", inn(number))
}

fn get(api: &Api, number: u32) -> Tenant {
    let answer = api.wait(api.tenants().get_tenant(GetTenantRequest { name: name(number) }));
    answer.unwrap().into_inner().tenant.unwrap()
}

fn update(api: &Api, request: UpdateTenantRequest) -> Result<Tenant, Status> {
    let answer = api.wait(api.tenants().update_tenant(request))?;
    Ok(answer.into_inner().tenant.unwrap())
}

fn limits(queue: u64, rate: u32) -> UpdateTenantRequest {
    UpdateTenantRequest {
        name: name(2),
        queue_limit: Some(queue),
        submissions_per_second: Some(rate),
        ..UpdateTenantRequest::default()
    }
}

fn submit(api: &Api, key: &str) -> Result<(String, bool), Status> {
    let answer = api.submit(submission(&inn(2), key, plain_receipt(10_000)))?;
    Ok((answer.receipt_job.unwrap().name, answer.existing))
}

/// The code of a refusal, its class, and how long to wait.
fn told<T: std::fmt::Debug>(refused: Result<T, Status>) -> (Code, tonic::Code, Option<Duration>) {
    let status = refused.unwrap_err();
    let details = details(&status).unwrap();
    (details.code, status.code(), details.retry_after)
}

#[test]
fn limits_hold_from_their_order_on_survive_a_restart_and_never_refuse_a_known_key() {
    let mut rack = rack(71);
    let api = rack.api();
    update(api, limits(2, 0)).unwrap();
    let (first, _) = submit(api, "k1").unwrap();
    submit(api, "k2").unwrap();
    let (code, class, retry) = told(submit(api, "k3"));
    assert_eq!((code, class), (Code::QueueFull, tonic::Code::ResourceExhausted));
    assert!(retry.is_some());
    assert_eq!(
        submit(api, "k1").unwrap(),
        (first.clone(), true),
        "a known key is known"
    );
    let status = api.wait(
        api.receipts()
            .get_tenant_status(GetTenantStatusRequest { name: name(2) }),
    );
    let status = status.unwrap().into_inner().tenant_status.unwrap();
    assert_eq!((status.queue_limit, status.ready_units), (2, 0));

    update(api, limits(100, 1)).unwrap();
    submit(api, "k3").unwrap();
    let (code, class, retry) = told(submit(api, "k4").and_then(|_| submit(api, "k5")));
    assert_eq!((code, class), (Code::RateLimited, tonic::Code::ResourceExhausted));
    assert!(retry.unwrap() <= Duration::from_secs(1), "{retry:?}");
    let before = update(api, limits(1, 0)).unwrap();

    let daemon = rack.take_daemon().unwrap();
    daemon.stop().unwrap();
    rack.start_daemon().unwrap();
    let api = rack.api();
    let after = get(api, 2);
    assert_eq!((after.queue_limit, after.etag), (1, before.etag));
    assert_eq!(told(submit(api, "k9")).0, Code::QueueFull);
    cancel_once(api, &first);
}

/// A cancellation keeps its reason, is repeated safely, and frees no second job.
fn cancel_once(api: &Api, job: &str) {
    let order = |name: &str| CancelReceiptRequest {
        name: name.to_owned(),
        reason: Some("sale undone".to_owned()),
        request_id: Some("cancel-1".to_owned()),
        ..CancelReceiptRequest::default()
    };
    let cancel = |name: &str| api.wait(api.receipts().cancel_receipt(order(name)));
    let revisions = [(); 2].map(|()| {
        let job = cancel(job).unwrap().into_inner().receipt_job.unwrap();
        assert_eq!(job.state(), JobState::Cancelled);
        assert!(job.reason.unwrap().text.contains("sale undone"));
        job.revision
    });
    assert_eq!(revisions[0], revisions[1]);
    let second = api.job(&inn(2), "k2", Duration::ZERO).unwrap();
    assert_eq!(told(cancel(&second.name)).0, Code::RequestIdConflict);
}

#[test]
fn an_order_on_a_tenant_is_checked_against_what_was_read_repeated_safely_and_told_to_watchers() {
    let rack = rack(72);
    let api = rack.api();
    let page = |token| ListTenantsRequest {
        page_size: Some(1),
        page_token: token,
    };
    let first = api.wait(api.tenants().list_tenants(page(None))).unwrap().into_inner();
    let token = Some(first.next_page_token.clone());
    let second = api.wait(api.tenants().list_tenants(page(token))).unwrap().into_inner();
    assert_eq!((first.tenants.len(), second.tenants.len()), (1, 1));
    assert_eq!(second.next_page_token, "");
    assert_eq!(first.watch_cursor, second.watch_cursor, "the cursor of the first page");

    let read = get(api, 2);
    let order = UpdateTenantRequest {
        etag: Some(read.etag.clone()),
        request_id: Some("r1".to_owned()),
        reason: Some("more sales".to_owned()),
        ..limits(7, 5)
    };
    let tried = UpdateTenantRequest {
        validate_only: true,
        ..order.clone()
    };
    assert_eq!(update(api, tried).unwrap().queue_limit, 7);
    assert_eq!(get(api, 2), read, "nothing was changed by a check");
    let done = update(api, order.clone()).unwrap();
    assert_eq!((done.queue_limit, done.revision), (7, read.revision + 1));
    assert_eq!(
        update(api, order.clone()).unwrap().revision,
        done.revision,
        "a repeat is none"
    );
    let other = UpdateTenantRequest {
        queue_limit: Some(8),
        ..order.clone()
    };
    assert_eq!(told(update(api, other)).0, Code::RequestIdConflict);
    let late = UpdateTenantRequest {
        request_id: None,
        ..order
    };
    assert_eq!(told(update(api, late)).0, Code::EtagMismatch);
    assert_eq!(next_change(api, &first.watch_cursor), done.revision);
    assert_eq!(plan_of(api).queue_limit, Some(7), "the plan is the one truth");
}

/// The revision in the first event after a cursor.
fn next_change(api: &Api, cursor: &str) -> u64 {
    let start = Some(WatchStart {
        start: Some(Start::Cursor(cursor.to_owned())),
    });
    let watch = async {
        let stream = api.tenants().watch_tenants(WatchTenantsRequest { start }).await;
        let mut stream = stream.unwrap().into_inner();
        loop {
            if let Some(Event::Tenant(tenant)) = stream.message().await.unwrap().unwrap().event {
                return tenant.revision;
            }
        }
    };
    api.wait(async { tokio::time::timeout(Duration::from_secs(20), watch).await })
        .unwrap()
}

fn plan_of(api: &Api) -> TenantDescription {
    let export = api.wait(api.racks().export_rack(kassette_api::v1::ExportRackRequest {}));
    let rack = export.unwrap().into_inner().rack.unwrap();
    rack.tenants.into_iter().find(|tenant| tenant.inn == inn(2)).unwrap()
}

#[test]
fn a_cordoned_tenant_takes_nothing_new_finishes_what_it_has_and_a_short_ttl_ends_over_a_restart() {
    let mut rack = rack(73);
    let api = rack.api();
    let mut short = submission(&inn(2), "short", plain_receipt(10_000));
    short.ttl = Some(duration(Duration::from_millis(1_500)));
    api.submit(short).unwrap();
    let cordon = CordonTenantRequest {
        name: name(1),
        ..CordonTenantRequest::default()
    };
    let working = submission(&inn(1), "before", plain_receipt(10_000));
    api.submit(working.clone()).unwrap();
    let cordoned = api.wait(api.tenants().cordon_tenant(cordon)).unwrap().into_inner();
    assert!(cordoned.tenant.unwrap().cordoned);
    let new = submission(&inn(1), "after", plain_receipt(10_000));
    let (code, class, _) = told(api.submit(new.clone()));
    assert_eq!((code, class), (Code::TenantCordoned, tonic::Code::Unavailable));
    assert!(api.submit(working).unwrap().existing);
    assert_eq!(final_job(api, &inn(1), "before").unwrap().state(), JobState::Completed);

    rack.take_daemon().unwrap().stop().unwrap();
    rack.start_daemon().unwrap();
    let api = rack.api();
    assert_eq!(told(api.submit(new.clone())).0, Code::TenantCordoned);
    let open = UncordonTenantRequest {
        name: name(1),
        ..UncordonTenantRequest::default()
    };
    api.wait(api.tenants().uncordon_tenant(open)).unwrap();
    api.submit(new).unwrap();
    assert_eq!(final_job(api, &inn(2), "short").unwrap().state(), JobState::Expired);
    assert_eq!(final_job(api, &inn(1), "after").unwrap().state(), JobState::Completed);
}

#[test]
fn bad_orders_on_tenants_are_refused_with_a_code_and_change_nothing() {
    let rack = rack(74);
    let api = rack.api();
    let before = get(api, 2);
    let order = |spoil: fn(&mut UpdateTenantRequest)| {
        let mut order = limits(5, 5);
        spoil(&mut order);
        told(update(api, order)).0
    };
    let cases: [(Code, Code); 9] = [
        (order(|o| o.name = name(77)), Code::TenantUnknown),
        (order(|o| o.name = "tenants/1".into()), Code::InnInvalid),
        (order(|o| o.name = "tenant".into()), Code::NameInvalid),
        (order(|o| o.etag = Some("tenant-00".into())), Code::EtagMismatch),
        (order(|o| o.queue_limit = Some(0)), Code::RequestInvalid),
        (
            order(|o| o.default_ttl = Some(duration(Duration::ZERO))),
            Code::RequestInvalid,
        ),
        (order(|o| o.request_id = Some(String::new())), Code::RequestInvalid),
        (order(|o| o.display_name = Some(String::new())), Code::RequestInvalid),
        (order(|o| o.key_in_user_attribute = Some(true)), Code::NotServedYet),
    ];
    for (at, (code, wanted)) in cases.into_iter().enumerate() {
        assert_eq!(code, wanted, "case {at}");
    }
    let unknown = api.wait(api.tenants().get_tenant(GetTenantRequest { name: name(77) }));
    assert_eq!(told(unknown).1, tonic::Code::NotFound);
    let page = ListTenantsRequest {
        page_size: Some(-1),
        page_token: None,
    };
    assert_eq!(told(api.wait(api.tenants().list_tenants(page))).0, Code::PageInvalid);
    assert_eq!(get(api, 2), before);
}
