//! Runs `shtrih_answer` of the library under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kassette_wire_fuzz::shtrih_answer(data));
