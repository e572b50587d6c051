//! A disk that is full, as far as files may grow (setrlimit(2)): what ends the run is done all the same, and recorded.

mod support;

use runbook::engine::events::event::Body;
use runbook::record::{Folder, Record, Store};
use support::process::limit_files;
use support::{Story, Told, told};

/// Does something `times` times; `finally` cleans up `cleans` times.
fn plan(times: usize, cleans: usize) -> String {
    let mut text = "runbook \"Full\" {\n  on-stop = rollback\n  proof = none\n}\nstep a {\n".to_owned();
    (0..times).for_each(|nth| text.push_str(&format!("  run \"echo {nth} >> log\"\n")));
    text.push_str("  finally {\n");
    (0..cleans).for_each(|nth| text.push_str(&format!("    run \"echo cleaned {nth} >> log; seq 5\"\n")));
    text.push_str("  }\n  rollback {\n    run \"echo undone >> log\"\n    expect 1 == 1\n  }\n}\nstep b {\n  run \"echo never >> log\"\n}\n");
    text
}

fn limited(story: &Story, args: &[&str], bytes: u64) -> Told {
    let mut command = story.command(args);
    limit_files(&mut command, bytes);
    told(command.output().expect("it runs"))
}

fn record(story: &Story) -> Record {
    let store = Folder::at(story.path(".runbook"));
    store.read(&store.find("last").expect("a run")).expect("a record")
}

fn count(record: &Record, counts: impl Fn(&Body) -> bool) -> usize {
    record.events.iter().filter(|event| counts(&event.get().body)).count()
}

fn lines(story: &Story) -> Vec<String> {
    let log = std::fs::read_to_string(story.path("log")).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

#[test]
fn finally_and_the_rollback_are_done_and_recorded() {
    let story = Story::new(&plan(300, 3));
    let told = limited(&story, &["exec", "plan.runbook"], 96 * 1024);
    assert_eq!(told.status, 4, "{}", told.text);
    let log = lines(&story);
    let done = log.iter().take_while(|line| line.parse::<usize>().is_ok()).count();
    assert!((10..299).contains(&done), "{done}");
    assert_eq!(log[done..], ["cleaned 0", "cleaned 1", "cleaned 2", "undone"], "{}", told.text);
    let record = record(&story);
    assert!(record.broken.is_none() && record.torn.is_none());
    // What was done was announced, and what was not is told.
    assert_eq!(count(&record, |body| matches!(body, Body::ActionStarted { .. })), done + 5);
    let refused = |body: &Body| {
        matches!(body, Body::ActionEnded { error: Some(why), .. }
            if why == "was not started, since it could not be recorded: file too large")
    };
    assert_eq!(count(&record, refused), 1);
    let Some(Body::Verdict { undone, .. }) = record.events.last().map(|event| &event.get().body) else {
        panic!("no verdict")
    };
    assert!(undone.len() == 1 && undone[0].ok, "{undone:?}");
    // What passes has no room; that is told, and the room was not used up.
    assert_eq!(count(&record, |body| matches!(body, Body::Output { .. })), 0);
    assert!(told.text.contains("lines that commands printed and attempts of expects are not in it"), "{}", told.text);
    assert_eq!(story.run(&["report", "last", "--verify"]).status, 0);
    let resumed = story.run(&["resume", "last"]);
    assert!(resumed.status == 2 && resumed.text.contains("has ended: ROLLED BACK"), "{}", resumed.text);
}

#[test]
fn an_ordinary_run_does_not_use_that_room_up() {
    // The room is a quarter of what there is; a run that needs less than the rest ends well.
    let story = Story::new(&plan(20, 3));
    let told = limited(&story, &["exec", "plan.runbook"], 96 * 1024);
    assert_eq!(told.status, 0, "{}", told.text);
    let journal = std::fs::read_dir(story.path(".runbook/runs")).expect("runs").flatten().next().expect("a run");
    let meta = std::fs::metadata(journal.path().join("journal.jsonl")).expect("a journal");
    // And gives back what it did not use.
    use std::os::unix::fs::MetadataExt;
    assert!(meta.blocks() * 512 < meta.len() + 16 * 1024, "{} bytes in {} blocks", meta.len(), meta.blocks());
}

#[test]
fn when_it_is_used_up_nothing_more_is_started_and_a_resume_does_the_rest() {
    let story = Story::new(&plan(300, 400));
    let told = limited(&story, &["exec", "plan.runbook"], 40 * 1024);
    assert_eq!(told.status, 4, "{}", told.text);
    let cleaned = |log: &[String]| log.iter().filter(|line| line.starts_with("cleaned")).count();
    let log = lines(&story);
    assert!((5..399).contains(&cleaned(&log)) && !log.contains(&"undone".to_owned()), "{log:?}");
    let record = record(&story);
    assert!(record.broken.is_none() && record.torn.is_none(), "{:?} {:?}", record.broken, record.torn);
    // Each that was done was announced.
    let started = count(&record, |body| matches!(body, Body::ActionStarted { .. }));
    assert!(started >= log.len() && started <= log.len() + 2, "{started} announced, {} done", log.len());
    assert!(
        told.text.contains("there was no room for the end of the record") && told.text.contains("`runbook resume "),
        "{}",
        told.text
    );
    // With room again, the rest is done: nothing twice, nothing left out.
    let mut resumed = story.run(&["resume", "last"]);
    if resumed.status == 4 {
        assert!(resumed.text.contains("in doubt"), "{}", resumed.text);
        let last = lines(&story).last().cloned().unwrap_or_default();
        let done = resumed.text.contains(&format!("echo {last} >> log"));
        resumed = story.run(&["resume", "last", if done { "--assume-done" } else { "--redo" }, "a"]);
    }
    assert_eq!(resumed.status, 1, "{}", resumed.text);
    let log = lines(&story);
    let all: Vec<String> = (0..400).map(|nth| format!("cleaned {nth}")).collect();
    let behind: Vec<String> = log.iter().filter(|line| line.starts_with("cleaned")).cloned().collect();
    assert_eq!(behind, all, "{}", resumed.text);
    assert_eq!(log.last().map(String::as_str), Some("undone"), "{}", resumed.text);
    assert_eq!(log.iter().filter(|line| *line == "undone").count(), 1);
}

#[test]
fn without_any_room_nothing_is_run() {
    let story = Story::new(&plan(1, 1));
    let told = limited(&story, &["exec", "plan.runbook"], 8 * 1024);
    assert_eq!(told.status, 4, "{}", told.text);
    assert!(told.text.contains("file too large; nothing was run"), "{}", told.text);
    assert!(lines(&story).is_empty());
    assert_eq!(std::fs::read_dir(story.path(".runbook/runs")).expect("runs").count(), 0, "it leaves nothing behind");
}
