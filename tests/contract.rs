//! The contract of `docs/interface.md`: exit codes, events and their fields, what goes to which stream.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Server, Story, told};

/// A runbook in which everything happens that an event tells of.
const RICH: &str = r##"## All of it.
runbook "Rich" {
  language = 1
  owner    = "tests"
}

param name: string = "world"

stop "It says so" {
  when file("stop") is present for 10ms every 20ms
}

step skipped when name == "nobody" {
  run "true"
}

step needless if needed {
  run "true"
  expect name == "world"
}

step work "The work" {
  let r = run "echo hello; echo oops >&2" changes [file("x")]
  let twice = r.text
  show twice
  expect said: r.text == "hello" else "it is silent"
  expect file("ready") is present within 1s every 50ms
  expect name == "nobody" else warn "it is nobody"
  if r.status == 0 {
    run "true"
  }
  on-failure {
    run "touch ready"
  }
}

verdict {
  expect missing: file("missing") is absent
}

step again {
  run "test -e twice || { touch twice; exit 1; }"
  on-failure {
    retry 1 after 10ms
  }
  finally {
    run "true"
  }
}
"##;

fn types(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
}

/// The table of events of `docs/interface.md`: what each may hold.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = include_str!("../docs/interface.md");
    let table = page.split_once("## Events").expect("the section").1;
    let words = regex::Regex::new("`([a-z_-]+)").expect("a pattern");
    let mut all = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line.trim_matches('|').splitn(2, '|');
        let names =
            |cell: &str| -> Vec<String> { words.captures_iter(cell).map(|found| found[1].to_owned()).collect() };
        let (types, fields) = (names(cells.next().expect("types")), names(cells.next().expect("fields")));
        for name in types {
            all.insert(name, fields.iter().cloned().collect());
        }
    }
    all
}

#[test]
fn every_event_is_as_the_page_says_and_every_event_of_the_page_comes() {
    let documented = documented();
    let common: BTreeSet<&str> =
        ["seq", "time", "type", "step", "expect", "file", "line", "part", "checklist", "possible", "not_reached"]
            .into();
    let rich = Story::new(RICH);
    let mut events = rich.events("dry-run");
    events.extend(rich.events("exec"));
    let stopped = Story::new(RICH);
    stopped.write("plan.runbook", &RICH.replace("echo hello;", "touch stop; sleep 5;"));
    events.extend(stopped.events("exec"));
    let ends = Story::new("runbook \"T\" { }\nstep a {\n  expect 1 == 2\n  run \"true\"\n}\n");
    events.extend(ends.events("dry-run"));
    let undone = Story::new(
        "runbook \"T\" {\n  on-stop = rollback\n}\nstep a {\n  run \"true\"\n  rollback within 5s {\n    run \"true\"\n  }\n}\nstep b {\n  run \"false\"\n}\n",
    );
    events.extend(undone.events("exec"));
    let unsigned = Story::new("runbook \"T\" { proof = none }\nstep a {\n  confirm \"It is known\" by \"tests\"\n}\n");
    events.extend(unsigned.events("dry-run"));
    // Without a terminal, on which it would ask.
    let mut alone = std::process::Command::new("setsid");
    alone.args(["-w", support::BINARY, "exec", "--format", "json", "plan.runbook"]).current_dir(unsigned.folder.path());
    let alone = alone.stdin(Stdio::null()).output().expect("setsid(1) runs");
    let alone = String::from_utf8_lossy(&alone.stdout).into_owned();
    events.extend(alone.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event")));
    // Cut off in its second action, and gone on with.
    let cut = Story::new(
        "runbook \"T\" { proof = none }\nstep a idempotent {\n  run \"test -e x || { touch x; kill -9 $PPID; sleep 9; }\"\n}\n",
    );
    events.extend(cut.events("exec"));
    let resumed = cut.run(&["resume", "last", "--format", "json"]);
    events.extend(resumed.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event")));
    let much = Story::new("runbook \"T\" { proof = none }\nstep a {\n  run \"seq 100000 600000\"\n}\n");
    events.extend(much.events("exec"));
    let slow = Story::new("runbook \"T\" {\n  timeout = 300ms\n}\nstep a {\n  run \"sleep 9\"\n}\n");
    events.extend(slow.events("exec"));
    for event in &events {
        let name = event["type"].as_str().expect("a type");
        let fields = documented.get(name).unwrap_or_else(|| panic!("`{name}` is not in docs/interface.md: {event}"));
        for field in event.as_object().expect("an object").keys() {
            assert!(common.contains(&**field) || fields.contains(field), "`{name}.{field}` is not documented: {event}");
        }
    }
    let seen = types(&events);
    let missing: Vec<&String> = documented.keys().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}

#[test]
fn events_are_numbered_dated_and_in_their_place() {
    let story = Story::new(RICH);
    let events = story.events("exec");
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], at as u64 + 1);
        assert!(event["time"].as_str().expect("a time").parse::<jiff::Timestamp>().is_ok(), "{event}");
    }
    assert_eq!(events[0]["type"], "run-started");
    assert_eq!(events[0]["format"], 1);
    let said = events.iter().find(|event| event["expect"] == "work.said" && event["type"] == "expect-ended");
    let said = said.expect("the expect with its name");
    assert_eq!((&said["step"], &said["file"], &said["line"]), (&"work".into(), &"plan.runbook".into(), &26.into()));
    let last = events.last().expect("an event");
    assert_eq!(last["type"], "verdict");
    assert_eq!(last["verdict"], "GO");
    assert_eq!(last["reasons"], Value::Array(Vec::new()));
    let steps = &last["steps"];
    let counts = ["passed", "recovered", "failed", "skipped"].map(|count| steps[count].as_u64().expect("a count"));
    assert_eq!(counts, [1, 2, 0, 1], "{last}");
    for count in ["held", "differed", "unknown", "waived"] {
        assert!(last["expects"][count].is_u64(), "{last}");
    }
}

