//! A run is killed at every point of its record, on a full disk and without a state folder; afterwards it is gone on with.

mod support;

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use support::engine::{World, docker, done};
use support::{BINARY, Server, Story, answer, example, told};

/// Shell, HTTP and Docker actions, bindings, a loop, a handler, `finally`.
const PLAN: &str = r##"runbook "Survive" { }

param base: url
param container: string

let names = ["a", "b"]

step shell "Two commands" {
  let first = run "echo one >> log; echo first"
  expect file("log").text contains "one"
  run "echo two >> log"
  expect file("log").text contains "two"
}

step http "A loop over what is added" {
  for name in names {
    run http.post("#{base}/add/#{name}")
    expect http.get("#{base}/has/#{name}").text == "yes"
  }
  finally {
    run "echo finally >> log"
    expect file("log").text contains "finally"
  }
}

step engine "A container is stopped and started" {
  run docker.stop(container, grace: 0s)
  expect docker.container(container).state == "exited"
  run docker.start(container)
  expect docker.container(container).state == "running"
}

step mend "A handler mends it" {
  expect file("mended") is present
  on-failure {
    run "echo mend >> log; touch mended"
    expect file("mended") is present
  }
}

step last "What was bound is known" {
  run "echo #{shell.first.text} >> log"
  expect file("log").text contains "first"
}
"##;

/// What the log holds when all is done, each once and in this order.
const LOG: &str = "one\ntwo\nfinally\nmend\nfirst\n";

/// What is added is there; how often it was added is known.
fn server() -> (Server, Arc<Mutex<Vec<String>>>) {
    let added: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = added.clone();
    let server = Server::new(move |head, _, stream| {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut noted = noted.lock().expect("notes");
        match path.strip_prefix("/add/") {
            Some(name) => {
                noted.push(name.to_owned());
                answer(stream, 200, "added");
            }
            None => {
                let there = noted.iter().any(|name| path.strip_prefix("/has/") == Some(name));
                answer(stream, 200, if there { "yes" } else { "no" });
            }
        }
    });
    (server, added)
}

/// A world in which a run is killed and gone on with.
struct Cut {
    story: Story,
    added: Arc<Mutex<Vec<String>>>,
    container: String,
    base: String,
    _server: Server,
}

impl Cut {
    fn new(world: &World, name: &str) -> Self {
        let container = world.start(name, &[], &["serve"]);
        let (server, added) = server();
        Self { story: Story::new(PLAN), added, container, base: server.base.clone(), _server: server }
    }

