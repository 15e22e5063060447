//! Archive files and the key index, on real files.
//!
//! Owns: that what leaves the journal is found as before, that a cut at any step loses and doubles nothing, and that a
//! file that is gone is named while its keys stay known.
//! Must never: archive a job in another way than the rack does: by the questions and orders of care.

use crate::rig::{
    FN, Fixed, INN, NOW, OTHER_FN, Rig, accept_job, inn, lane_intent, made, not_made, receipt_intent, refusal,
};
use kassette_core::domain::job::{DocumentRow, Job, JobSelect};
use kassette_core::journal::{
    ArchiveCursor, ArchiveFault, CareDone, CareFound, CareOrder, CareWork, Command, JobEnd, KeySelect, Query,
    ReadError, ReplyBody, Rows, Store, archive_files as files_of, copy, verify,
};
use kassette_core::parts::UnixMillis;
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;

const DAY: i64 = 86_400_000;
/// Long after everything in these journals.
const LATER: UnixMillis = UnixMillis(NOW.0 + 60 * DAY);

fn query(rig: &mut Rig, work: CareWork) -> Result<CareFound, ReadError> {
    match rig.store().read(&Query::Care(work))? {
        Rows::Care(found) => Ok(found),
        other => panic!("{other:?}"),
    }
}

fn order(rig: &mut Rig, order: CareOrder) -> CareDone {
    match rig.apply(Command::Care(order)) {
        ReplyBody::Care(done) => done,
        other => panic!("{other:?}"),
    }
}