#[test]
fn a_dry_run_ends_with_its_sum() {
    let events = Story::new(RICH).events("dry-run");
    let last = events.last().expect("an event");
    assert_eq!(last["type"], "summary");
    assert!(last["actions"].as_u64().expect("actions") >= 5, "{last}");
    for count in ["holds", "differs", "unknown"] {
        assert!(last["expects"][count].is_u64(), "{last}");
    }
    let expects: Vec<&Value> = events.iter().filter(|event| event["type"] == "expect-ended").collect();
    assert!(!expects.is_empty());
    for expect in expects {
        assert!(["holds", "differs", "unknown"].contains(&expect["state"].as_str().expect("a state")), "{expect}");
        assert!(expect["expected"].is_string() && expect["actual"].is_string(), "{expect}");
    }
}

#[test]
fn exit_codes_say_what_came_of_it() {
    let holds = "runbook \"T\" { }\nstep a {\n  expect 1 == 1\n}\n";
    let differs = "runbook \"T\" { }\nstep a {\n  expect 1 == 2\n}\n";
    let unknown = "runbook \"T\" { }\nstep a {\n  expect number(\"x\") == 2\n}\n";
    let wrong = "runbook \"T\" { }\nstep a {\n  expect nothing == 2\n}\n";
    for (text, args, status) in [
        (holds, &["exec", "plan.runbook"][..], 0),
        (differs, &["exec", "plan.runbook"], 1),
        (unknown, &["exec", "plan.runbook"], 1),
        (wrong, &["exec", "plan.runbook"], 2),
        (holds, &["dry-run", "plan.runbook"], 0),
        (differs, &["dry-run", "plan.runbook"], 0),
        (unknown, &["dry-run", "plan.runbook"], 0),
        (wrong, &["dry-run", "plan.runbook"], 2),
        (holds, &["dry-run", "--detailed-exitcode", "plan.runbook"], 0),
        (differs, &["dry-run", "--detailed-exitcode", "plan.runbook"], 3),
        (unknown, &["dry-run", "--detailed-exitcode", "plan.runbook"], 3),
        (holds, &["check", "plan.runbook"], 0),
        (wrong, &["check", "plan.runbook"], 2),
        (holds, &["exec"], 2),
        (holds, &["exec", "--no-such-flag", "plan.runbook"], 2),
        (holds, &["exec", "no-such.runbook"], 2),
        (holds, &["exec", "--only", "nothing", "plan.runbook"], 2),
        (holds, &["exec", "--set", "nothing=1", "plan.runbook"], 2),
        (holds, &["exec", "--profile", "nothing", "plan.runbook"], 2),
        (holds, &["exec", "--params", "no-such.toml", "plan.runbook"], 2),
        (holds, &["explain", "RB0102"], 0),
        (holds, &["explain", "RB9999"], 2),
        (holds, &["doc"], 0),
        (holds, &["doc", "http"], 0),
        (holds, &["doc", "nothing"], 2),
        (holds, &["--version"], 0),
        (holds, &["--help"], 0),
    ] {
        let told = Story::new(text).run(args);
        assert_eq!(told.status, status, "{args:?} of {text}\n{}", told.text);
    }
}

