//! Runs `fn_export` of the library under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kassette_wire_fuzz::fn_export(data));