    fn state(&self) -> String {
        done(&["inspect", "-f", "{{.State.Status}}", &self.container])
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.story.path("log")).unwrap_or_default()
    }

    /// Killed at this point; whether there was one.
    fn killed(&self, point: u64, args: &[String]) -> (bool, Output) {
        let mut command = Command::new(example("killed-at"));
        command.arg(point.to_string()).args(args).env("RUNBOOK_HELPER", BINARY).current_dir(self.story.folder.path());
        let output = command.output().expect("it runs");
        let killed = output.status.signal() == Some(libc::SIGKILL);
        (killed, output)
    }

    fn exec_args(&self) -> Vec<String> {
        let set = [format!("base={}", self.base), format!("container={}", self.container)];
        ["exec".to_owned(), "plan.runbook".to_owned()].into_iter().chain(set).collect()
    }

    /// Whether the action that is in doubt was done, as the world shows.
    fn was_done(&self, action: &str) -> bool {
        let word = |line: &str| line.split_whitespace().nth(1).unwrap_or_default().to_owned();
        match action {
            action if action.starts_with("echo") => self.log().lines().any(|line| line == word(action)),
            action if action.contains("/add/") => {
                let name = if action.contains("/add/a") { "a" } else { "b" };
                self.added.lock().expect("notes").iter().any(|added| added == name)
            }
            action if action.contains("docker.stop") => self.state() == "exited",
            action if action.contains("docker.start") => self.state() == "running",
            other => panic!("an action that nobody expected: {other}"),
        }
    }

    /// Resumes as often as it takes; what was said to be in doubt.
    fn resumed(&self) -> BTreeSet<String> {
        let mut in_doubt = BTreeSet::new();
        let mut decisions: Vec<String> = Vec::new();
        for _ in 0..4 {
            let mut args = vec!["resume", "last"];
            args.extend(decisions.iter().map(String::as_str));
            let told = self.story.run(&args);
            match told.status {
                0 => {
                    in_doubt.extend(doubts(&told.text));
                    return in_doubt;
                }
                4 => {
                    let field = |name: &str| {
                        let line = told.text.lines().find(|line| line.trim_start().starts_with(name));
                        let line = line.unwrap_or_else(|| panic!("no {name} in:\n{}", told.text));
                        line.trim_start()[name.len()..].trim().to_owned()
                    };
                    let action = field("in doubt");
                    let step = field("step").split(' ').next().unwrap_or_default().to_owned();
                    let mut word = if self.was_done(&action) { "--assume-done" } else { "--redo" };
                    // What it answered is needed, and lost: a person takes back what it did, and has it done again.
                    if word == "--assume-done" && told.text.contains("was lost with the run") {
                        self.story.write("log", "");
                        word = "--redo";
                    }
                    in_doubt.insert(action);
                    decisions.extend([word.to_owned(), step]);
                }
                // Its verdict was recorded already.
                2 if told.text.contains("has ended: GO") => return in_doubt,
                // Nothing was recorded: nothing was done, and the run begins anew.
                2 => {
                    assert!(
                        told.text.contains("cut off before anything was done") || told.text.contains("no run"),
                        "{}",
                        told.text
                    );
                    assert_eq!(self.log(), "");
                    let args = self.exec_args();
                    let set: Vec<&str> = args[2..].iter().flat_map(|set| ["--set", set]).collect();
                    let told = self.story.run(&[&["exec", "plan.runbook"], set.as_slice()].concat());
                    assert_eq!(told.status, 0, "{}", told.text);
                    return in_doubt;
                }
                other => panic!("resume ended with {other}:\n{}", told.text),
            }
        }
        panic!("still in doubt: {in_doubt:?}");
    }

    #[track_caller]
    fn as_uninterrupted(&self, at: &str) {
        assert_eq!(self.log(), LOG, "{at}");
        assert_eq!(*self.added.lock().expect("notes"), ["a", "b"], "{at}");
        assert_eq!(self.state(), "running", "{at}");
        let verified = self.story.run(&["report", "last", "--verify"]);
        assert_eq!(verified.status, 0, "{at}: {}", verified.text);
    }
}

/// The actions that a resumed run told to have been in doubt.
fn doubts(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix("in doubt: ")).map(str::to_owned).collect()
}

