//! A journal with any bytes in it is read, or refused with a reason; what is read is what was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::record::journal::{body_of, newer, read};

fuzz_target!(|bytes: &[u8]| {
    if let Err(why) = read(bytes) {
        assert!(!why.is_empty());
    }
    for line in bytes.split(|byte| *byte == b'\n') {
        let _ = body_of(line);
        let _ = newer(line);
    }
});
