//! Floods and slow readers: what a command prints, however much, is bounded in the journal and in memory; and whoever reads a run,
//! however slowly, keeps it from nothing.

mod support;

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use support::Story;

/// The journal of the only run.
fn journal(story: &Story) -> PathBuf {
    let runs = std::fs::read_dir(story.path(".runbook/runs")).expect("runs");
    runs.flatten().next().expect("a run").path().join("journal.jsonl")
}

fn recorded(story: &Story) -> Vec<Json> {
    let text = std::fs::read_to_string(journal(story)).expect("a journal");
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

/// What of an action's output the journal holds: each stream's text, and what was left out of it.
#[derive(Default, Debug)]
struct Output {
    stdout: String,
    stderr: String,
    left_out: Vec<(String, u64, u64)>,
}

fn output(events: &[Json]) -> Output {
    let mut output = Output::default();
    for event in events {
        let stream = event["stream"].as_str().unwrap_or_default();
        if event["type"] == "output" {
            let text = if stream == "stdout" { &mut output.stdout } else { &mut output.stderr };
            text.push_str(event["text"].as_str().expect("text"));
            text.push('\n');
        }
        if event["type"] == "output-left-out" {
            let count = |field: &str| event[field].as_u64().expect("a count");
            output.left_out.push((stream.to_owned(), count("bytes"), count("lines")));
        }
    }
    output
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: takes no pointers.
    unsafe { libc::kill(child.id() as i32, signal) };
}

fn status(mut child: Child) -> i32 {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code().expect("a status");
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_command_that_prints_without_end_is_ended_in_time_and_fills_no_disk() {
    let story = Story::new("runbook \"Yes\" { proof = none }\nstep s {\n  run \"yes\" timeout 500ms\n}\n");
    let began = Instant::now();
    let told = story.exec();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(told.status, 1, "{}", told.text);
    assert!(told.text.contains("did not end within 500ms"), "no word of the limit");
    assert!(std::fs::metadata(journal(&story)).expect("a journal").len() < 4_000_000);
    told.is_reported_by(story.command(&["report", "last"]));
}

#[test]
fn the_beginning_and_the_end_of_a_flood_are_recorded_and_the_middle_is_counted() {
    let story = Story::new(
        r#"runbook "Flood" { proof = none }
step s {
  run "echo first; yes | head -c 200000000; echo last; echo why >&2; grep VmHWM /proc/$PPID/status >&2" accept-pipe-failures
}
"#,
    );
    let told = story.run(&["exec", "plan.runbook", "--report", "r.html", "--report", "r.md", "--report", "r.xml"]);
    assert_eq!(told.status, 0);
    let all = output(&recorded(&story));
    assert!(all.stdout.starts_with("first\ny\n") && all.stdout.ends_with("y\nlast\n"));
    let [(stream, bytes, lines)] = all.left_out.as_slice() else { panic!("{:?}", all.left_out) };
    assert_eq!(stream, "stdout");
    // Whole lines are recorded, and none is lost from the count.
    assert_eq!(all.stdout.len() as u64 + bytes, "first\n".len() as u64 + 200_000_000 + "last\n".len() as u64);
    assert_eq!(all.stdout.lines().count() as u64 + lines, 100_000_002);
    assert!((1 << 20..3 << 20).contains(&all.stdout.len()), "{}", all.stdout.len());
    assert!(std::fs::metadata(journal(&story)).expect("a journal").len() < 20_000_000);
    // A flood of one stream hides nothing of the other.
    assert!(all.stderr.starts_with("why\n"), "{}", all.stderr);
    let peak: u64 = all.stderr.split_whitespace().nth(2).expect("VmHWM").parse().expect("kB");
    assert!(peak < 120_000, "{peak} kB");
    assert!(told.text.contains("left out: only the beginning and the end are recorded"));
    let page = std::fs::read_to_string(story.path("r.html")).expect("a page");
    assert!(page.contains("of which are not in the journal"));
    told.is_reported_by(story.command(&["report", "last"]));
}

#[test]
fn streams_that_take_turns_are_bounded_too() {
    let story = Story::new(
        r#"runbook "Turns" { proof = none }
step s {
  run "i=0; while [ $i -lt 20000 ]; do echo o; echo e >&2; i=$((i+1)); done"
}
"#,
    );
    assert_eq!(story.run(&["exec", "-q", "plan.runbook"]).status, 0);
    let events = recorded(&story);
    let all = output(&events);
    let left_out = |stream: &str| {
        let left_out = all.left_out.iter().find(|(of, ..)| of == stream);
        left_out.map_or(0, |(_, _, lines)| *lines as usize)
    };
    assert_eq!(all.stdout.lines().count() + left_out("stdout"), 20_000);
    assert_eq!(all.stderr.lines().count() + left_out("stderr"), 20_000);
    assert!(std::fs::metadata(journal(&story)).expect("a journal").len() < 8_000_000);
}

/// A run that floods its reader, then does what has to end in time.
const FLOODING: &str = r#"runbook "Nobody reads" {
  proof = none
  LIMIT
}
step s {
  run "yes | head -c 3000000" accept-pipe-failures
  run "yes | head -c 3000000" accept-pipe-failures
  run "yes | head -c 3000000" accept-pipe-failures
  run "touch waiting; sleep 100"
  finally { run "touch finally" }
}
"#;

/// Whatever is not read, the header's time limit is kept, `finally` runs, the exit code stands, and what was lost is told.
fn nobody_reads(args: &[&str], reads_errors: bool) {
    let story = Story::new(&FLOODING.replace("LIMIT", "timeout = 4s"));
    let mut command = story.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let (out, mut errors) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let (mut told, mut unread) = (None, None);
    if reads_errors {
        told = Some(std::thread::spawn(move || {
            let mut told = String::new();
            errors.read_to_string(&mut told).expect("text");
            told
        }));
    } else {
        unread = Some(errors);
    }
    wait_until("`finally` does not run", || story.path("finally").exists());
    wait_until("no verdict", || recorded(&story).iter().any(|event| event["type"] == "verdict"));
    // The run is over: nobody else waits for its reader.
    assert_eq!(status(child), 1);
    drop((out, unread));
    if let Some(told) = told {
        let told = told.join().expect("joined");
        assert!(told.contains("nobody has read it for 10s; what happened is in the record"), "{told}");
    }
}

#[test]
fn a_reader_of_events_that_stands_still_delays_nothing() {
    nobody_reads(&["exec", "--format", "json", "plan.runbook"], true);
}

#[test]
fn a_reader_of_progress_that_stands_still_delays_nothing() {
    nobody_reads(&["exec", "plan.runbook"], false);
}

#[test]
fn a_run_that_nobody_reads_can_be_ended() {
    let story = Story::new(&FLOODING.replace("LIMIT", ""));
    let mut command = story.command(&["exec", "--format", "json", "plan.runbook", "--report", "r.json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let (out, errors) = (child.stdout.take(), child.stderr.take());
    wait_until("it does not get there", || story.path("waiting").exists());
    signal(&child, libc::SIGTERM);
    wait_until("`finally` does not run", || story.path("finally").exists());
    assert_eq!(status(child), 143);
    drop((out, errors));
    // A file is whole, whatever became of the reader.
    let report: Vec<Json> =
        serde_json::from_str(&std::fs::read_to_string(story.path("r.json")).expect("a report")).expect("JSON");
    let mut events = recorded(&story);
    events.iter_mut().for_each(|event| drop(event.as_object_mut().expect("an object").remove("chain")));
    assert_eq!(report, events);
}

#[test]
fn a_slow_reader_loses_nothing() {
    for format in ["json", "text"] {
        let story = Story::new(&FLOODING.replace("LIMIT", "").replace("; sleep 100", ""));
        let mut command = story.command(&["exec", "--format", format, "plan.runbook"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let (mut out, mut errors) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        wait_until("no verdict", || {
            story.path("waiting").exists() && recorded_so_far(&story).iter().any(|event| event["type"] == "verdict")
        });
        let progress = std::thread::spawn(move || {
            let mut told = String::new();
            errors.read_to_string(&mut told).expect("text");
            told
        });
        let mut told = String::new();
        out.read_to_string(&mut told).expect("text");
        let progress = progress.join().expect("joined");
        assert_eq!(status(child), 0);
        let report = story.run(&["report", "last", "--format", format]);
        assert!(report.stdout.len() > 4_000_000);
        assert!(report.stdout == format!("{progress}{told}"), "{format}: not what the report says");
    }
}

/// What is written whole of a journal that is being written.
fn recorded_so_far(story: &Story) -> Vec<Json> {
    let text = std::fs::read_to_string(journal(story)).expect("a journal");
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_stop_condition_holds_while_nobody_reads() {
    let story = Story::new(
        r#"runbook "Stops" { proof = none }
stop "it is time" {
  when file("waiting") is present every 100ms
}
step s {
  run "yes | head -c 3000000" accept-pipe-failures
  run "touch waiting; sleep 100"
  finally { run "touch finally" }
}
"#,
    );
    let mut command = story.command(&["exec", "--format", "json", "plan.runbook"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let readers = (child.stdout.take(), child.stderr.take());
    wait_until("`finally` does not run", || story.path("finally").exists());
    assert_eq!(status(child), 1);
    drop(readers);
}
