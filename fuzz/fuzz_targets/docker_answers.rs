//! Whatever a Docker engine answers is known or unknown: no panic, and an end.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use runbook::check::program::Program;
use runbook_fuzz::{Answer, ask, program, socket};

static ANSWER: LazyLock<Answer> = LazyLock::new(Answer::default);

static PROGRAM: LazyLock<Arc<Program>> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("runbook-fuzz-{}.sock", std::process::id()));
    socket(&path, &ANSWER);
    // SAFETY: no other thread reads the environment yet.
    unsafe { std::env::set_var("DOCKER_HOST", format!("unix://{}", path.display())) };
    program(
        r#"  expect docker.container("x", timeout: 500ms).state == "running"
  expect length(docker.containers(timeout: 500ms)) == 1
  expect docker.image("x", timeout: 500ms).id == "x"
  expect docker.network("x", timeout: 500ms).internal
  expect docker.volume("x", timeout: 500ms).driver == "x"
  expect docker.logs("x", timeout: 500ms).text == "x"
  expect docker.stats("x", timeout: 500ms).memory == 1MiB
  expect docker.processes("x", timeout: 500ms) == []"#,
    )
});

fuzz_target!(|bytes: &[u8]| {
    let program = PROGRAM.clone();
    let framed = match bytes.split_first() {
        Some((0..64, body)) => {
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
            [head.as_bytes(), body].concat()
        }
        Some((64..128, body)) => {
            [b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.docker.raw-stream\r\n\r\n", body].concat()
        }
        _ => bytes.to_vec(),
    };
    *ANSWER.lock().expect("bytes") = framed;
    ask(&program);
});