/// Every document of every FN was read back: until the audit has a command of its own here, its row is written as the
/// journal would.
fn audited(rig: &Rig) {
    let sql = rig.sql();
    sql.execute_batch("UPDATE fns SET audited_fd = last_fd").unwrap();
    let mut rows = sql
        .prepare("SELECT id, number, last_fd, audited_fd, last_time, last_intent, chain, first_seen FROM fns")
        .unwrap();
    let sums: Vec<(i64, Vec<u8>)> = rows
        .query_map([], |row| {
            let mut sum = Sha256::new();
            let mut add = |kind: u8, value: &[u8]| {
                sum.update([kind]);
                sum.update((value.len() as u64).to_le_bytes());
                sum.update(value);
            };
            add(b't', b"fns");
            for at in 0..8 {
                use rusqlite::types::ValueRef::{Blob, Integer, Null, Real, Text};
                match row.get_ref(at)? {
                    Null => add(b'n', &[]),
                    Integer(value) => add(b'i', &value.to_le_bytes()),
                    Text(value) => add(b's', value),
                    Blob(value) => add(b'b', value),
                    Real(_) => panic!("no column holds one"),
                }
            }
            Ok((row.get(0)?, sum.finalize()[..16].to_vec()))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (id, sum) in sums {
        sql.execute("UPDATE fns SET sum = ?2 WHERE id = ?1", (id, sum)).unwrap();
    }
}

/// Twelve receipts and two shift reports on two FNs, some ends without a document, one that waits; no event is kept.
fn worked() -> Rig {
    let mut rig = Rig::new();
    for fd in 10..16 {
        rig.complete(&format!("done-{fd}"), FN, fd);
    }
    for fd in [3, 4] {
        let intent = rig.begin(lane_intent(OTHER_FN, fd));
        rig.apply(Command::End(Box::new(made(intent, OTHER_FN, fd + 1)), None));
    }
    for fd in 5..11 {
        let (id, job) = rig.accept(&format!("other-{fd}"));
        let intent = rig.begin(receipt_intent(id, &job, OTHER_FN, fd));
        rig.apply(Command::End(Box::new(made(intent, OTHER_FN, fd + 1)), None));
    }
    let (id, job) = rig.accept("refused");
    let intent = rig.begin(receipt_intent(id, &job, FN, 16));
    rig.apply(Command::End(Box::new(not_made(intent, JobEnd::Refused, 16)), None));
    let (id, expired) = rig.accept("expired");
    rig.apply(Command::Expire { job: id, at: NOW });
    let mut replacing = accept_job("replacing");
    replacing.replaces = Some(expired.key);
    let ReplyBody::Accepted { id, job } = rig.apply(Command::Accept(Box::new(replacing))) else {
        panic!()
    };
    let intent = rig.begin(receipt_intent(id, &job, FN, 16));
    rig.apply(Command::End(Box::new(made(intent, FN, 17)), None));
    for fd in 17..20 {
        rig.complete(&format!("last-{fd}"), FN, fd);
    }
    rig.accept("waiting");
    let shown = CareOrder::Shown {
        jobs: (1..=30).collect(),
        at: NOW,
    };
    order(&mut rig, shown);
    while !matches!(rig.apply(Command::PruneEvents { before: LATER }), ReplyBody::Done) {}
    audited(&rig);
    rig
}

/// One run of care, as the rack makes it; `cut` is asked before each step whether to end there.
fn run(rig: &mut Rig, cut: &mut dyn FnMut(&str) -> bool) -> Option<()> {
    let CareFound::Archives(archives) = query(rig, CareWork::List).unwrap() else {
        panic!()
    };
    for (number, _) in archives.iter().filter(|(_, unmoved)| *unmoved) {
        finish(rig, *number, cut)?;
    }
    let (before, unseen_before) = (LATER, NOW);
    let CareFound::Begun(plan) = query(rig, CareWork::Begin { before, unseen_before }).unwrap() else {
        return Some(());
    };
    let mut next = Some(ArchiveCursor::START);
    while let Some(after) = next {
        (!cut("copy")).then_some(())?;
        let plan = plan.clone();
        let CareFound::Copied(more) = query(rig, CareWork::Copy { plan, after }).unwrap() else {
            panic!()
        };
        next = more;
    }
    (!cut("finish")).then_some(())?;
    match query(rig, CareWork::Finish { plan }).unwrap() {
        CareFound::Finished(sealed) => {
            (!cut("seal")).then_some(())?;
            let CareDone::Sealed(number) = order(rig, CareOrder::Seal(sealed)) else {
                panic!()
            };
            finish(rig, number, cut)
        }
        CareFound::Nothing => Some(()),
        other => panic!("{other:?}"),
    }
}

fn finish(rig: &mut Rig, archive: i64, cut: &mut dyn FnMut(&str) -> bool) -> Option<()> {
    (!cut("place")).then_some(())?;
    assert!(matches!(
        query(rig, CareWork::Place { archive }).unwrap(),
        CareFound::Placed
    ));
    let mut after = ArchiveCursor::START;
    loop {
        (!cut("move")).then_some(())?;
        let step = CareOrder::MoveOut {
            archive,
            after,
            at: LATER,
        };
        match order(rig, step) {
            CareDone::Moved(next) => after = next,
            CareDone::Nothing => return Some(()),
            other => panic!("{other:?}"),
        }
    }
}

fn run_whole(rig: &mut Rig) {
    run(rig, &mut |_| false).unwrap();
}

fn jobs(rig: &mut Rig, limit: u32) -> Vec<Job> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let query = Query::Jobs {
            filter: Default::default(),
            after,
            limit,
        };
        let Rows::Jobs(page) = rig.store().read(&query).unwrap() else {
            panic!()
        };
        found.extend(page.rows.into_iter().map(|stored| stored.job));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

fn documents(rig: &mut Rig, limit: u32) -> Vec<DocumentRow> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let query = Query::Documents {
            filter: Default::default(),
            after,
            limit,
        };
        let Rows::Documents(page) = rig.store().read(&query).unwrap() else {
            panic!()
        };
        found.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

/// Compares two lists, telling no more than the first rows that differ.
fn assert_same<T: PartialEq + std::fmt::Debug>(found: &[T], wanted: &[T], when: &str) {
    let differ = found.iter().zip(wanted).find(|(one, other)| one != other);
    assert!(differ.is_none(), "{when}: {differ:#?}");
    assert_eq!(found.len(), wanted.len(), "{when}");
}

fn count(rig: &Rig, table: &str) -> i64 {
    rig.sql()
        .query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0))
        .unwrap()
}

fn assert_is_good(rig: &Rig) {
    let report = verify(rig.path()).unwrap();
    assert!(report.is_good(), "{report:?}");
}

fn archive_files(rig: &Rig) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(rig.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("archive-"))
        .collect();
    found.sort();
    found
}

