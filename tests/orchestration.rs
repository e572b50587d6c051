//! The runbooks in `runbooks/orchestration` against their world: a real HTTP service, well and in each of its faults.

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{Story, Told, told};

const RUNBOOK: &str = include_str!("../runbooks/orchestration/verify.runbook");
const PASSWORD: &str = "correct horse battery";

/// The service, on a port of its own; ended when it is dropped.
struct World {
    process: Child,
    base: String,
    slow: bool,
}

impl World {
    fn new(fault: &str) -> Self {
        let program = Path::new(support::BINARY).parent().expect("a folder").join("examples/orchestration-world");
        let mut process = Command::new(program)
            .args(["--fault", fault])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the world is built with the tests: `cargo test`");
        let mut base = String::new();
        let out = process.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut base).expect("its address");
        Self { process, base: base.trim().to_owned(), slow: fault == "slow" }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn story(settings: &str) -> Story {
    let story = Story::new(RUNBOOK);
    story.write(".env", settings);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(story.path(".env"), mode).expect("a mode");
    story
}

const SETTINGS: &str = "POSTGRES_PASSWORD=a-long-password-indeed\nJWT_SECRET=0123456789abcdef0123456789abcdef\n";

fn run(story: &Story, command: &str, world: &World) -> Told {
    let base = format!("base={}", world.base);
    let quick = if world.slow { "quick=1s" } else { "quick=20s" };
    let args = [command, "plan.runbook", "--set", &base, "--set", "patience=3s", "--set", quick];
    told(story.command(&args).env("ADMIN_PASSWORD", PASSWORD).output().expect("it runs"))
}

#[test]
fn a_healthy_world_is_a_go() {
    let (world, story) = (World::new(""), story(SETTINGS));
    let told = run(&story, "exec", &world);
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(told.text.contains("steps: 6 passed"), "{}", told.text);
    assert!(!told.text.contains(PASSWORD) && !told.text.contains("jwt-0"), "{}", told.text);
    told.is_reported_by(story.command(&["report", "last"]));
}

#[test]
fn the_dry_run_only_reads_and_knows_what_it_does_not_know() {
    let (world, story) = (World::new(""), story(SETTINGS));
    run(&story, "exec", &world);
    let before = story.world();
    let told = run(&story, "dry-run", &world);
    assert_eq!(told.status, 0, "{}", told.text);
    assert_eq!(story.world(), before);
    assert!(told.text.contains("3 actions would be run") && told.text.contains("0 differ now"), "{}", told.text);
    assert!(told.text.contains("which a dry run leaves out"), "{}", told.text);
    assert!(!told.text.contains(PASSWORD), "{}", told.text);
}

#[test]
fn each_fault_is_named_with_its_line() {
    for (fault, words) in [
        ("never-healthy", "healthy.up.status"),
        ("default-password", "old_password.refused"),
        ("login-refused", "was answered with status 401"),
        ("no-token", "login.given"),
        ("job-fails", "job.done.json.status"),
        ("job-stuck", "job.done.json.status"),
        ("slow", "healthy.fast"),
        ("swagger", "closed.swagger"),
        ("no-headers", "closed.headers.headers.X-Content-Type-Options"),
    ] {
        let (world, story) = (World::new(fault), story(SETTINGS));
        let told = run(&story, "exec", &world);
        assert_eq!(told.status, 1, "{fault}: {}", told.text);
        let verdict = told.stdout.lines().find(|line| line.contains('✗')).unwrap_or_default();
        assert!(verdict.contains(words), "{fault}: {words} is not in: {verdict}\n{}", told.text);
        assert!(!told.text.contains(PASSWORD), "{fault}: {}", told.text);
    }
}

#[test]
fn settings_of_the_template_are_named() {
    let world = World::new("");
    for (settings, words) in [
        ("POSTGRES_PASSWORD=postgres\nJWT_SECRET=0123456789abcdef0123456789abcdef\n", "configured.postgres"),
        ("POSTGRES_PASSWORD=a-long-password-indeed\nJWT_SECRET=short\n", "configured.jwt"),
        (
            "POSTGRES_PASSWORD=a-long-password-indeed\nJWT_SECRET=0123456789abcdef0123456789abcdef\nX=changeme\n",
            "configured.changed",
        ),
    ] {
        let told = run(&story(settings), "exec", &world);
        assert_eq!(told.status, 1);
        assert!(told.stdout.contains(words), "{words}: {}", told.text);
    }
}
