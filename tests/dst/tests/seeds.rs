//! A few seeds of `cargo dst`, told twice each, among the ordinary tests.
//!
//! Owns: the proof that stories end well and repeat in a plain `cargo test` as well.
//! Must never: stand in for `cargo dst`, which tells thousands.

use kassette_dst::run::{Run, Seeds, tell_all};
use kassette_dst::story::Options;

const SEEDS: u64 = 3;

#[test]
fn stories_drawn_from_seeds_keep_every_promise_and_repeat() {
    let run = Run {
        seeds: Seeds::Count(1, SEEDS),
        threads: 2,
        twice_every: 1,
        options: Options::default(),
    };
    let mut told = 0;
    tell_all(&run, |seed, result| {
        let figures = result.unwrap_or_else(|failure| panic!("seed {seed}: {}", failure.broken));
        assert!(figures.counts(), "seed {seed} did not get far enough: {figures:?}");
        told += 1;
        true
    });
    assert_eq!(told, SEEDS);
}