#[test]
fn what_was_archived_is_found_as_before_by_every_question() {
    let mut rig = worked();
    let (listed, made) = (jobs(&mut rig, 100), documents(&mut rig, 100));
    run_whole(&mut rig);
    assert!(count(&rig, "jobs") < 8, "{} jobs stayed", count(&rig, "jobs"));
    assert!(
        count(&rig, "documents") < 8,
        "{} documents stayed",
        count(&rig, "documents")
    );
    assert_eq!(count(&rig, "jobs") + count(&rig, "keys"), 19);
    for limit in [1, 2, 5, 100] {
        assert_same(&jobs(&mut rig, limit), &listed, &format!("pages of {limit}"));
        assert_same(&documents(&mut rig, limit), &made, &format!("pages of {limit}"));
    }
    for job in &listed {
        let tenant = inn(INN);
        let by_name = JobSelect::Name {
            tenant: tenant.clone(),
            key: job.key,
        };
        assert_eq!(rig.find(by_name).unwrap().job, *job);
        let by_key = JobSelect::External {
            tenant: tenant.clone(),
            client: "shop".into(),
            external_id: job.external_id.clone(),
        };
        assert_eq!(rig.find(by_key).unwrap().job, *job);
        if let Some(evidence) = &job.evidence {
            let (fn_number, fd) = (evidence.fn_number.clone(), evidence.fd);
            let by_document = JobSelect::Document { tenant, fn_number, fd };
            assert_eq!(rig.find(by_document).unwrap().job, *job);
        }
    }
    rig.close();
    assert_is_good(&rig);
    let recovered = rig.reopen();
    assert_eq!((recovered.waiting.len(), recovered.archive_faults.len()), (1, 0));
    // The lanes go on where they were.
    rig.complete("next", FN, 20);
    rig.complete("next-other", OTHER_FN, 11);
    rig.close();
    assert_is_good(&rig);
}

#[test]
fn a_second_run_takes_what_stayed_and_a_third_finds_nothing() {
    let mut rig = worked();
    run_whole(&mut rig);
    for fd in 20..24 {
        rig.complete(&format!("more-{fd}"), FN, fd);
    }
    let shown = CareOrder::Shown {
        jobs: (1..=30).collect(),
        at: NOW,
    };
    order(&mut rig, shown);
    while !matches!(rig.apply(Command::PruneEvents { before: LATER }), ReplyBody::Done) {}
    audited(&rig);
    let listed = jobs(&mut rig, 100);
    run_whole(&mut rig);
    assert_eq!(archive_files(&rig).len(), 2);
    run_whole(&mut rig);
    assert_eq!(archive_files(&rig).len(), 2, "nothing was left to archive");
    assert_same(&jobs(&mut rig, 3), &listed, "second run");
    rig.close();
    assert_is_good(&rig);
    rig.reopen();
}

#[test]
fn a_cut_at_any_step_loses_nothing_and_doubles_nothing() {
    let mut steps = 0;
    run(&mut worked(), &mut |_| {
        steps += 1;
        false
    })
    .unwrap();
    for last in 1..=steps {
        let mut rig = worked();
        let (listed, made) = (jobs(&mut rig, 100), documents(&mut rig, 100));
        let (mut step, mut name) = (0, String::new());
        let ended = run(&mut rig, &mut |next| {
            step += 1;
            name = next.to_owned();
            step == last
        });
        assert!(ended.is_none(), "step {last} was not reached");
        rig.reopen();
        assert_same(&jobs(&mut rig, 3), &listed, &format!("cut before step {last} ({name})"));
        assert_same(
            &documents(&mut rig, 3),
            &made,
            &format!("cut before step {last} ({name})"),
        );
        run_whole(&mut rig);
        assert_same(
            &jobs(&mut rig, 3),
            &listed,
            &format!("after a cut before step {last} ({name})"),
        );
        assert_eq!(count(&rig, "jobs") + count(&rig, "keys"), 19);
        rig.close();
        assert_is_good(&rig);
        let parts = archive_files(&rig)
            .iter()
            .filter(|path| path.to_string_lossy().ends_with(".part"))
            .count();
        assert_eq!(parts, 0, "a part of a file is left after step {last} ({name})");
    }
}

