#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bgpd_fuzz::config::check(data));