#[test]
fn what_can_not_be_set_up_is_told_apart() {
    let story = Story::new("runbook \"T\" { proof = none }\nstep a {\n  run \"touch done\"\n}\n");
    let script = format!("ulimit -v 50000; exec '{}' exec plan.runbook", support::BINARY);
    let mut command = std::process::Command::new("sh");
    let told = told(command.args(["-c", &script]).current_dir(story.folder.path()).output().expect("it runs"));
    assert_eq!(told.status, 4, "{}", told.text);
    assert!(!story.path("done").exists());
}

#[test]
fn sigterm_ends_the_action_and_finally_still_runs() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"touch begun; sleep 100; touch done\"\n  finally {\n    run \"touch cleaned\"\n  }\n}\n",
    );
    let mut child = story
        .command(&["exec", "plan.runbook"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let began = Instant::now();
    while !story.path("begun").exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    // SAFETY: sends a signal to a child of this test.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    let status = child.wait().expect("it ends");
    assert_eq!((status.code(), status.signal()), (Some(143), None));
    assert!(story.path("cleaned").exists() && !story.path("done").exists());
}

#[test]
fn progress_goes_to_standard_error_and_results_to_standard_output() {
    let story = Story::new("runbook \"T\" {\n  proof = none\n}\nstep a {\n  run \"echo words\"\n}\n");
    let output = story.command(&["exec", "plan.runbook"]).output().expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains(" GO ") && !out.contains("words"), "{out}");
    assert!(err.contains("words") && !err.contains(" GO "), "{err}");
    let output = story.command(&["dry-run", "plan.runbook"]).output().expect("it runs");
    assert!(output.stderr.is_empty() && String::from_utf8_lossy(&output.stdout).contains("would run"));
    let quiet = story.run(&["exec", "-q", "plan.runbook"]);
    assert_eq!(quiet.text.lines().count(), 1, "{}", quiet.text);
    // Of a dry run it is the sum.
    let quiet = story.run(&["dry-run", "-q", "plan.runbook"]).text;
    assert!(quiet.starts_with("▷ ") && quiet.lines().count() <= 4 && quiet.contains("nothing changed"), "{quiet}");
}

#[test]
fn a_reader_that_goes_away_ends_a_run_in_order() {
    let mut runbook = "runbook \"T\" { proof = none }\nstep a {\n".to_owned();
    for _ in 0..200 {
        runbook.push_str("  run \"echo 0123456789012345678901234567890123456789\"\n");
    }
    runbook.push_str("  run \"touch done\"\n  finally {\n    run \"touch cleaned\"\n  }\n}\n");
    let story = Story::new(&runbook);
    let script = format!("'{}' exec --format json plan.runbook | head -n 1", support::BINARY);
    let mut command = std::process::Command::new("sh");
    let told = told(command.args(["-c", &script]).current_dir(story.folder.path()).output().expect("it runs"));
    assert!(told.stdout.contains("run-started"), "{}", told.text);
    let began = Instant::now();
    while !story.path("cleaned").exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(story.path("cleaned").exists() && !story.path("done").exists());
    let runs = story.run(&["runs", "--format", "json"]);
    assert!(runs.stdout.contains("NO-GO") && runs.stdout.contains("went away"), "{}", runs.text);
}

#[test]
fn what_was_to_be_ignored_from_the_start_is_ignored() {
    let story =
        Story::new("runbook \"T\" { proof = none }\nstep a {\n  run \"touch begun; sleep 0.5; touch done\"\n}\n");
    let script = format!("trap '' HUP; exec '{}' exec -q plan.runbook", support::BINARY);
    let mut command = std::process::Command::new("sh");
    let mut child = command.args(["-c", &script]).current_dir(story.folder.path()).spawn().expect("it starts");
    let began = Instant::now();
    while !story.path("begun").exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    // SAFETY: sends a signal to a child of this test.
    unsafe { libc::kill(child.id() as i32, libc::SIGHUP) };
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(story.path("done").exists());
}

