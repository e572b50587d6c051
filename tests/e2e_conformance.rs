//! Docker's and Compose's part of the conformance suite: needs an engine. What acts is given names that no container can
//! have, so that nothing is touched that is not ours.

#[path = "conformance/suite.rs"]
mod suite;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use runbook::check::program::{Effect, Native};
use runbook::engine::world::RunClock;
use runbook::process;
use runbook::value::{Number, Value};
use runbook::world::{Asks, Backends, Eyes, Hands};

use suite::{Args, Found, Subject, actions, hostile_texts, natives, probes};

/// Names are matched by their beginnings, and ids too: this is neither.
const NOBODY: &str = "no-such-thing-of-a-conformance-test";

fn plain(native: &str, root: &Path) -> Args {
    let dir = || ("dir", Value::text(root.to_string_lossy().into_owned()));
    let nobody = |name: &'static str| (name, Value::text(NOBODY));
    match native {
        "docker.exec" => vec![nobody("name"), ("argv", Value::list([Value::text("true")]))],
        "docker.file" => vec![nobody("container"), ("path", Value::text("/etc/hosts"))],
        "docker.image" => vec![nobody("ref")],
        "docker.engine" => Vec::new(),
        "docker.containers" | "docker.images" | "docker.networks" | "docker.volumes" => vec![nobody("name")],
        "docker.start" | "docker.stop" | "docker.restart" | "docker.kill" | "docker.pause" | "docker.unpause"
        | "docker.remove" => vec![("containers", Value::list([Value::text(NOBODY)]))],
        "compose.version" => Vec::new(),
        "compose.logs" => vec![dir(), nobody("project"), ("tail", Value::Number(Number::Int(1)))],
        name if name.starts_with("compose.") => vec![dir(), nobody("project")],
        _ => vec![nobody("name")],
    }
}

fn texts(native: &Native, param: &str) -> Vec<String> {
    // An empty name, or one of hexadecimal digits, may be another's.
    let names = |text: &String| !text.is_empty() && !text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == 0);
    match native.effect {
        Effect::Action
            if native.name.starts_with("compose.") && matches!(param, "dir" | "file" | "files" | "project") =>
        {
            // Compose looks in folders above, too: the folder stays ours.
            Vec::new()
        }
        _ => hostile_texts().into_iter().filter(|text| names(text) && !text.contains("..")).collect(),
    }
}

fn missing(native: &str, root: &Path) -> Option<Args> {
    let one = ["docker.container", "docker.logs", "docker.file", "docker.stats", "docker.processes", "docker.image"];
    let more = ["docker.network", "docker.volume", "docker.exec"];
    (one.contains(&native) || more.contains(&native)).then(|| plain(native, root))
}

fn main() -> ExitCode {
    if let Some(code) = process::watchdog_main() {
        return code;
    }
    if std::env::args().any(|arg| arg == "--list") {
        println!("e2e_conformance: test");
        return ExitCode::SUCCESS;
    }
    static PANICS: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    std::panic::set_hook(Box::new(|info| {
        let words: String = info.to_string().chars().take(300).collect();
        PANICS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(words);
    }));
    let engine = std::process::Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
    assert!(engine.is_ok_and(|output| output.status.success()), "these tests need a Docker engine");
    let folder = tempfile::tempdir().expect("a folder");
    let file = "services:\n  one:\n    image: no-such-image-of-a-conformance-test\n";
    std::fs::write(folder.path().join("compose.yml"), file).expect("written");
    let root: Arc<Path> = folder.path().into();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let backends = Backends::default();
    let eyes = Eyes::new(backends.clone(), Arc::new(RunClock::start()), Asks::Nobody);
    let hands = Hands::new(backends);
    let real = Subject { look: eyes.clone(), vouch: eyes, act: hands, root, plain, texts, missing };
    let mut wrong = Vec::new();
    let mut report = |of: &str, began: Instant, found: Found| {
        println!("{of}: {} asked, {} wrong, {:.1?}", found.asked, found.wrong.len(), began.elapsed());
        wrong.extend(found.wrong.into_iter().map(|why| format!("{of}: {why}")));
    };
    let docker = natives(|name| name.starts_with("docker."));
    report("Docker, probes", Instant::now(), runtime.block_on(probes(&real, &docker)));
    report("Docker, actions", Instant::now(), runtime.block_on(actions(&real, &docker)));
    let compose = natives(|name| name.starts_with("compose."));
    report("Compose, probes", Instant::now(), runtime.block_on(probes(&real, &compose)));
    // An image that is nowhere can't be pulled: `up`, `pull` and `build` would ask a registry.
    let here = natives(|name| matches!(name, "compose.down" | "compose.restart"));
    report("Compose, actions", Instant::now(), runtime.block_on(actions(&real, &here)));
    drop(runtime);
    process::finish();
    let panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    wrong.extend(panics.into_iter().map(|panic| format!("something panicked: {panic}")));
    for wrong in &wrong {
        println!("✗ {wrong}\n");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
