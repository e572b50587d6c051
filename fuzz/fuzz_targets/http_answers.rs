//! Whatever an HTTP server answers is known or unknown: no panic, and an end.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use runbook::check::program::Program;
use runbook_fuzz::{Answer, ask, http, program};

static ANSWER: LazyLock<Answer> = LazyLock::new(Answer::default);

static PROGRAM: LazyLock<Arc<Program>> = LazyLock::new(|| {
    let base = http(&ANSWER);
    program(&format!(
        "  expect http.get(\"{base}/a\", timeout: 500ms, redirects: 2) {{\n    .status == 200\n    .text contains \"x\"\n    .json[\"a\"][0] == 1\n    .headers[\"content-type\"] is present\n  }}"
    ))
});

fuzz_target!(|bytes: &[u8]| {
    let program = PROGRAM.clone();
    // Bytes that begin with a body alone are given a head, else few get past it.
    let framed = match bytes.split_first() {
        Some((0..64, body)) => {
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
            [head.as_bytes(), body].concat()
        }
        Some((64..128, rest)) => [b"HTTP/1.1 200 OK\r\n", rest].concat(),
        _ => bytes.to_vec(),
    };
    *ANSWER.lock().expect("bytes") = framed;
    ask(&program);
});