/// Each point, shared by a few workers.
fn each_point(work: impl Fn(u64) -> bool + Sync) {
    let next = AtomicU64::new(1);
    let end = AtomicU64::new(u64::MAX);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let point = next.fetch_add(1, Ordering::Relaxed);
                    if point >= end.load(Ordering::Relaxed) {
                        return;
                    }
                    if !work(point) {
                        end.fetch_min(point, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(next.load(Ordering::Relaxed) > 150, "a run has more points than that");
}

#[test]
fn killed_at_every_point_a_run_goes_on_to_what_it_would_have_been() {
    let world = World::new();
    let named = Mutex::new(BTreeSet::new());
    each_point(|point| {
        let cut = Cut::new(&world, &format!("once-{point}"));
        let (killed, output) = cut.killed(point, &cut.exec_args());
        if killed {
            let told =
                cut.resumed().into_iter().map(|action| action.replace(&cut.container, "it").replace(&cut.base, "base"));
            named.lock().expect("names").extend(told);
        } else {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        cut.as_uninterrupted(&format!("killed at point {point}"));
        docker(&["rm", "-f", &cut.container]);
        killed
    });
    // Each of the nine actions was under way at some point, and was told so.
    let named = named.into_inner().expect("names");
    assert_eq!(named.len(), 9, "{named:#?}");
}

#[test]
fn killed_again_while_it_is_gone_on_with() {
    let world = World::new();
    for (first, second) in [(40, 3), (40, 9), (40, 20), (75, 4), (75, 11), (75, 30), (110, 7), (110, 16)] {
        let cut = Cut::new(&world, &format!("twice-{first}-{second}"));
        assert!(cut.killed(first, &cut.exec_args()).0);
        let mut args = vec!["resume".to_owned(), "plan.runbook".to_owned()];
        let (mut killed, mut output) = cut.killed(second, &args);
        // What is in doubt at the first point is decided as the world is.
        if !killed && output.status.code() == Some(4) {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let field = |name: &str| {
                said.split(&format!("{name}: \""))
                    .nth(1)
                    .and_then(|rest| rest.split("\", ").next())
                    .unwrap_or_else(|| panic!("{said}"))
                    .replace("\\\"", "\"")
            };
            let word = if cut.was_done(&field("action")) { "--assume-done" } else { "--redo" };
            args.extend([word.to_owned(), field("step")]);
            (killed, output) = cut.killed(second, &args);
        }
        assert!(killed, "{}", String::from_utf8_lossy(&output.stderr));
        cut.resumed();
        cut.as_uninterrupted(&format!("killed at point {first}, and at point {second} of the resume"));
    }
}

#[test]
fn killed_at_any_moment() {
    let world = World::new();
    for (nth, after) in [30, 60, 90, 120, 160, 200, 260, 330].into_iter().enumerate() {
        let cut = Cut::new(&world, &format!("moment-{nth}"));
        let args = cut.exec_args();
        let set: Vec<&str> = args[2..].iter().flat_map(|set| ["--set", set]).collect();
        let mut command = cut.story.command(&[&["exec", "plan.runbook", "-q"], set.as_slice()].concat());
        let mut child =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(std::time::Duration::from_millis(after));
        let _ = child.kill();
        if !child.wait().expect("it ends").success() {
            cut.resumed();
        }
        cut.as_uninterrupted(&format!("killed after {after} ms"));
    }
}

/// A shell with a small disk of its own at `disk`.
fn on_a_small_disk(story: &Story, script: &str) -> support::Told {
    std::fs::create_dir_all(story.path("disk")).expect("a folder");
    let script = format!("mount -t tmpfs -o size=64k,mode=700 none disk && {script}");
    let own = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    let mut command = Command::new("unshare");
    command
        .args([own, "sh", "-c", &script])
        .current_dir(story.folder.path())
        .env("RUNBOOK_STATE", "disk")
        .env("NO_COLOR", "1");
    told(command.output().expect("unshare is there"))
}

/// Fills the disk with its first action, does something a hundred times, and cleans up `times` times.
fn filling(times: usize) -> Story {
    let mut text =
        "runbook \"Full\" {\n  on-stop = rollback\n}\nstep a {\n  run \"head -c 1M /dev/zero > disk/fill || true; echo 0 >> log\"\n".to_owned();
    (1..100).for_each(|nth| text.push_str(&format!("  run \"echo {nth} >> log\"\n")));
    text.push_str("  finally {\n");
    (0..times).for_each(|nth| text.push_str(&format!("    run \"echo cleaned {nth} >> log\"\n")));
    text.push_str("  }\n  rollback {\n    run \"echo undone >> log\"\n  }\n}\n");
    Story::new(&text)
}

#[test]
fn on_a_full_disk_nothing_is_started_that_could_not_be_recorded_and_what_ends_the_run_is_done() {
    let story = filling(3);
    let script = format!(
        "{BINARY} exec plan.runbook; echo \"status $?\"; df disk >&2; {BINARY} runs; {BINARY} report last --verify; \
         grep -c action-started disk/runs/*/journal.jsonl; grep -c '\"error\":\"was not started' disk/runs/*/journal.jsonl"
    );
    let told = on_a_small_disk(&story, &script);
    assert!(told.text.contains("status 4\n"), "{}", told.text);
    assert!(told.text.contains("the run's record can't be written: no space left on device"), "{}", told.text);
    assert!(told.text.contains("from its beginning to its verdict") && told.text.contains("NO-GO"), "{}", told.text);
    let log = std::fs::read_to_string(story.path("log")).expect("a log");
    let done = log.lines().take_while(|line| line.parse::<usize>().is_ok()).count();
    assert!((1..99).contains(&done), "{done} were done before the disk was full");
    let all: String = (0..done).map(|nth| format!("{nth}\n")).collect();
    assert_eq!(log, format!("{all}cleaned 0\ncleaned 1\ncleaned 2\nundone\n"), "{}", told.text);
    // As many as were done were announced, and at most one more, which is told not to have been started.
    let counts: Vec<usize> = told.stdout.lines().rev().take(2).map(|line| line.parse().expect("a count")).collect();
    assert_eq!(counts, [1, done + 5], "{}", told.text);
}

#[test]
fn when_the_room_for_the_end_is_used_up_the_rest_of_it_is_not_done_and_a_resume_does_it() {
    let story = filling(300);
    let script = format!(
        "{BINARY} exec plan.runbook; echo \"status $?\"; {BINARY} report last --verify; rm disk/fill; mount -o remount,size=2m disk; \
         {BINARY} resume last -q --assume-done a || {BINARY} resume last -q; echo \"resumed $?\"; {BINARY} report last --verify"
    );
    let told = on_a_small_disk(&story, &script);
    assert!(told.text.contains("status 4\n") && told.text.contains("resumed 1\n"), "{}", told.text);
    assert!(
        told.text.contains("was not started, since it could not be recorded: no space left on device"),
        "{}",
        told.text
    );
    assert!(told.text.contains("events are not in it; free some space, then `runbook resume"), "{}", told.text);
    assert!(told.text.contains("it has no verdict: it was cut off"), "{}", told.text);
    assert!(told.text.contains("from its beginning to its verdict"), "{}", told.text);
    // All of the end was done in the end, each of it once.
    let log = std::fs::read_to_string(story.path("log")).expect("a log");
    let cleaned: Vec<&str> = log.lines().filter(|line| line.starts_with("cleaned")).collect();
    assert_eq!(cleaned, (0..300).map(|nth| format!("cleaned {nth}")).collect::<Vec<_>>(), "{}", told.text);
    assert!(log.ends_with("\nundone\n") && log.matches("undone").count() == 1, "{log}");
}

#[test]
fn without_a_place_for_the_record_nothing_is_started() {
    let text = "runbook \"None\" { proof = none }\nstep a {\n  run \"touch done\"\n}\n";
    let story = Story::new(text);
    let told =
        on_a_small_disk(&story, &format!("mount -o remount,ro disk; {BINARY} exec plan.runbook; echo \"status $?\""));
    assert!(
        told.text.contains("status 4") && told.text.contains("state folder") && told.text.contains("read-only"),
        "{}",
        told.text
    );
    let told = on_a_small_disk(
        &story,
        &format!("head -c 1M /dev/zero > disk/fill; {BINARY} exec plan.runbook; echo \"status $?\""),
    );
    assert!(told.text.contains("status 4") && told.text.contains("no space left"), "{}", told.text);
    // A file where the folder would be.
    story.write(".runbook", "");
    let told = story.exec();
    assert_eq!(told.status, 4, "{}", told.text);
    assert!(told.text.contains("nothing was run") && told.text.contains("`RUNBOOK_STATE`"), "{}", told.text);
    assert!(!story.path("done").exists());
}
