//! Undoing: which steps, in which order, how far, and what is told of it.

mod support;

use support::{Story, Told};

fn log(story: &Story) -> String {
    std::fs::read_to_string(story.path("log")).unwrap_or_default()
}

/// Three steps that can be undone, and a fourth that fails.
fn plan(header: &str, third: &str, fourth: &str) -> String {
    let step = |name: &str, more: &str| {
        format!(
            "step {name} \"Step {name}\"{more} {{\n  let was = file(\"log\").text\n  run \"echo {name} >> log\"\n  rollback {{\n    run \"echo undo-{name} >> log\"\n    expect file(\"log\").text contains \"undo-{name}\"\n  }}\n}}\n"
        )
    };
    format!("runbook \"T\" {{\n{header}\n}}\n{}{}{third}{fourth}", step("one", ""), step("two", ""))
}

const THIRD: &str = "step three {\n  run \"echo three >> log\"\n}\n";
const FAILS: &str = "step four {\n  run \"exit 7\"\n}\nstep five {\n  run \"echo five >> log\"\n}\n";

#[track_caller]
fn exec(story: &Story, args: &[&str], status: i32, words: &[&str]) -> Told {
    let told = story.run(&[&["exec", "plan.runbook"], args].concat());
    assert_eq!(told.status, status, "{}", told.text);
    for words in words {
        assert!(told.text.contains(words), "{words:?} is not in:\n{}", told.text);
    }
    told
}

#[test]
fn a_run_that_fails_is_undone_newest_first_where_the_header_says_so() {
    let story = Story::new(&plan("  on-stop = rollback", THIRD, FAILS));
    let words = [
        "rolling back: step four failed",
        "undone, in this order: two, one",
        "stays, without a rollback: four, three",
        "step three has no rollback block; its changes were not undone",
        "undone two",
        "undone one",
    ];
    exec(&story, &[], 1, &words);
    assert_eq!(log(&story), "one\ntwo\nthree\nundo-two\nundo-one\n");

    for (header, args) in [("", &[][..]), ("  on-stop = leave", &[]), ("  on-stop = rollback", &["--no-rollback"])] {
        let story = Story::new(&plan(header, THIRD, FAILS));
        exec(&story, args, 1, &[]);
        assert_eq!(log(&story), "one\ntwo\nthree\n", "{header} {args:?}");
    }
}

#[test]
fn a_handler_can_say_so() {
    let fails = "step four {\n  run \"exit 7\"\n  on-failure {\n    rollback\n  }\n  finally {\n    run \"echo finally >> log\"\n  }\n}\n";
    let story = Story::new(&plan("", THIRD, fails));
    exec(&story, &[], 1, &["rolling back: the handler of step four says so", "ended with status 7"]);
    assert_eq!(log(&story), "one\ntwo\nthree\nfinally\nundo-two\nundo-one\n");
}

#[test]
fn one_that_fails_does_not_keep_the_others_and_one_that_has_not_begun_is_left() {
    let third = "step three {\n  expect 1 == 1\n  run \"echo three >> log\"\n  rollback within 10ms {\n    run \"sleep 0.05; exit 9\"\n  }\n}\n";
    let fourth = "step four {\n  expect 1 == 2\n  run \"echo four >> log\"\n  rollback {\n    run \"echo undo-four >> log\"\n  }\n}\n";
    let story = Story::new(&plan("  on-stop = rollback", third, fourth));
    let told = exec(
        &story,
        &[],
        1,
        &["step three could not be undone", "ended with status 9", "not undone three", "undone two"],
    );
    assert_eq!(log(&story), "one\ntwo\nthree\nundo-two\nundo-one\n", "{}", told.text);
    // It took its time, but it was undone.
    let late = third.replace("exit 9", "true");
    let story = Story::new(&plan("  on-stop = rollback", &late, fourth));
    exec(&story, &[], 1, &["step three was undone, but took", "longer than the 10ms that it may", "undone late three"]);
    // What proves an undoing has to hold.
    let unproven =
        third.replace("sleep 0.05; exit 9\"", "true\"\n    expect file(\"gone\") is present else \"it is not back\"");
    let story = Story::new(&plan("  on-stop = rollback", &unproven, fourth));
    exec(
        &story,
        &[],
        1,
        &["step three could not be undone: file(\"gone\") is present: it is not back: expected present"],
    );
}

