//! Every backend, and each world of the tests, does what the traits of the engine ask for. Docker's and Compose's part needs
//! an engine, and stands in `tests/e2e_conformance.rs`.
//!
//! It has a `main` of its own: commands are watched over by a program that is this one, started again.

#[path = "../support/fake_world.rs"]
mod fake_world;
mod suite;
#[path = "../support/typed_world.rs"]
mod typed_world;

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runbook::check::program::Native;
use runbook::engine::world::RunClock;
use runbook::process;
use runbook::value::{Number, Value};
use runbook::world::{Asks, Backends, Eyes, Hands};

use suite::{Args, Found, Subject, actions, hostile_texts, natives, probes};

/// A server on loopback that answers whatever it is asked.
fn server() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut buffer = [0; 65536];
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < 1 << 21 {
                    match stream.read(&mut buffer) {
                        // Who wants TLS gets none.
                        Ok(count) if count > 0 && !(head.is_empty() && buffer[0] == 0x16) => {
                            head.extend_from_slice(&buffer[..count]);
                        }
                        _ => return,
                    }
                }
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read(&mut buffer);
            });
        }
    });
    port
}

static PORT: std::sync::OnceLock<u16> = std::sync::OnceLock::new();

fn url(path: &str) -> Value {
    Value::text(format!("http://127.0.0.1:{}/{path}", PORT.get().copied().unwrap_or(1)))
}

fn number(number: i64) -> Value {
    Value::Number(Number::Int(number))
}

fn plain(native: &str, root: &Path) -> Args {
    let path = |name: &str| Value::text(root.join(name).to_string_lossy().into_owned());
    match native {
        "env" => vec![("name", Value::text("PATH"))],
        "file" => vec![("path", path("there"))],
        "file.glob" => vec![("pattern", path("t*"))],
        "net.port" => {
            vec![("host", Value::text("127.0.0.1")), ("port", number(i64::from(PORT.get().copied().unwrap_or(1))))]
        }
        "net.resolve" => vec![("name", Value::text("localhost")), ("host", Value::text("localhost"))],
        "net.certificate" => {
            vec![("host", Value::text("127.0.0.1")), ("port", number(i64::from(PORT.get().copied().unwrap_or(1))))]
        }
        "prompt" => vec![("text", Value::text("a word"))],
        "shell.exec" => vec![("argv", Value::list(["echo", "plain"].map(Value::text)))],
        name if name.starts_with("http.") => vec![("url", url("plain"))],
        _ => Vec::new(),
    }
}

fn missing(native: &str, root: &Path) -> Option<Args> {
    let path = |name: &str| Value::text(root.join(name).to_string_lossy().into_owned());
    match native {
        "env" => Some(vec![("name", Value::text("NO_SUCH_VARIABLE_OF_A_TEST"))]),
        "file" => Some(vec![("path", path("missing"))]),
        "http.get" | "http.head" | "http.post_query" => Some(vec![("url", Value::text("http://127.0.0.1:1/"))]),
        "net.certificate" => Some(vec![("host", Value::text("127.0.0.1")), ("port", number(1))]),
        _ => None,
    }
}

/// Hosts are on loopback, or can't be one at all: nobody else is ever asked.
fn texts(native: &Native, param: &str) -> Vec<String> {
    match param {
        "url" => {
            let mut urls: Vec<String> = hostile_texts()
                .into_iter()
                .map(|text| format!("http://127.0.0.1:{}/{text}", PORT.get().copied().unwrap_or(1)))
                .collect();
            let broken =
                ["", "http://", "http://[", "http://127.0.0.1:99999/", "ftp://127.0.0.1/", "//", "127.0.0.1", "\0"];
            urls.extend(broken.map(str::to_owned));
            urls
        }
        "host" | "name" if native.name.starts_with("net.") => {
            let broken =
                ["", " ", "a\0b", "127.0.0.1 ", "[::1", "127.0.0.1:80", "::1", "\u{1f980}.invalid", "-z.invalid"];
            broken.iter().map(|host| (*host).to_owned()).chain(["x".repeat(1 << 20)]).collect()
        }
        // One whose name is the program is looked up in $PATH.
        _ => hostile_texts(),
    }
}

/// The processes that bear this word in their command line.
fn processes_with(word: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("procfs").flatten();
    entries
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(word))
        .count()
}

