//! Runs that were cut off, gone on with: what is asked again and what is not, what is in doubt, a changed runbook.

mod support;

use support::{Story, Told};

/// Ends the run as a power cut would, the first time that it is come to.
const CUT: &str = "test -e cut || { touch cut; kill -9 $PPID; sleep 9; }";

/// A runbook that was cut off at `CUT`.
#[track_caller]
fn cut_off(text: &str) -> Story {
    cut_off_in(Story::new(&text.replace("CUT", CUT)), &[])
}

#[track_caller]
fn cut_off_in(story: Story, args: &[&str]) -> Story {
    let told = story.run(&[&["exec", "plan.runbook"], args].concat());
    assert_eq!(told.status, -1, "{}", told.text);
    story
}

#[track_caller]
fn resume(story: &Story, args: &[&str], status: i32, words: &[&str]) -> Told {
    let told = story.run(&[&["resume", "last"], args].concat());
    assert_eq!(told.status, status, "{}", told.text);
    for words in words {
        assert!(told.text.contains(words), "{words:?} is not in:\n{}", told.text);
    }
    told
}

fn log(story: &Story) -> String {
    std::fs::read_to_string(story.path("log")).unwrap_or_default()
}

#[test]
fn what_was_bound_and_decided_stays_as_it_was() {
    let story = Story::new(
        &r##"runbook "T" { }
param n: number = 1
let before = file("state").text
step a {
  let r = run "echo answered; echo new > state"
  let now = file("state").text
  for line in lines(file("list").text) {
    run "echo #{line} >> log"
  }
  if file("list").text contains "x" {
    run "echo has-x >> log"
  }
}
step b when file("list").text contains "x" {
  run "echo b >> log"
}
step cut idempotent {
  run "CUT"
}
step c {
  expect n == 7
  expect before is absent
  expect a.r.text == "answered"
  expect a.now == "new\n"
  run "echo #{a.r.text} >> log"
}
"##
        .replace("CUT", CUT),
    );
    story.write("list", "x\ny\n");
    let story = cut_off_in(story, &["--set", "n=7"]);
    // What the run has seen is not what is there now.
    story.write("list", "z\n").write("state", "changed\n");
    resume(&story, &[], 0, &["resumed by", "is done again: its step is marked idempotent"]);
    assert_eq!(log(&story), "x\ny\nhas-x\nb\nanswered\n");
}

#[test]
fn what_was_proven_is_asked_again_unless_something_may_have_changed_it() {
    let plan = r##"runbook "T" { }
step a {
  run "touch one" changes [file("one")]
  expect file("one") is present
  run "touch two" changes [file("two")]
  expect one: file("two") is present
}
step b idempotent {
  run "CUT" changes [file("two")]
}
"##;
    let story = cut_off(plan);
    std::fs::remove_file(story.path("one")).expect("removed");
    std::fs::remove_file(story.path("two")).expect("removed");
    // `two` may have been changed by the action in doubt; nothing that was done since has to do with `one`.
    let told =
        resume(&story, &[], 1, &["holds no longer", "file(\"one\") is present", "plan.runbook:4", "nothing was done"]);
    assert!(!told.text.contains("file(\"two\")"), "{}", told.text);
    story.write("one", "");
    resume(&story, &[], 0, &["1 expect of what was done was asked again, and holds"]);

    let lasting = cut_off(
        &plan.replace("is present\n  run", "is present lasting\n  run").replace(" changes [file(\"two\")]\n}", "\n}"),
    );
    std::fs::remove_file(lasting.path("one")).expect("removed");
    resume(&lasting, &[], 1, &["holds no longer", "file(\"one\") is present"]);
}

