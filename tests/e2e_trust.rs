//! What belongs to another user is not trusted, and not removed: as root, and as an ordinary user.

mod support;

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

use support::process::left_by_a_probe;
use support::{Story, Told, told};

const PLAN: &str = "runbook \"T\" {\n  lock = \"trust\"\n  proof = none\n}\nstep a {\n  run \"echo did >> log\"\n}\n";

const NOBODY: u32 = 65534;

/// A user without a name.
const ANOTHER: u32 = 54321;

fn run_as(story: &Story, user: u32, args: &[&str]) -> Told {
    let mut command = story.command(args);
    command.uid(user).gid(user);
    told(command.output().expect("it runs"))
}

fn given(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).expect("this test runs as root");
}

/// A folder that users can get to.
fn story() -> Story {
    let story = Story::new(PLAN);
    std::fs::set_permissions(story.folder.path(), std::fs::Permissions::from_mode(0o777)).expect("a mode");
    story
}

#[test]
fn root_does_not_use_the_records_of_a_user_nor_a_user_those_of_another() {
    for (owner, other, names) in [
        (NOBODY, 0, ["belongs to nobody", "this runs as root"]),
        (ANOTHER, NOBODY, ["belongs to user 54321", "this runs as nobody"]),
    ] {
        let story = story();
        assert_eq!(run_as(&story, owner, &["exec", "plan.runbook"]).status, 0);
        // So that the other one could use it at all.
        for folder in [".runbook", ".runbook/runs", ".state", ".state/runbook"] {
            std::fs::set_permissions(story.path(folder), std::fs::Permissions::from_mode(0o755)).expect("a mode");
        }
        std::fs::remove_file(story.path("log")).expect("removed");
        for args in [&["runs"][..], &["report", "last"], &["resume", "last"], &["rollback", "last"]] {
            let told = run_as(&story, other, args);
            assert_eq!(told.status, 4, "{args:?}: {}", told.text);
            for words in names.into_iter().chain(["set `RUNBOOK_STATE` to"]) {
                assert!(told.text.contains(words), "{words:?} is not in {}", told.text);
            }
        }
        // Its locks come first.
        let told = run_as(&story, other, &["exec", "plan.runbook"]);
        assert!(told.status == 4 && told.text.contains("`XDG_STATE_HOME`"), "{}", told.text);
        story.write("plan.runbook", &PLAN.replace("lock = \"trust\"", ""));
        let told = run_as(&story, other, &["exec", "plan.runbook"]);
        assert!(told.status == 4 && told.text.contains(names[0]), "{}", told.text);
        assert!(!story.path("log").exists());
    }
}

#[test]
fn a_planted_directory_of_runs_and_a_planted_journal_are_not_used() {
    let story = story();
    assert_eq!(story.exec().status, 0);
    let run = std::fs::read_dir(story.path(".runbook/runs")).expect("runs").flatten().next().expect("a run").path();
    for path in [run.join("journal.jsonl"), run.clone(), story.path(".runbook/runs")] {
        given(&path, NOBODY);
        let told = story.run(&["rollback", "last"]);
        assert_eq!(told.status, 4, "{}", told.text);
        assert!(told.text.contains(&format!("`{}` belongs to nobody", path.display())), "{}", told.text);
        given(&path, 0);
    }
}

#[test]
fn what_root_has_made_is_trusted_by_all() {
    let story = story();
    assert_eq!(story.exec().status, 0);
    for path in [".runbook", ".runbook/runs"] {
        std::fs::set_permissions(story.path(path), std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    let told = run_as(&story, NOBODY, &["runs"]);
    assert_eq!(told.status, 0, "{}", told.text);
}

#[test]
fn a_report_is_not_written_through_a_link_of_another_user() {
    let story = story();
    story.write("precious.html", "precious");
    std::os::unix::fs::symlink("precious.html", story.path("r.html")).expect("a link");
    std::os::unix::fs::lchown(story.path("r.html"), Some(NOBODY), Some(NOBODY)).expect("this test runs as root");
    let told = story.run(&["exec", "plan.runbook", "--report", "r.html"]);
    assert!(told.status == 2 && told.text.contains("it is a symbolic link of nobody"), "{}", told.text);
    assert_eq!(std::fs::read_to_string(story.path("precious.html")).expect("read"), "precious");
}

#[test]
fn what_a_probe_has_made_immutable_is_removed_and_what_is_of_another_user_stays() {
    let story = story();
    let temp = tempfile::tempdir().expect("a directory");
    let left = left_by_a_probe(temp.path());
    std::fs::create_dir(left.join("dir")).expect("made");
    for name in ["dir/immutable", "dir/appended"] {
        std::fs::write(left.join(name), "").expect("written");
    }
    for (flag, name) in [("+i", "dir/immutable"), ("+a", "dir/appended"), ("+i", "dir")] {
        let done = std::process::Command::new("chattr").arg(flag).arg(left.join(name)).status().expect("chattr(1)");
        assert!(done.success(), "chattr {flag} {name}");
    }
    let run = || story.command(&["exec", "plan.runbook"]).env("TMPDIR", temp.path()).output().expect("it runs");
    assert!(run().status.success());
    assert!(!left.exists());
    let left = left_by_a_probe(temp.path());
    given(&left, NOBODY);
    assert!(run().status.success());
    assert!(left.exists());
}