#[test]
fn what_is_not_read_back_or_not_shown_or_named_by_a_finding_stays() {
    let mut rig = worked();
    rig.sql()
        .execute_batch("UPDATE outbox SET reported_at = NULL WHERE job = 1")
        .unwrap();
    let (before, unseen_before) = (LATER, NOW);
    run_whole(&mut rig);
    let here: i64 = rig
        .sql()
        .query_row("SELECT COUNT(*) FROM jobs WHERE id = 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(here, 1, "nobody was shown its end");
    let mut rig = Rig::new();
    for fd in 10..16 {
        rig.complete(&format!("done-{fd}"), FN, fd);
    }
    while !matches!(rig.apply(Command::PruneEvents { before: LATER }), ReplyBody::Done) {}
    query(&mut rig, CareWork::Begin { before, unseen_before }).unwrap();
    run_whole(&mut rig);
    assert_eq!(
        (count(&rig, "jobs"), count(&rig, "archives")),
        (6, 0),
        "nothing was read back"
    );
}

#[test]
fn a_repeated_key_of_an_archived_job_is_that_job_and_never_a_new_one() {
    let mut rig = worked();
    run_whole(&mut rig);
    let ReplyBody::KeyArchived(record) = rig.apply(Command::Accept(Box::new(accept_job("done-10")))) else {
        panic!("taken as new")
    };
    assert_eq!(
        (record.state, record.external_id.as_str()),
        (JobState::Completed, "done-10")
    );
    assert_eq!(record.evidence.unwrap().fd, FdNumber(11));
    let mut again = accept_job("again");
    again.replaces = Some(
        jobs(&mut rig, 100)
            .iter()
            .find(|job| job.external_id == "expired")
            .unwrap()
            .key,
    );
    assert_eq!(
        refusal(rig.apply(Command::Accept(Box::new(again)))),
        Code::ReplacesInvalid
    );
    // As a program of an older schema would store it, which does not know the index.
    let older = rig.sql().execute_batch(
        "INSERT INTO jobs (key, tenant, client, external_id, hash_version, hash, body, priority, labels, accepted_at, \
         expires_at, sum, state, attempts, revision, updated_at, state_sum) VALUES ('x', 1, 1, 'done-10', 1, x'', '', 0, \
         '', 0, 0, x'', 'ACCEPTED', 0, 1, 0, x''); \
         INSERT INTO events (at, job, tenant, kind) VALUES (0, last_insert_rowid(), 1, 'accepted')",
    );
    assert!(older.unwrap_err().to_string().contains("archived job"));
}

#[test]
fn a_missing_archive_is_named_and_its_keys_stay_known() {
    let mut rig = worked();
    run_whole(&mut rig);
    let file = archive_files(&rig).pop().unwrap();
    let kept = rig.folder.path().join("elsewhere");
    std::fs::rename(&file, &kept).unwrap();
    let recovered = rig.reopen();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(recovered.archive_faults.len(), 1);
    assert_eq!(recovered.archive_faults[0].name, name);
    assert_eq!(recovered.archive_faults[0].reason.code, Code::ArchiveMissing);
    let ReplyBody::KeyArchived(record) = rig.apply(Command::Accept(Box::new(accept_job("done-10")))) else {
        panic!("taken as new")
    };
    match rig.store().read(&Query::JobById(record.id)) {
        Err(ReadError::Archive(fault)) => assert!(fault.to_string().contains(&name), "{fault}"),
        other => panic!("{other:?}"),
    }
    let known = query(&mut rig, CareWork::Key(KeySelect::Id(record.id))).unwrap();
    assert!(matches!(known, CareFound::Key(Some(found)) if *found == *record));
    rig.complete("still-working", FN, 20);
    std::fs::rename(&kept, &file).unwrap();
    assert_eq!(rig.job(record.id).job.external_id, "done-10");
    assert!(rig.reopen().archive_faults.is_empty());
}

#[test]
fn an_altered_archive_is_told_by_its_hash() {
    let mut rig = worked();
    run_whole(&mut rig);
    rig.close();
    let file = archive_files(&rig).pop().unwrap();
    let mode = std::fs::metadata(&file).unwrap().permissions();
    assert!(mode.readonly(), "an archive is only read");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(5).position(|part| part == b"12200").unwrap();
    bytes[at] ^= 1;
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, &bytes).unwrap();
    let report = verify(rig.path()).unwrap();
    assert!(
        report.findings.iter().any(|text| text.contains("archive-")),
        "{report:?}"
    );
    rig.reopen();
    let found = query(&mut rig, CareWork::Place { archive: 1 }).unwrap();
    assert!(matches!(found, CareFound::Fault(fault) if fault.reason.code == Code::ArchiveDamaged));
    bytes.pop();
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(rig.reopen().archive_faults[0].reason.code, Code::ArchiveDamaged);
}

