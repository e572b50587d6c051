//! What the targets share that ask a server: a world of a thread that answers with the fuzzer's bytes, and a dry run that asks it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use runbook::check::program::{Program, Settings};
use runbook::check::{Input, check};
use runbook::engine::world::{RunClock, Trust};
use runbook::engine::{Options, ReadOnly, Redactor, dry_run};
use runbook::world::{Asks, Backends, Eyes};

/// What is answered to every request.
pub type Answer = Arc<Mutex<Vec<u8>>>;

/// Answers on a port of its own; the URL to ask.
pub fn http(answer: &Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let answer = answer.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            converse(&mut stream, &answer);
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    base
}

/// As [`http`], on a unix socket.
pub fn socket(path: &Path, answer: &Answer) {
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).expect("a socket");
    let answer = answer.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            converse(&mut stream, &answer);
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
}

fn converse(stream: &mut (impl Read + Write), answer: &Answer) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => head.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let bytes = answer.lock().expect("bytes").clone();
    let _ = stream.write_all(&bytes);
}

/// A runbook of these expects.
pub fn program(expects: &str) -> Arc<Program> {
    let text = format!("runbook \"Fuzz\" {{ }}\nstep ask {{\n{expects}\n}}\n");
    let input = Input { name: "fuzz.runbook".to_owned(), path: None, bytes: text.into_bytes(), kept: None };
    let checked = check(input, &Settings::default());
    Arc::new(checked.program.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)))
}

/// Asks all that the runbook asks.
pub fn ask(program: &Arc<Program>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clock = Arc::new(RunClock::start());
    let eyes = Eyes::new(Backends::default(), clock.clone(), Asks::Nobody);
    let world = ReadOnly { look: eyes.clone(), vouch: eyes, clock };
    let options = Options::default();
    runtime.block_on(dry_run(program.clone(), world, &options, Trust::Sandboxed, Redactor::new(), Vec::new()));
}
