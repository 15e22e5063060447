//! A disk that lost its last commits, on a rack with more than one unit.
//!
//! Owns: the proof that no other unit makes a document again while the FN that has it is not read yet.
//! Must never: wait for real time.

use kassette_dst::play::{Play, Setting, simulate};
use kassette_wire::ffd::{Tag, TlvList};
use std::collections::BTreeMap;

/// How many receipts each buyer has, over all FNs: every order of a story has a buyer of its own.
fn receipts_by_buyer(play: &Play) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for record in play.world.ledgers().into_values().flatten() {
        let tags = TlvList::decode(&record.tlv).expect("the simulator's documents are sound");
        if let Some(buyer) = tags.text(Tag::BUYER_CONTACT) {
            *found.entry(buyer).or_default() += 1;
        }
    }
    found
}

#[test]
fn keys_that_come_again_after_a_disk_forgot_make_no_second_documents_on_another_unit() {
    for (seed, registers) in [(9, 2), (10, 3), (11, 4)] {
        simulate(async {
            let mut play = Play::begin(&Setting::new(seed, registers).instant()).await;
            play.day(1..=3).await;
            let disk = play.world.keep_disk();
            play.day(4..=12).await;
            play.crash().await;
            play.world.put_back(&disk);
            play.forgets();
            play.day(1..=12).await;
            let twice: Vec<_> = receipts_by_buyer(&play)
                .into_iter()
                .filter(|(_, times)| *times > 1)
                .collect();
            assert!(twice.is_empty(), "{registers} registers: {twice:?}\n{}", play.tail());
        });
    }
}
