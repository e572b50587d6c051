//! What is typed at a terminal: a secret, and what a person decides about an action in doubt. By script(1), whose
//! terminal is real.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{BINARY, Story};

/// Runs a command on a terminal, and types a line when it shows `when`; what the terminal showed.
fn on_a_terminal(story: &Story, command: &str, when: &str, typed: &str) -> String {
    conversation(story, command, &[(when, typed)])
}

/// The same with several lines, each when something is shown.
fn conversation(story: &Story, command: &str, lines: &[(&str, &str)]) -> String {
    let shown = story.path("shown");
    let mut script = Command::new("script");
    script.args(["-qefc", &format!("{BINARY} {command}")]).arg(&shown).current_dir(story.folder.path());
    script.env("NO_COLOR", "1").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = script.spawn().expect("script(1) runs");
    let mut keys = child.stdin.take().expect("its keys");
    let read = || String::from_utf8_lossy(&std::fs::read(&shown).unwrap_or_default()).into_owned();
    let began = Instant::now();
    for (when, typed) in lines {
        while !read().contains(when) {
            assert!(began.elapsed() < Duration::from_secs(20), "{when:?} was not shown: {}", read());
            std::thread::sleep(Duration::from_millis(20));
        }
        keys.write_all(format!("{typed}\r").as_bytes()).expect("typed");
    }
    child.wait().expect("it ends");
    drop(keys);
    read()
}

#[test]
fn a_secret_that_is_typed_is_not_shown_and_not_recorded() {
    let story = Story::new(
        "runbook \"T\" { }\nsecret code = prompt(\"One-time code\")\nstep a {\n  run \"printf %s \\\"$CODE\\\" | wc -c > length; echo it is $CODE\" env { CODE: code }\n  expect code == \"another\" else warn \"it is another\"\n}\n",
    );
    let shown = on_a_terminal(&story, "exec -v plan.runbook", "One-time code:", "canary-typed-4be1");
    assert!(shown.contains(" GO ") && shown.contains("it is ‹secret code›"), "{shown}");
    assert_eq!(std::fs::read_to_string(story.path("length")).expect("a length").trim(), "17");
    assert!(!shown.contains("canary-typed"), "{shown}");
    let report = story.run(&["report", "-v", "--format", "json", "last"]);
    assert!(report.text.contains("‹secret code›") && !report.text.contains("canary-typed"), "{}", report.text);
}

#[test]
fn a_person_decides_about_an_action_in_doubt() {
    let plan = "runbook \"T\" { }\nstep a {\n  run \"echo once >> log; test -e cut || { touch cut; kill -9 $PPID; sleep 9; }\"\n}\n";
    for (typed, word, log) in [
        ("y", "a person decided that it was done", "once\n"),
        ("no", "a person decided that it is done again", "once\nonce\n"),
        ("q", "left as it is; nothing was done", "once\n"),
    ] {
        let story = Story::new(plan);
        story.exec();
        let shown = on_a_terminal(&story, "resume last", "Was it done?", typed);
        assert!(shown.contains(word), "{typed}: {shown}");
        assert_eq!(std::fs::read_to_string(story.path("log")).expect("a log"), log, "{typed}: {shown}");
    }
}

#[test]
fn a_person_confirms_and_types_what_is_asked_for() {
    let plan = "runbook \"T\" { }\nstep a {\n  confirm \"Change ticket\" as ticket: string matching \"CHG-[0-9]+\" by \"operations\"\n  run \"echo #{ticket} > ticket\"\n}\n";
    let story = Story::new(plan);
    let shown = conversation(
        &story,
        "exec plan.runbook",
        &[
            ("as operations, yes or no:", "yes"),
            ("your name [", "Ana"),
            ("ticket (a string matching CHG-[0-9]+):", "4711"),
            ("`4711` is not a string matching", "CHG-4711"),
        ],
    );
    assert!(shown.contains("confirmed by Ana: CHG-4711") && shown.contains(" GO "), "{shown}");
    assert_eq!(std::fs::read_to_string(story.path("ticket")).expect("a ticket"), "CHG-4711\n");
    let shown = conversation(&story, "exec plan.runbook", &[("as operations, yes or no:", "no"), ("your name [", "")]);
    assert!(shown.contains("was refused by") && shown.contains("NO-GO"), "{shown}");
}
