//! Show 3: a python client made from the .proto files alone, before and after a crash.
//!
//! Owns: the crash between its two parts.
//! Must never: speak for the client.

use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::python;
use kassette_tests::test_rack::TestRack;
use std::path::Path;

#[test]
fn a_python_client_submits_watches_resumes_and_finds_it_all_again_after_kill_9() {
    let mut rack = TestRack::start(3, vec![BenchRegister::new(1, &inn(1)), BenchRegister::new(2, &inn(1))]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (socket, taxpayer, notes) = (rack.setup.socket(), inn(1), folder.path().join("notes.json"));
    let step = |name: &str| {
        let arguments = [Path::new(name), &socket, Path::new(&taxpayer), &notes];
        print!("{}", python::run("python/session.py", &arguments).unwrap());
    };
    step("begin");
    rack.take_daemon().unwrap().kill().unwrap();
    rack.start_daemon().unwrap();
    step("repeat");
}