#[test]
fn an_action_in_doubt_is_decided_by_its_proof_or_by_a_person() {
    let plan = r##"runbook "T" { }
step a {
  run "echo once >> log; PROOF CUT"
  expect file("proof") is present
}
step b {
  run "echo b >> log"
}
"##;
    let proven = cut_off(&plan.replace("PROOF", "touch proof;"));
    resume(
        &proven,
        &[],
        0,
        &["in doubt: echo once", "counts as done: `file(\"proof\") is present` did not hold before it"],
    );
    assert_eq!(log(&proven), "once\nb\n");
    let report = proven.run(&["report", "last", "--format", "markdown"]).stdout;
    let row = report.lines().find(|line| line.contains("ran `echo once")).unwrap_or_else(|| panic!("{report}"));
    assert!(row.contains("did not hold before it, and holds now"), "{row}");

    let unproven = cut_off(&plan.replace("PROOF", ""));
    let words =
        ["in doubt", "echo once >> log", "a (plan.runbook:3)", "--assume-done a", "--redo a", "does not hold now"];
    resume(&unproven, &[], 4, &words);
    resume(&unproven, &["--redo", "b"], 2, &["nothing to decide about step `b`", "not begun"]);
    resume(&unproven, &["--assume-done", "b"], 2, &["nothing to decide"]);
    resume(&unproven, &["--redo", "nothing"], 2, &["no such step"]);
    unproven.write("proof", "");
    resume(&unproven, &["--assume-done", "a"], 0, &["a person decided that it was done"]);
    assert_eq!(log(&unproven), "once\nb\n");

    let again = cut_off(&plan.replace("PROOF", ""));
    again.write("proof", "");
    // What held when it was cut off proves nothing of it; but it did not hold before.
    resume(&again, &["--redo", "a"], 0, &["a person decided that it is done again"]);
    assert_eq!(log(&again), "once\nonce\nb\n");

    let held = Story::new(&plan.replace("PROOF", "").replace("CUT", CUT));
    held.write("proof", "");
    assert_eq!(held.exec().status, -1);
    resume(&held, &[], 4, &["held already before it"]);
}

#[test]
fn in_a_loop_each_action_has_its_own_proof() {
    // What is not yet done stands in the list; the first of it is under way when the run is cut off.
    let plan = r##"runbook "T" { }
step a {
  for name in file.glob("*.todo") {
    run "echo #{name} >> log; DONE CUT; rm -f #{name}"
    expect file(name) is absent
  }
}
"##;
    let story = |done: &str| {
        let story = Story::new(&plan.replace("CUT", CUT).replace("DONE", done));
        for name in ["a", "b", "c"] {
            story.write(&format!("{name}.todo"), "");
        }
        // One was gone from the beginning: its proof held, and proves nothing of the others.
        let story = cut_off_in(story, &[]);
        std::fs::remove_file(story.path("c.todo")).expect("removed");
        story
    };
    resume(&story(""), &[], 4, &["in doubt", "a.todo", "does not hold now"]);
    let done = story("rm -f #{name};");
    resume(&done, &[], 0, &["counts as done: `file(\"a.todo\") is absent` did not hold before it"]);
    assert_eq!(log(&done), "a.todo\nb.todo\nc.todo\n");
    // Ids tell the items apart.
    let events = done.run(&["report", "last", "--format", "json"]).stdout;
    let ids: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an event"))
        .filter(|event| event["type"] == "expect-ended")
        .map(|event| event["expect"].as_str().expect("an id").split_once('[').expect("a key").1.to_owned())
        .collect();
    assert_eq!(ids, ["\"a.todo\"]", "\"b.todo\"]", "\"c.todo\"]"]);
}

#[test]
fn a_captured_secret_is_unknown_until_its_step_is_done_again() {
    let story = Story::new(
        &r##"runbook "T" { proof = none }
secret key = file("key")
let header = "Bearer #{key}"
step login {
  let r = run "cat token; echo login >> log"
  secret token = r.text
}
step cut idempotent {
  run "CUT"
}
step use {
  run "echo \"${#HEADER} ${#TOKEN}\" >> log" env { HEADER: header, TOKEN: login.token }
}
"##
        .replace("CUT", CUT),
    );
    story.write("key", "a-key-of-the-world\n").write("token", "hush-hush-token\n");
    let story = cut_off_in(story, &[]);
    let state = std::fs::read(journal(&story)).expect("a journal");
    let state = String::from_utf8_lossy(&state);
    assert!(!state.contains("hush") && !state.contains("a-key"), "{state}");
    std::fs::write(story.path("again"), "").expect("written");
    let copy = copied(&story);
    resume(&copy, &[], 1, &["the secret `token` was captured in step `login`", "`--redo login`"]);
    resume(&story, &["--redo", "login"], 0, &["again from its top: step login"]);
    assert_eq!(log(&story), "login\nlogin\n25 15\n");
}

