//! Runs `shtrih_request` of the library under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kassette_wire_fuzz::shtrih_request(data));