#[test]
fn a_runbook_is_found_by_its_name() {
    let story = Story::new("");
    for folder in ["runbooks", "runbooks/big", "deep/down"] {
        std::fs::create_dir_all(story.path(folder)).expect("a folder");
    }
    let text = |title: &str| format!("runbook \"{title}\" {{ }}\nstep a {{\n  expect 1 == 1\n}}\n");
    story.write("runbooks/small.runbook", &text("Small")).write("runbooks/big/big.runbook", &text("Big"));
    story.write("runbooks/big/other.runbook", &text("Other"));
    for (name, title) in [("small", "Small"), ("big", "Big"), ("big/other", "Other")] {
        let mut command = story.command(&["dry-run", name]);
        let told = told(command.current_dir(story.path("deep/down")).output().expect("it runs"));
        assert_eq!(told.status, 0, "{}", told.text);
        assert!(told.stdout.starts_with(title), "{}", told.text);
    }
}

#[test]
fn colour_is_where_it_is_wanted() {
    let story = Story::new("runbook \"T\" { }\nstep a {\n  expect 1 == 1\n}\n");
    let coloured = |args: &[&str], no_color: Option<&str>| {
        let mut command = story.command(args);
        command.env_remove("NO_COLOR");
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        told(command.output().expect("it runs")).text.contains('\u{1b}')
    };
    assert!(!coloured(&["exec", "plan.runbook"], None), "it is no terminal");
    assert!(coloured(&["--color", "always", "exec", "plan.runbook"], None));
    assert!(coloured(&["--color", "always", "exec", "plan.runbook"], Some("1")), "the flag is nearer");
    assert!(!coloured(&["--color", "never", "exec", "plan.runbook"], None));
}

#[test]
fn requests_of_a_dry_run_are_shared_and_only_read() {
    let server = Server::answering(200, "{\"status\": \"ok\"}");
    let story = Story::new(&format!(
        "runbook \"T\" {{ }}\nparam base: url = \"{}\"\nstep a {{\n  run http.post(base)\n\
         expect http.get(base).status == 200\n  expect http.get(base).json[\"status\"] == \"ok\"\n\
         expect http.get(base) {{\n    .time < 10s\n    .text is not empty\n  }}\n}}\n",
        server.base
    ));
    let told = story.dry_run();
    assert_eq!(told.status, 0, "{}", told.text);
    assert_eq!(*server.requests.lock().expect("requests"), ["GET / HTTP/1.1"]);
}

/// That every other run of these tests is as the schema says, `support` holds.
#[test]
fn the_schema_is_that_of_the_program_and_refuses_what_is_none() {
    let story = Story::new(RICH);
    let told = story.run(&["doc", "--schema"]);
    assert_eq!(told.stdout, support::schema::SCHEMA, "`runbook doc --schema > docs/events.schema.json` renews it");
    story.run(&["exec", "plan.runbook", "--report", "all.json"]);
    let whole = std::fs::read_to_string(story.path("all.json")).expect("a report");
    let whole: Value = serde_json::from_str(&whole).expect("JSON");
    let valid = |value: &Value| support::schema::EVENTS.is_valid(value);
    assert!(whole.as_array().is_some_and(|events| events.len() > 20) && valid(&whole));
    let ended = whole.as_array().expect("events").iter().find(|event| event["type"] == "expect-ended").expect("one");
    assert!(valid(ended));
    for (field, wrong) in [
        ("type", Value::from("expect-finished")),
        ("seq", Value::from("one")),
        ("state", Value::from("maybe")),
        ("elapsed", Value::from("1s")),
        ("expected", Value::Null),
        ("diff", Value::from("- a")),
    ] {
        let mut spoilt = ended.clone();
        spoilt[field] = wrong;
        assert!(!valid(&spoilt), "{spoilt}");
    }
    for field in ["type", "seq", "time", "state", "attempts"] {
        let mut spoilt = ended.clone();
        spoilt.as_object_mut().expect("an object").remove(field);
        assert!(!valid(&spoilt), "without {field}: {spoilt}");
    }
}