/// What nobody waits for any more, and what is told to end, leaves nothing running.
async fn nothing_is_left_running(subject: &Subject, found: &mut Found) {
    use runbook::engine::world::{ArgValue, Request, ShellCommand};
    let library = suite::stdlib();
    for (native, acts) in [("sh", false), ("shell.run", true)] {
        let declared = library.natives.get(native).or(library.acting.get(native)).expect("declared").clone();
        // A time that no other process sleeps.
        let word = format!("98765.{}", std::process::id());
        let source = format!("trap '' TERM; sleep {word} & sleep {word} & sleep {word}");
        let command = ShellCommand { shell: runbook::check::program::Shell::Sh, source, env: Vec::new() };
        let param = declared.params.first().expect("a command").name.clone();
        let request = Request {
            native: declared,
            args: vec![(param, ArgValue::Shell(command))],
            wants: None,
            limit: Duration::from_secs(60),
            root: subject.root.clone(),
            withheld: [].into(),
            secrets: runbook::engine::Redactor::new(),
        };
        found.asked += 1;
        match acts {
            true => {
                let outcome =
                    suite::act(subject.act.clone(), request, Some(Duration::from_millis(500)), Duration::from_secs(60))
                        .await;
                match outcome {
                    Ok(outcome) if outcome.failure.is_some() => {}
                    other => found.wrong.push(format!("{native}, told to end: {other:?}")),
                }
            }
            false => {
                let asking = subject.vouch.ask(request, runbook::engine::world::Trust::AuthorsWord);
                let _ = tokio::time::timeout(Duration::from_millis(500), asking).await;
            }
        }
        let began = Instant::now();
        while processes_with(&word) > 0 && began.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if processes_with(&word) > 0 {
            found.wrong.push(format!("{native}: what was let go of is still running"));
        }
    }
}

fn main() -> ExitCode {
    if let Some(code) = process::watchdog_main() {
        return code;
    }
    // It is one test: lists of them, and filters, are of no use.
    if std::env::args().any(|arg| arg == "--list") {
        println!("conformance: test");
        return ExitCode::SUCCESS;
    }
    // One in a thread of a backend is answered as unknown, and is a fault all the same.
    static PANICS: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    std::panic::set_hook(Box::new(|info| {
        let words: String = info.to_string().chars().take(300).collect();
        PANICS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(words);
    }));
    let _ = PORT.set(server());
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("there"), "{\"a\": 1}").expect("written");
    let root: Arc<Path> = folder.path().into();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut wrong = Vec::new();
    let mut report = |of: &str, began: Instant, found: Found| {
        println!("{of}: {} asked, {} wrong, {:.1?}", found.asked, found.wrong.len(), began.elapsed());
        wrong.extend(found.wrong.into_iter().map(|why| format!("{of}: {why}")));
    };

    let backends = Backends::default();
    let eyes = Eyes::new(backends.clone(), Arc::new(RunClock::start()), Asks::Nobody);
    let hands = Hands::new(backends);
    let real = Subject { look: eyes.clone(), vouch: eyes, act: hands, root: root.clone(), plain, texts, missing };
    let here = natives(|name| !name.starts_with("docker.") && !name.starts_with("compose."));
    let began = Instant::now();
    report("the real world, probes", began, runtime.block_on(probes(&real, &here)));
    let began = Instant::now();
    report("the real world, actions", began, runtime.block_on(actions(&real, &here)));
    let began = Instant::now();
    let mut left = Found::default();
    runtime.block_on(nothing_is_left_running(&real, &mut left));
    report("what is let go of", began, left);

    let spec = fake_world::Spec::default().fact("there", fake_world::Fact::is(fake_world::Seen::Known(1)));
    let fake = {
        let _here = runtime.enter();
        Arc::new(fake_world::World::new(spec))
    };
    let fake =
        Subject { look: fake.clone(), vouch: fake.clone(), act: fake, root: root.clone(), plain, texts, missing };
    let its_own = natives(|name| {
        matches!(name, "env" | "file" | "http.get" | "http.head" | "sh" | "shell.run" | "shell.exec" | "time.now")
    });
    let began = Instant::now();
    report("the world in memory, probes", began, runtime.block_on(probes(&fake, &its_own)));
    report("the world in memory, actions", Instant::now(), runtime.block_on(actions(&fake, &its_own)));

    let typed = Arc::new(typed_world::TypedWorld::new(1, 90, "", &root));
    let nothing_is_missing: fn(&str, &Path) -> Option<Args> = |_, _| None;
    let typed = Subject {
        look: typed.clone(),
        vouch: typed.clone(),
        act: typed,
        root,
        plain,
        texts,
        missing: nothing_is_missing,
    };
    let every = natives(|_| true);
    report("the typed world, probes", Instant::now(), runtime.block_on(probes(&typed, &every)));
    report("the typed world, actions", Instant::now(), runtime.block_on(actions(&typed, &every)));

    drop(runtime);
    process::finish();
    let panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    wrong.extend(panics.into_iter().map(|panic| format!("something panicked: {panic}")));
    for wrong in &wrong {
        println!("✗ {wrong}\n");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