#[test]
fn a_file_of_an_archive_that_the_journal_does_not_know_is_never_touched() {
    let mut rig = worked();
    let month = time::OffsetDateTime::from_unix_timestamp(LATER.seconds() - 1).unwrap();
    let name = format!("archive-{:04}-{:02}.db", month.year(), u8::from(month.month()));
    std::fs::write(rig.folder.path().join(&name), "of a newer journal").unwrap();
    run_whole(&mut rig);
    assert_eq!(
        std::fs::read_to_string(rig.folder.path().join(&name)).unwrap(),
        "of a newer journal"
    );
    assert_eq!(archive_files(&rig).len(), 2);
}

#[test]
fn once_keys_were_dropped_a_new_key_must_say_when_it_was_made() {
    let mut rig = worked();
    run_whole(&mut rig);
    let horizon = NOW.plus_millis(1);
    assert_eq!(
        order(&mut rig, CareOrder::PruneOld { before: horizon }),
        CareDone::Nothing
    );
    assert_eq!(count(&rig, "keys"), 0);
    let mut old = accept_job("done-10");
    assert_eq!(
        refusal(rig.apply(Command::Accept(Box::new(old.clone())))),
        Code::KeyTimeRequired
    );
    old.key_time = Some(NOW);
    assert_eq!(
        refusal(rig.apply(Command::Accept(Box::new(old.clone())))),
        Code::KeyTooOld
    );
    old.key_time = Some(horizon);
    assert!(matches!(
        rig.apply(Command::Accept(Box::new(old))),
        ReplyBody::Accepted { .. }
    ));
}

#[test]
fn steps_that_move_share_a_batch_with_other_commands_and_answer_in_order() {
    let mut rig = worked();
    run(&mut rig, &mut |next| next == "move");
    let step = Command::Care(CareOrder::MoveOut {
        archive: 1,
        after: ArchiveCursor::START,
        at: LATER,
    });
    let batch = vec![
        Command::Accept(Box::new(accept_job("one"))),
        step.clone(),
        Command::Accept(Box::new(accept_job("two"))),
    ];
    let kassette_core::journal::Applied::Done(replies) = rig.store().apply(batch) else {
        panic!()
    };
    assert!(matches!(replies[0].body, ReplyBody::Accepted { .. }));
    assert!(matches!(replies[1].body, ReplyBody::Care(CareDone::Moved(_))));
    assert!(matches!(replies[2].body, ReplyBody::Accepted { .. }));
    let (_folder, config) = rig.power_cut();
    assert!(Store::open(&config, &Fixed, NOW).is_ok());
}

#[test]
fn a_copy_names_the_archives_that_belong_to_it_and_says_which_are_not_what_they_were() {
    let mut rig = worked();
    run_whole(&mut rig);
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("copy.sqlite");
    copy(rig.path(), &to, NOW).unwrap();
    let lie = rig.folder.path();
    let found: Vec<PathBuf> = files_of(&to, lie)
        .unwrap()
        .into_iter()
        .map(|one| one.unwrap().path)
        .collect();
    assert_eq!(found, archive_files(&rig));
    assert!(!found.is_empty());
    let missing = |one: &Result<_, ArchiveFault>| one.as_ref().is_err_and(|f| f.reason.code == Code::ArchiveMissing);
    assert!(
        files_of(&to, elsewhere.path()).unwrap().iter().all(missing),
        "they are not beside the copy"
    );

    for path in &found {
        std::fs::copy(path, elsewhere.path().join(path.file_name().unwrap())).unwrap();
    }
    assert!(files_of(&to, elsewhere.path()).unwrap().iter().all(Result::is_ok));
    let report = verify(&to).unwrap();
    assert!(report.is_good(), "{report:?}");
    let altered = elsewhere.path().join(found[0].file_name().unwrap());
    std::fs::remove_file(&altered).unwrap();
    std::fs::write(
        &altered,
        vec![0; usize::try_from(std::fs::metadata(&found[0]).unwrap().len()).unwrap()],
    )
    .unwrap();
    let told = files_of(&to, elsewhere.path()).unwrap();
    assert_eq!(told[0].as_ref().unwrap_err().reason.code, Code::ArchiveDamaged);
}