#[test]
fn a_point_of_no_return_is_not_gone_behind() {
    let third = "step three point-of-no-return {\n  run \"echo three >> log\"\n}\nstep later {\n  run \"echo later >> log\"\n  rollback {\n    run \"echo undo-later >> log\"\n  }\n}\n";
    let story = Story::new(&plan("  on-stop = rollback", third, FAILS));
    exec(
        &story,
        &[],
        1,
        &["no way back from: three", "rollback stopped at point-of-no-return step three", "undone later"],
    );
    assert_eq!(log(&story), "one\ntwo\nthree\nlater\nundo-later\n");
    let told = story.run(&["rollback", "last"]);
    assert_eq!(told.status, 2, "{}", told.text);
    assert!(told.text.contains("no way back from step three"), "{}", told.text);
    let told = story.run(&["check", "plan.runbook"]);
    assert!(told.text.contains("RB0601") && told.text.contains("if four or five fails"), "{}", told.text);
}

#[test]
fn an_interrupt_undoes_what_was_begun() {
    use std::io::Read;
    let third = "step three {\n  run \"echo three >> log; sleep 100\"\n  rollback {\n    run \"echo undo-three >> log\"\n  }\n}\n";
    let story = Story::new(&plan("  on-stop = rollback", third, FAILS));
    for (signal, status) in [(libc::SIGINT, 130), (libc::SIGTERM, 143), (libc::SIGHUP, 143)] {
        let _ = std::fs::remove_file(story.path("log"));
        let mut child = story
            .command(&["exec", "plan.runbook"])
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("it starts");
        while !log(&story).contains("three") {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        // SAFETY: sends a signal to a child of this test.
        unsafe { libc::kill(child.id() as i32, signal) };
        let mut out = String::new();
        child.stdout.take().expect("output").read_to_string(&mut out).expect("read");
        assert_eq!(child.wait().expect("it ends").code(), Some(status), "{out}");
        assert_eq!(log(&story), "one\ntwo\nthree\nundo-three\nundo-two\nundo-one\n", "{out}");
        assert!(out.contains("NO-GO"), "{out}");
    }
}

#[test]
fn a_run_that_has_ended_or_was_cut_off_is_undone_on_request() {
    let story = Story::new(&plan("", THIRD, "step cut {\n  run \"kill -9 $PPID; sleep 9\"\n}\n"));
    assert_eq!(story.exec().status, -1);
    let told = story.run(&["rollback", "last"]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(told.text.contains("undone two") && told.text.contains("asked for it"), "{}", told.text);
    assert_eq!(log(&story), "one\ntwo\nthree\nundo-two\nundo-one\n");
    let told = story.run(&["rollback", "last"]);
    assert_eq!(told.status, 2, "{}", told.text);
    assert!(told.text.contains("left to undo"), "{}", told.text);
    assert_eq!(story.run(&["report", "last", "--verify"]).status, 0);

    // One that went well, too: with what its steps had bound.
    let text = "runbook \"T\" { proof = none }\nstep one {\n  let before = file(\"version\").text\n  run \"echo 2 > version\"\n  rollback {\n    run \"printf %s #{before} > version\"\n    expect file(\"version\").text == before\n  }\n}\n";
    let story = Story::new(text);
    story.write("version", "1\n");
    assert_eq!(story.exec().status, 0);
    std::fs::remove_file(story.path("plan.runbook")).expect("removed");
    let told = story.run(&["rollback", "last", "--format", "json"]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert_eq!(std::fs::read_to_string(story.path("version")).expect("read"), "1\n");
}

#[test]
fn an_undoing_that_was_cut_off_is_gone_on_with() {
    let third = "step three {\n  run \"echo three >> log\"\n  rollback {\n    run \"echo undo-three >> log\"\n    run \"test -e cut || { touch cut; kill -9 $PPID; sleep 9; }\"\n    run \"echo undone-three >> log\"\n  }\n}\n";
    let story = Story::new(&plan("  on-stop = rollback", third, FAILS));
    assert_eq!(story.exec().status, -1);
    let told = story.run(&["resume", "last"]);
    assert_eq!(told.status, 4, "{}", told.text);
    let told = story.run(&["resume", "last", "--assume-done", "three"]);
    assert_eq!(told.status, 1, "{}", told.text);
    assert_eq!(log(&story), "one\ntwo\nthree\nundo-three\nundone-three\nundo-two\nundo-one\n", "{}", told.text);
    assert!(told.text.contains("undone three") && told.text.contains("rolled back: step four failed"), "{}", told.text);
}

#[test]
fn a_dry_run_shows_how_it_would_be_undone() {
    let story = Story::new(&plan("  on-stop = rollback", THIRD, FAILS));
    let told = story.dry_run();
    assert!(
        told.text.contains("if the run is rolled back") && told.text.contains("would run $ echo undo-one >> log"),
        "{}",
        told.text
    );
    assert!(!story.path("log").exists() && !story.path(".runbook").exists());
}
