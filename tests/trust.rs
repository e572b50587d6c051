//! What others can write is not trusted: state directories, records, locks.

mod support;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Story, Told, told};

const PLAN: &str = "runbook \"T\" {\n  lock = \"trust\"\n  proof = none\n}\nstep a {\n  run \"echo did >> log\"\n  rollback {\n    run \"echo undone >> log\"\n  }\n}\n";

fn with_state(story: &Story, state: &Path, args: &[&str]) -> Told {
    told(story.command(args).env("RUNBOOK_STATE", state).output().expect("it runs"))
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

fn run_folder(story: &Story) -> PathBuf {
    std::fs::read_dir(story.path(".runbook/runs")).expect("runs").flatten().next().expect("a run").path()
}

/// Refused, with these words and what to do; nothing was done.
#[track_caller]
fn refused(told: &Told, story: &Story, words: &[&str]) {
    assert_eq!(told.status, 4, "{}", told.text);
    for words in words {
        assert!(told.text.contains(words), "{words:?} is not in {}", told.text);
    }
    assert!(!story.path("log").exists(), "{}", told.text);
}

#[test]
fn a_state_directory_behind_a_link() {
    let story = Story::new(PLAN);
    std::fs::create_dir(story.path("real")).expect("a directory");
    mode(&story.path("real"), 0o700);
    symlink("real", story.path("link")).expect("a link");
    let words = ["is a symbolic link to `real`", "set `RUNBOOK_STATE` to", "nothing was run"];
    for name in ["link", "link/", "link/."] {
        refused(&with_state(&story, &story.path(name), &["exec", "plan.runbook"]), &story, &words);
    }
    symlink("nowhere", story.path("dangling")).expect("a link");
    let told = with_state(&story, &story.path("dangling"), &["exec", "plan.runbook"]);
    refused(&told, &story, &["is a symbolic link to `nowhere`"]);
    // The one of the project, and the directory of runs in it.
    symlink("real", story.path(".runbook")).expect("a link");
    refused(&story.exec(), &story, &["is a symbolic link"]);
    assert_eq!(std::fs::read_dir(story.path("real")).expect("read").count(), 0, "nothing was written there");
    std::fs::remove_file(story.path(".runbook")).expect("removed");
    std::fs::create_dir(story.path(".runbook")).expect("a directory");
    mode(&story.path(".runbook"), 0o700);
    symlink("../real", story.path(".runbook/runs")).expect("a link");
    refused(&story.exec(), &story, &[".runbook/runs` is a symbolic link to `../real`"]);
    for args in [&["runs"][..], &["report", "last"], &["resume", "last"], &["rollback", "last"]] {
        refused(&story.run(args), &story, &["is a symbolic link"]);
    }
    // A link above it is the user's own business.
    std::fs::create_dir(story.path("real/above")).expect("a directory");
    let told = with_state(&story, &story.path("link/above/state"), &["exec", "plan.runbook"]);
    assert_eq!(told.status, 0, "{}", told.text);
}

#[test]
fn a_state_directory_that_others_can_write() {
    for (mode_of_it, shown) in [(0o777, "0777"), (0o1777, "1777"), (0o770, "0770"), (0o702, "0702")] {
        let story = Story::new(PLAN);
        let state = story.path("state");
        std::fs::create_dir(&state).expect("a directory");
        mode(&state, mode_of_it);
        let told = with_state(&story, &state, &["exec", "plan.runbook"]);
        let words = [format!("can be written by others (its mode is {shown}): `chmod go-w '{}'`", state.display())];
        refused(&told, &story, &[&words[0], "or set `RUNBOOK_STATE`"]);
        // What it says helps.
        assert!(Command::new("chmod").arg("go-w").arg(&state).status().expect("chmod(1)").success());
        assert_eq!(with_state(&story, &state, &["exec", "plan.runbook"]).status, 0);
    }
}

#[test]
fn a_record_that_others_can_write() {
    let story = Story::new(PLAN);
    assert_eq!(story.exec().status, 0);
    std::fs::remove_file(story.path("log")).expect("removed");
    let run = run_folder(&story);
    for (path, open, closed) in [
        (story.path(".runbook/runs"), 0o770, 0o700),
        (run.clone(), 0o707, 0o700),
        (run.join("journal.jsonl"), 0o666, 0o600),
        (run.join("seal.json"), 0o620, 0o600),
    ] {
        mode(&path, open);
        for args in
            [&["resume", "last"][..], &["rollback", "last"], &["report", "last"], &["report", "last", "--verify"]]
        {
            let words = format!("`{}` can be written by others", path.display());
            refused(&story.run(args), &story, &["is not trusted", &words]);
        }
        mode(&path, closed);
    }
    // Put elsewhere, and a link in its place.
    for name in ["journal.jsonl", "seal.json"] {
        let (path, aside) = (run.join(name), story.path(name));
        std::fs::rename(&path, &aside).expect("moved");
        symlink(&aside, &path).expect("a link");
        refused(&story.run(&["rollback", "last"]), &story, &["is a symbolic link"]);
        std::fs::rename(&aside, &path).expect("moved back");
    }
    assert!(story.run(&["rollback", "last"]).text.contains("undone"));
}

#[test]
fn a_lock_that_others_could_have_made() {
    let story = Story::new(PLAN);
    assert_eq!(story.exec().status, 0);
    std::fs::remove_file(story.path("log")).expect("removed");
    let locks = story.path(".state/runbook/locks");
    let lock = std::fs::read_dir(&locks).expect("locks").flatten().next().expect("a lock").path();
    // Its target is neither emptied nor written.
    std::fs::remove_file(&lock).expect("removed");
    story.write("precious", "precious\n");
    symlink(story.path("precious"), &lock).expect("a link");
    refused(&story.exec(), &story, &["the lock file is not trusted", "is a symbolic link to"]);
    assert_eq!(std::fs::read_to_string(story.path("precious")).expect("read"), "precious\n");
    // Nor is a pipe waited for.
    std::fs::remove_file(&lock).expect("removed");
    assert!(Command::new("mkfifo").arg(&lock).status().expect("mkfifo(1)").success());
    refused(&story.exec(), &story, &["is not a file"]);
    std::fs::remove_file(&lock).expect("removed");
    std::fs::write(&lock, "").expect("written");
    mode(&lock, 0o666);
    refused(&story.exec(), &story, &["can be written by others"]);
    std::fs::remove_file(&lock).expect("removed");
    mode(&locks, 0o777);
    refused(&story.exec(), &story, &["no lock is kept where others can change it", "`XDG_STATE_HOME`"]);
    mode(&locks, 0o700);
    std::fs::rename(&locks, story.path("elsewhere")).expect("moved");
    symlink(story.path("elsewhere"), &locks).expect("a link");
    refused(&story.exec(), &story, &["is a symbolic link"]);
    std::fs::remove_file(&locks).expect("removed");
    assert_eq!(story.exec().status, 0, "they are made anew");
}

#[test]
fn a_report_is_written_to_a_file() {
    let story = Story::new(PLAN);
    assert!(Command::new("mkfifo").arg(story.path("r.md")).status().expect("mkfifo(1)").success());
    let told = story.run(&["exec", "plan.runbook", "--report", "r.md"]);
    assert!(told.status == 2 && told.text.contains("it is not a file"), "{}", told.text);
    assert!(!story.path("log").exists());
    // One's own link is followed.
    symlink("there.html", story.path("latest.html")).expect("a link");
    let told = story.run(&["exec", "plan.runbook", "--report", "latest.html"]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(std::fs::read_to_string(story.path("there.html")).expect("a page").contains("<html"));
}
