#![no_main]

#[path = "../cases/rsa.rs"]
mod rsa;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    rsa::compare(data);
});
