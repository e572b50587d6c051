//! Nothing of a run is left when it ends, however it ends: no process, no temporary file, no lock; but its verdict is. What
//! could not be removed then is removed when the next run starts.

mod support;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use support::Story;
use support::process::{commands, left_by_a_probe, signal, wait_for};

/// A step that is in some phase when the file `here` appears, and a length of sleep that no other test has.
fn phase(name: &str, length: u32) -> String {
    // A session of its own, with a child that hears nothing.
    let busy =
        format!("setsid sh -c 'trap \\\"\\\" TERM INT; sleep {length}; sleep {length}' & touch here; sleep {length}");
    let step = match name {
        "action" => format!("  run \"{busy}\"\n"),
        "probe" => format!("  run \"touch here\"\n  let x = sh(\"touch $TMPDIR/x; sleep {length}\")\n  show x.text\n"),
        "expect" => "  run \"touch here\"\n  expect file(\"never\") is present within 60s every 50ms\n".to_owned(),
        "pause" => "  run \"touch here; exit 1\"\n  on-failure {\n    retry 3 after 60s\n  }\n".to_owned(),
        // The first word lets it finish.
        "handler" => {
            "  expect 1 == 2\n  on-failure {\n    run \"touch here; sleep 0.5; echo handled >> log\"\n  }\n".to_owned()
        }
        _ => panic!("no phase {name}"),
    };
    format!(
        "runbook \"T\" {{\n  lock = \"runbook-leftovers-{}-{name}-{length}\"\n  on-stop = rollback\n}}\nstep a {{\n{step}  finally {{\n    run \"echo finally >> log\"\n  }}\n  rollback {{\n    run \"echo undone >> log\"\n  }}\n}}\n",
        std::process::id()
    )
}

struct Left {
    story: Story,
    temp: tempfile::TempDir,
}

impl Left {
    fn new(text: &str) -> Self {
        Self { story: Story::new(text), temp: tempfile::tempdir().expect("a folder") }
    }

    fn start(&self) -> Child {
        let mut command = self.story.command(&["exec", "plan.runbook"]);
        command.env("TMPDIR", self.temp.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        wait_for("it has not begun", || self.story.path("here").exists());
        child
    }

    #[track_caller]
    fn nothing(&self, child: &Child, what: &str) {
        wait_for(&format!("{what}: a process is left"), || commands(child) == 0);
        let temporary = || {
            std::fs::read_dir(self.temp.path())
                .expect("a folder")
                .flatten()
                .map(|entry| entry.path())
                .collect::<Vec<_>>()
        };
        wait_for(&format!("{what}: {:?} is left", temporary()), || temporary().is_empty());
        // The lock is free: the same runbook would run again, and only fails in what it does.
        let text = std::fs::read_to_string(self.story.path("plan.runbook")).expect("read");
        let (head, _) = text.split_once("step a").expect("a step");
        self.story.write("free.runbook", &format!("{head}step a {{\n  expect 1 == 1\n}}\n"));
        let told = self.story.run(&["exec", "-q", "free.runbook"]);
        assert_eq!(told.status, 0, "{what}: {}", told.text);
    }
}

#[test]
fn after_an_interrupt_in_each_phase() {
    std::thread::scope(|scope| {
        for (nth, name) in ["action", "probe", "expect", "pause", "handler"].into_iter().enumerate() {
            scope.spawn(move || {
                let left = Left::new(&phase(name, 8100 + nth as u32));
                let mut child = left.start();
                std::thread::sleep(Duration::from_millis(100));
                signal(&child, libc::SIGINT);
                assert_eq!(child.wait().expect("it ends").code(), Some(130), "{name}");
                let log = std::fs::read_to_string(left.story.path("log")).unwrap_or_default();
                let handled = if name == "handler" { "handled\n" } else { "" };
                assert_eq!(log, format!("{handled}finally\nundone\n"), "{name}");
                let report = left.story.run(&["report", "last"]);
                assert!(report.text.contains("NO-GO"), "{name}: {}", report.text);
                left.nothing(&child, name);
            });
        }
    });
}

#[test]
fn after_it_was_killed_in_each_phase() {
    std::thread::scope(|scope| {
        for (nth, name) in ["action", "probe", "expect", "pause"].into_iter().enumerate() {
            scope.spawn(move || {
                let left = Left::new(&phase(name, 8200 + nth as u32));
                let mut child = left.start();
                std::thread::sleep(Duration::from_millis(100));
                child.kill().expect("killed");
                child.wait().expect("it ended");
                left.nothing(&child, name);
            });
        }
    });
}

#[test]
fn a_second_interrupt_waits_for_nothing_and_the_verdict_is_written() {
    let text = "runbook \"T\" { proof = none }\nstep a {\n  run \"true\"\n  finally {\n    run \"touch here; sleep 8300\"\n    run \"touch never\"\n  }\n}\n";
    let left = Left::new(text);
    let mut child = left.start();
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(500));
        signal(&child, libc::SIGINT);
    }
    let began = Instant::now();
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(10) && !left.story.path("never").exists());
    let report = left.story.run(&["report", "last"]);
    assert!(report.text.contains("NO-GO") && report.text.contains("interrupted from the keyboard"), "{}", report.text);
    assert_eq!(left.story.run(&["report", "last", "--verify"]).status, 0);
    left.nothing(&child, "second interrupt");
}

#[test]
fn what_probes_have_left_is_removed_when_the_next_run_starts() {
    let text = "runbook \"T\" { }\nstep a {\n  expect 1 == 1\n}\n";
    for command in ["exec", "dry-run"] {
        let left = Left::new(text);
        let folder = left_by_a_probe(left.temp.path());
        let inner = folder.join("x/y");
        std::fs::create_dir_all(&inner).expect("made");
        std::fs::write(inner.join("file"), "").expect("written");
        for path in [&inner, &folder.join("x")] {
            let rights = std::os::unix::fs::PermissionsExt::from_mode(0o300);
            std::fs::set_permissions(path, rights).expect("a mode");
        }
        let run = |args: &[&str]| left.story.command(args).env("TMPDIR", left.temp.path()).output().expect("it runs");
        // What runs nothing has nothing to do with it.
        assert!(run(&["--version"]).status.success() && run(&["check", "plan.runbook"]).status.success());
        assert!(folder.exists());
        assert!(run(&[command, "plan.runbook"]).status.success());
        assert!(!folder.exists(), "{command}");
    }
}