fn journal(story: &Story) -> std::path::PathBuf {
    let runs = std::fs::read_dir(story.path(".runbook/runs")).expect("runs");
    let mut runs: Vec<_> = runs.flatten().map(|entry| entry.path()).collect();
    runs.sort();
    runs.last().expect("a run").join("journal.jsonl")
}

/// The same folder once more.
fn copied(story: &Story) -> Story {
    let copy = Story::new("");
    let from = format!("{}/.", story.folder.path().display());
    let done = std::process::Command::new("cp").args(["-a", &from]).arg(copy.folder.path()).status();
    assert!(done.expect("cp runs").success());
    copy
}

#[test]
fn a_changed_runbook_is_refused_or_gone_on_with_where_it_is_behind() {
    let plan = r##"runbook "T" { proof = none }
let word = "hello"
step a {
  run "echo a >> log"
}
step b idempotent {
  run "CUT"
}
step c {
  run "echo #{word} >> log"
}
"##;
    let story = cut_off(plan);
    let text = std::fs::read_to_string(story.path("plan.runbook")).expect("read");
    let changed = |from: &str, to: &str| story.write("plan.runbook", &text.replace(from, to));
    changed("echo #{word}", "echo better #{word}");
    resume(
        &story,
        &[],
        2,
        &[
            "the runbook was changed",
            "-  run \"echo #{word} >> log\"",
            "+  run \"echo better #{word} >> log\"",
            "--changed",
        ],
    );
    changed("echo a >>", "echo A >>");
    resume(&story, &["--changed"], 2, &["step `a` had begun", "not the same any more"]);
    changed("step a {", "step new {\n  run \"true\"\n}\nstep a {");
    resume(&story, &["--changed"], 2, &["step `a` had begun"]);
    // What stands behind, and lines above, may change.
    changed("echo #{word}", "echo better #{word}");
    let later = std::fs::read_to_string(story.path("plan.runbook")).expect("read");
    story.write("plan.runbook", &format!("# A word on it.\n\n{later}"));
    resume(&story, &["--changed"], 0, &["with a changed runbook"]);
    assert_eq!(log(&story), "a\nbetter hello\n");
}

#[test]
fn modules_are_kept_with_the_run() {
    let story = Story::new("");
    std::fs::create_dir(story.path("lib")).expect("a folder");
    story.write("lib/note.runbook", "action note(word: string) {\n  run \"echo #{word} >> log\"\n}\n");
    let plan = format!(
        "use \"./lib/note.runbook\" as lib\nrunbook \"T\" {{ proof = none }}\nstep a idempotent {{\n  run lib.note(\"a\")\n  run \"{CUT}\"\n  run lib.note(\"b\")\n}}\n"
    );
    story.write("plan.runbook", &plan);
    assert_eq!(story.exec().status, -1);
    let note = std::fs::read_to_string(story.path("lib/note.runbook")).expect("read");
    story.write("lib/note.runbook", &note.replace("echo", "echo changed"));
    resume(&story, &[], 2, &["the runbook was changed", "lib/note.runbook", "+  run \"echo changed #{word}"]);
    resume(&story, &["--changed"], 2, &["a module that steps which have begun may use"]);
    story.write("lib/note.runbook", &note);
    let told = story.run(&["resume", "last"]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert_eq!(log(&story), "a\nb\n");
    // The report needs nothing but the record.
    std::fs::remove_file(story.path("lib/note.runbook")).expect("removed");
    std::fs::remove_file(story.path("plan.runbook")).expect("removed");
    let report = story.run(&["report", "last"]);
    assert!(report.text.contains("echo b >> log") && report.text.contains(" GO "), "{}", report.text);
}

#[test]
fn a_handler_a_retry_and_finally_are_gone_on_with_where_they_were() {
    for (place, plan) in [
        (
            "handler",
            "step a {\n  expect file(\"ready\") is present\n  on-failure {\n    show failures\n    run \"echo handled >> log\"\n    run \"CUT\"\n    run \"touch ready\"\n  }\n  finally {\n    run \"echo finally >> log\"\n  }\n}\n",
        ),
        (
            "second attempt",
            "step a {\n  run \"echo try >> log\"\n  run \"test -e ready || { touch ready; exit 3; }\"\n  run \"CUT\"\n  on-failure {\n    run \"echo status-#{failures[0].status} >> log\"\n    retry 2 after 10ms\n  }\n}\n",
        ),
        (
            "finally",
            "step a {\n  run \"echo done >> log\"\n  finally {\n    run \"CUT\"\n    run \"echo finally >> log\"\n  }\n}\n",
        ),
        (
            "failed and finally",
            "step a {\n  run \"echo done >> log; exit 5\"\n  finally {\n    run \"CUT\"\n    run \"echo finally >> log\"\n  }\n}\n",
        ),
    ] {
        let story = cut_off(&format!("runbook \"T\" {{ proof = none }}\n{plan}"));
        let told = resume(&story, &["--assume-done", "a"], i32::from(place == "failed and finally"), &["in step a"]);
        let expected = match place {
            "handler" => "handled\nfinally\n",
            "second attempt" => "try\nstatus-3\ntry\n",
            _ => "done\nfinally\n",
        };
        assert_eq!(log(&story), expected, "{place}: {}", told.text);
        if place == "failed and finally" {
            assert!(told.text.contains("ended with status 5"), "{}", told.text);
        }
        if place == "second attempt" {
            assert!(told.text.contains("retried (1 of at most 2)"), "{}", told.text);
        }
    }
}

#[test]
fn what_has_ended_what_runs_and_what_is_not_there_are_told_apart() {
    let story = Story::new("runbook \"T\" { proof = none }\nstep a {\n  run \"touch begun; sleep 100\"\n}\n");
    let told = story.run(&["resume", "last"]);
    assert_eq!(told.status, 2, "{}", told.text);
    assert!(told.text.contains("no run is recorded"), "{}", told.text);
    let mut child =
        story.command(&["exec", "-q", "plan.runbook"]).stderr(std::process::Stdio::null()).spawn().expect("it starts");
    while !story.path("begun").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let told = story.run(&["resume", "last"]);
    assert_eq!(told.status, 4, "{}", told.text);
    assert!(told.text.contains("is being carried out right now"), "{}", told.text);
    assert!(story.run(&["runs"]).text.contains("running"));
    // SAFETY: sends a signal to a child of this test.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    child.wait().expect("it ends");
    let told = story.run(&["resume", "last"]);
    assert_eq!(told.status, 2, "{}", told.text);
    assert!(told.text.contains("has ended: NO-GO"), "{}", told.text);
    let told = story.run(&["resume", "20010101"]);
    assert_eq!(told.status, 2, "{}", told.text);
    assert!(told.text.contains("there is no run `20010101`"), "{}", told.text);
}

#[test]
fn what_reads_like_a_secret_is_not_recorded_and_is_unknown_in_a_resumed_run() {
    let story = Story::new(
        &r##"runbook "T" { }
step a {
  let settings = file("settings").text
  let token    = file("settings").lines[1]
  let plain    = file("plain").text
  expect settings contains "DB_PASSWORD=canary-1"
}
step cut idempotent {
  run "CUT"
}
step c {
  expect a.plain == "nothing special"
  expect a.settings contains "DB_PASSWORD=canary-1"
}
"##
        .replace("CUT", CUT),
    );
    story.write("settings", "A=1\nDB_PASSWORD=canary-1\n").write("plain", "nothing special");
    let story = cut_off_in(story, &[]);
    let told = resume(&story, &[], 1, &["✓ a.plain == ", "since it holds a secret, or reads like one", "--redo"]);
    assert!(!told.text.contains("canary-1\\n"), "{}", told.text);
    let runs = std::fs::read_dir(story.path(".runbook/runs")).expect("runs").flatten();
    let journals: String =
        runs.map(|run| std::fs::read_to_string(run.path().join("journal.jsonl")).expect("a journal")).collect();
    // The author's own words are in the runbook for everyone to read.
    assert!(!journals.replace("contains \\\"DB_PASSWORD=canary-1", "").contains("PASSWORD=canary-1"), "{journals}");
    assert!(journals.contains("withheld"));
}
