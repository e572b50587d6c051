//! Each way in which a run can end, in each phase of it: its exit code, what still ran, what its journal says, and that no
//! process of it is left.

mod support;

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use runbook::engine::events::event::{Body, Verdict};
use runbook::record::{Folder, Store};
use support::process::{commands, limit_files, on_a_terminal, side_of, signal, wait_for};
use support::{Server, Story, answer};

/// Where the run is when it is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The top level is worked out; no step has begun.
    Preparation,
    Polling,
    Action,
    Handler,
    Finally,
    Rollback,
    /// A person is asked on the terminal.
    Confirm,
}

const PHASES: [Phase; 7] = [
    Phase::Preparation,
    Phase::Polling,
    Phase::Action,
    Phase::Handler,
    Phase::Finally,
    Phase::Rollback,
    Phase::Confirm,
];

/// Signals, each this many milliseconds behind the one before it.
type Sent = &'static [(i32, u64)];

/// What ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Signals(Sent),
    /// Signals; the last one comes while `finally`, the handler or the rollback is under way, which it ends.
    AtOnce(Sent),
    /// A key on the terminal.
    Typed(u8),
    Stop,
    TimeLimit,
    ReaderGone,
    DiskFull,
    Killed,
}

const WAYS: &[(Way, i32, &str)] = &[
    (Way::Signals(&[(libc::SIGINT, 0)]), 130, "interrupted from the keyboard"),
    (Way::Signals(&[(libc::SIGTERM, 0)]), 143, "ended by SIGTERM"),
    (Way::Signals(&[(libc::SIGQUIT, 0)]), 143, "ended by SIGQUIT"),
    (Way::Signals(&[(libc::SIGHUP, 0)]), 143, "went away"),
    // Pairs that mean one.
    (Way::Signals(&[(libc::SIGTERM, 0), (libc::SIGHUP, 1)]), 143, "ended by SIGTERM"),
    (Way::Signals(&[(libc::SIGHUP, 0), (libc::SIGTERM, 1)]), 143, ""),
    (Way::Signals(&[(libc::SIGINT, 0), (libc::SIGTERM, 100)]), 130, "interrupted from the keyboard"),
    (Way::Signals(&[(libc::SIGTERM, 0), (libc::SIGQUIT, 1), (libc::SIGHUP, 1)]), 143, ""),
    // Someone insists.
    (Way::AtOnce(&[(libc::SIGINT, 0), (libc::SIGINT, 500)]), 130, "interrupted from the keyboard"),
    (Way::AtOnce(&[(libc::SIGTERM, 0), (libc::SIGHUP, 1), (libc::SIGTERM, 2_100)]), 143, ""),
    (Way::Typed(3), 130, "interrupted from the keyboard"),
    (Way::Typed(28), 143, "ended by SIGQUIT"),
    (Way::Stop, 1, "stopped: Enough"),
    (Way::TimeLimit, 1, "the run's time limit of 5s has passed"),
    (Way::ReaderGone, 143, "went away"),
    (Way::DiskFull, 4, "the run's record can't be written: file too large"),
    (Way::Killed, -1, ""),
];

impl Way {
    /// Whether there is such a thing in a phase.
    fn applies(self, phase: Phase) -> bool {
        match self {
            Way::Typed(_) => phase == Phase::Confirm,
            // What nobody is told can't be missed, and what is not recorded needs no room.
            Way::ReaderGone => !matches!(phase, Phase::Preparation | Phase::Confirm),
            Way::DiskFull => !matches!(phase, Phase::Preparation | Phase::Polling | Phase::Confirm),
            // A rollback is ended by neither.
            Way::Stop | Way::TimeLimit => phase != Phase::Rollback,
            // There is nothing that a second signal could end.
            Way::AtOnce(_) => phase != Phase::Preparation,
            _ => true,
        }
    }

    /// Whether what the first signal lets finish does not.
    fn cuts(self) -> bool {
        matches!(self, Way::AtOnce(_) | Way::Killed)
    }
}

/// A runbook that comes to the phase, makes the file `here`, and stays for a while.
fn plan(way: Way, phase: Phase) -> String {
    // Nothing that hears the signals of a terminal; it prints, so that a reader who has gone is noticed.
    let stays = match way {
        Way::DiskFull => "seq 100000 140000",
        Way::TimeLimit => "sleep 7",
        _ => "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo here; sleep 0.1; done",
    };
    let endless = "touch here2; while :; do echo here; sleep 0.1; done";
    let finishes = |wanted: Phase, word: &str| match (phase == wanted, way) {
        (true, Way::AtOnce(_) | Way::Killed) => format!("touch here; {endless}; echo {word} >> log"),
        (true, _) => format!("touch here; {stays}; echo {word} >> log"),
        // Where the first signal ends the body, the second one comes in `finally`.
        (false, Way::AtOnce(_)) if wanted == Phase::Finally && phase != Phase::Rollback => {
            format!("{endless}; echo {word} >> log")
        }
        (false, _) => format!("echo {word} >> log"),
    };
    let body = match (phase, way) {
        (Phase::Preparation | Phase::Finally, _) => "",
        (Phase::Polling, _) => {
            "  run \"touch here\" changes []\n  expect file(\"never\") is present within 60s every 50ms\n"
        }
        (Phase::Action, Way::DiskFull) => "  run \"touch here; seq 100000 140000\"\n  run \"echo never >> log\"\n",
        (Phase::Action, _) => "  run \"touch here; while :; do echo here; sleep 0.1; done; echo never >> log\"\n",
        (Phase::Handler | Phase::Rollback, _) => "  expect 1 == 2\n",
        (Phase::Confirm, _) => "  run \"touch here\" changes []\n  confirm \"It is so\" by \"ops\"\n",
    };
    let handler = match phase {
        Phase::Handler => format!("  on-failure {{\n    run \"{}\"\n  }}\n", finishes(Phase::Handler, "handled")),
        _ => String::new(),
    };
    let limit = if way == Way::TimeLimit { "5s" } else { "5m" };
    let stop = match way {
        Way::Stop => "stop \"Enough\" {\n  when file(\"stop\") is present every 50ms\n}\n",
        _ => "",
    };
    let slow = if phase == Phase::Preparation { "let slow = http.get(\"#{base}/slow\").status\n" } else { "" };
    format!(
        "runbook \"Endings\" {{\n  on-stop = rollback\n  timeout = {limit}\n}}\nparam base: url\n{slow}{stop}\
         step a {{\n  run \"echo did >> log\"\n{body}{handler}  finally {{\n    run \"{}\"\n  }}\n  \
         rollback {{\n    run \"{}\"\n  }}\n}}\n\
         step b {{\n  run \"echo never >> log\"\n}}\n",
        finishes(Phase::Finally, "finally"),
        finishes(Phase::Rollback, "undone"),
    )
}

/// What is in the log when the run is over.
fn expected(way: Way, phase: Phase) -> &'static str {
    match (phase, way.cuts()) {
        (Phase::Preparation, _) => "",
        (Phase::Handler, false) => "did\nhandled\nfinally\nundone\n",
        (_, false) => "did\nfinally\nundone\n",
        // The body failed by itself, and `finally` was done before the rollback began.
        (Phase::Rollback, true) => "did\nfinally\n",
        (_, true) => "did\n",
    }
}

fn ended_soon(child: &mut Child) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        if child.try_wait().expect("asked").is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

struct Run {
    story: Story,
    child: Child,
    out: Option<ChildStdout>,
    keys: Option<OwnedFd>,
    _server: Server,
}

impl Run {
    fn start(way: Way, phase: Phase) -> Self {
        let story = Story::new(&plan(way, phase));
        let here = story.path("here");
        let server = Server::new(move |_, _, stream| {
            std::fs::write(&here, "").expect("noted");
            std::thread::sleep(Duration::from_secs(20));
            answer(stream, 200, "");
        });
        let base = format!("base={}", server.base);
        let mut command = story.command(&["exec", "--format", "json", "plan.runbook", "--set", &base]);
        command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
        let keys = (phase == Phase::Confirm).then(|| on_a_terminal(&mut command));
        if way == Way::DiskFull {
            limit_files(&mut command, 128 * 1024);
        }
        let mut child = command.spawn().expect("it starts");
        let out = child.stdout.take();
        Self { story, child, out, keys, _server: server }
    }

    fn is_there(&self, file: &str) -> bool {
        self.story.path(file).exists()
    }

    fn end(&mut self, way: Way) {
        let pid = self.child.id();
        let send = |signals: &[(i32, u64)]| {
            for (number, after) in signals {
                std::thread::sleep(Duration::from_millis(*after));
                // SAFETY: sends a signal to a child that was not waited for.
                unsafe { libc::kill(pid as i32, *number) };
            }
        };
        match way {
            Way::Signals(signals) => send(signals),
            Way::AtOnce(signals) => {
                let (last, before) = signals.split_last().expect("signals");
                send(before);
                wait_for("what is ended at once has begun", || self.story.path("here2").exists());
                // On a machine so busy that both are heard as one, once more.
                for _ in 0..5 {
                    send(&[*last]);
                    if ended_soon(&mut self.child) {
                        break;
                    }
                }
            }
            Way::Typed(key) => {
                rustix::io::write(self.keys.as_ref().expect("a terminal"), &[key]).expect("typed");
            }
            Way::Stop => drop(self.story.write("stop", "")),
            Way::ReaderGone => drop(self.out.take()),
            Way::Killed => signal(&self.child, libc::SIGKILL),
            Way::TimeLimit | Way::DiskFull => {}
        }
    }
}

/// Where a row fails, nothing of it is left either.
impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// Ends a run in a phase, and looks at what came of it.
fn row(way: Way, phase: Phase, code: i32, reason: &str) {
    let what = format!("{way:?} in {phase:?}");
    let mut run = Run::start(way, phase);
    // Someone reads what it prints, unless they are to go away.
    let mut reading = None;
    if way != Way::ReaderGone {
        let mut out = run.out.take().expect("its output");
        reading = Some(std::thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).map(|_| text)
        }));
    }
    wait_for(&format!("{what}: it has not begun"), || run.is_there("here"));
    // It is on its way to the phase, or has just come to it.
    std::thread::sleep(Duration::from_millis(150));
    run.end(way);
    let status = run.child.wait().expect("it ends");
    assert!(!status.core_dumped(), "{what}");
    match way {
        Way::Killed => assert_eq!(status.signal(), Some(libc::SIGKILL), "{what}"),
        _ => assert_eq!(status.code(), Some(code), "{what}"),
    }
    wait_for(&format!("{what}: a process is left"), || commands(&run.child) == 0);
    if let Some(reading) = reading {
        reading.join().expect("read").expect("read");
    }
    let log = std::fs::read_to_string(run.story.path("log")).unwrap_or_default();
    assert_eq!(log, expected(way, phase), "{what}");

    let store = Folder::at(run.story.path(".runbook"));
    wait_for(&format!("{what}: its journal is held"), || {
        !store.read(&store.find("last").expect("a run")).expect("a record").running
    });
    let record = store.read(&store.find("last").expect("a run")).expect("a record");
    assert_eq!((record.broken, record.torn), (None, None), "{what}");
    let bodies: Vec<&Body> = record.events.iter().map(|event| &event.get().body).collect();
    let cancelled = bodies.iter().filter(|body| matches!(body, Body::Cancelled { .. })).count();
    let said = bodies.iter().any(|body| match body {
        Body::Verdict { reasons, .. } => reasons.iter().any(|why| why.contains(reason)),
        _ => false,
    });
    let own = bodies.iter().find_map(|body| match body {
        Body::Verdict { verdict, .. } => Some(*verdict),
        _ => None,
    });
    match (way, bodies.last().expect("events")) {
        (Way::Killed, Body::Verdict { .. }) => panic!("{what}: it has a verdict"),
        (Way::Killed, _) => {}
        (_, Body::Verdict { rolls_back, .. }) => {
            assert!(!rolls_back, "{what}: its rollback has no verdict");
            assert_eq!(own, Some(Verdict::NoGo), "{what}");
            assert!(said, "{what}: no verdict says {reason}");
            let expected = match way {
                Way::Stop => 0,
                Way::AtOnce(_) => 2,
                _ => 1,
            };
            assert_eq!(cancelled, expected, "{what}: how often the journal tells that it was to end");
        }
        (_, other) => panic!("{what}: the last event is {other:?}"),
    }
    // What started has ended, as far as the journal knows; and nothing that was not announced has run.
    let started = bodies.iter().filter(|body| matches!(body, Body::ActionStarted { .. })).count();
    let ended = bodies.iter().filter(|body| matches!(body, Body::ActionEnded { .. })).count();
    match way {
        Way::Killed => assert!(started - ended <= 1, "{what}: {started} started, {ended} ended"),
        _ => assert!(ended >= started, "{what}: {started} started, {ended} ended"),
    }
}

#[test]
fn each_way_in_each_phase() {
    let rows: Vec<(Way, Phase, i32, &str)> = WAYS
        .iter()
        .flat_map(|(way, code, reason)| PHASES.into_iter().map(move |phase| (*way, phase, *code, *reason)))
        .filter(|(way, phase, ..)| way.applies(*phase))
        .map(|row| match row {
            // A stop condition that is not quiet by then keeps the run from its first action.
            (way @ Way::Stop, phase @ Phase::Preparation, ..) => (way, phase, 4, "the preflight failed: Enough"),
            row => row,
        })
        .collect();
    let next = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((way, phase, code, reason)) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    row(*way, *phase, *code, reason);
                }
            });
        }
    });
    assert_eq!(failed.into_inner(), 0, "of {} rows", rows.len());
    assert!(rows.len() > 90, "{} rows", rows.len());
}

#[test]
fn without_a_signal() {
    for (words, code, log) in [("1 == 1", 0, "did\nfinally\n"), ("1 == 2", 1, "did\nfinally\nundone\n")] {
        let story = Story::new(&format!(
            "runbook \"T\" {{\n  on-stop = rollback\n}}\nstep a {{\n  run \"echo did >> log\"\n  expect {words}\n  finally {{\n    run \"echo finally >> log\"\n  }}\n  rollback {{\n    run \"echo undone >> log\"\n  }}\n}}\n"
        ));
        let told = story.exec();
        assert_eq!(told.status, code, "{}", told.text);
        assert_eq!(std::fs::read_to_string(story.path("log")).expect("a log"), log);
    }
}

/// nohup(1), and a shell's `&` in a script: what was to be ignored stays so, and a signal that is not ignored still ends it.
#[test]
fn signals_that_are_ignored_from_the_start_stay_so() {
    for ignored in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
        let plan = "runbook \"T\" { proof = none }\nstep a {\n  run \"touch here; while ! test -e go; do sleep 0.05; done; touch on\"\n  run \"touch here2; sleep 60\"\n  finally {\n    run \"touch cleaned\"\n  }\n}\n";
        let story = Story::new(plan);
        let mut command = story.command(&["exec", "plan.runbook"]);
        // SAFETY: signal(2) alone between fork and exec.
        unsafe {
            std::os::unix::process::CommandExt::pre_exec(&mut command, move || {
                libc::signal(ignored, libc::SIG_IGN);
                Ok(())
            });
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        wait_for("it has begun", || story.path("here").exists());
        signal(&child, ignored);
        std::thread::sleep(Duration::from_millis(200));
        story.write("go", "");
        wait_for("it goes on", || story.path("on").exists() && story.path("here2").exists());
        signal(&child, libc::SIGTERM);
        assert_eq!(child.wait().expect("it ends").code(), Some(143), "{ignored}");
        assert!(story.path("cleaned").exists(), "{ignored}");
    }
}

/// The commands of a run hear none of it: what ends them is the run.
#[test]
fn a_signal_before_the_run_has_begun_leaves_nothing() {
    let plan = "runbook \"T\" {\n  lock = \"LOCK\"\n  proof = none\n}\nstep a {\n  run \"touch here; while ! test -e go; do sleep 0.05; done\"\n}\n"
        .replace("LOCK", &format!("runbook-endings-{}", std::process::id()));
    let story = Story::new(&plan);
    let mut holder = story
        .command(&["exec", "plan.runbook"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    wait_for("it has begun", || story.path("here").exists());
    // It waits for the lock: nothing is begun, and so nothing has to be ended in order.
    for number in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let mut command = story.command(&["exec", "plan.runbook", "--wait", "60s"]);
        let mut waiting = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(300));
        signal(&waiting, number);
        assert_eq!(waiting.wait().expect("it ends").signal(), Some(number));
    }
    story.write("go", "");
    assert_eq!(holder.wait().expect("it ends").code(), Some(0));
    assert_eq!(std::fs::read_dir(story.path(".runbook/runs")).expect("runs").count(), 1);
}

/// A terminal that is closed: SIGHUP, and errors on what is written to it. Under nohup(1) neither ends the run.
#[test]
fn a_terminal_that_is_closed() {
    std::thread::scope(|scope| {
        for (ignored, code, log) in [(false, 143, "finally\n"), (true, 0, "did\nfinally\n")] {
            scope.spawn(move || {
                let plan = "runbook \"T\" { proof = none }\nstep a {\n  run \"touch here; for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.1; done; echo did >> log\"\n  finally {\n    run \"echo finally >> log\"\n  }\n}\n";
                let story = Story::new(plan);
                let mut command = story.command(&["exec", "plan.runbook"]);
                let keys = on_a_terminal(&mut command);
                command.stdout(side_of(&keys)).stderr(side_of(&keys));
                // SAFETY: signal(2) alone between fork and exec.
                unsafe {
                    std::os::unix::process::CommandExt::pre_exec(&mut command, move || {
                        libc::signal(libc::SIGHUP, if ignored { libc::SIG_IGN } else { libc::SIG_DFL });
                        Ok(())
                    });
                }
                let mut child = command.spawn().expect("it starts");
                wait_for("it has not begun", || story.path("here").exists());
                drop(keys);
                assert_eq!(child.wait().expect("it ends").code(), Some(code), "ignored: {ignored}");
                assert_eq!(std::fs::read_to_string(story.path("log")).expect("a log"), log, "ignored: {ignored}");
                wait_for("a process is left", || commands(&child) == 0);
            });
        }
    });
}

/// All that is left is to hand out what a slow reader has not taken: the verdict stands, and nobody has to wait.
#[test]
fn behind_the_verdict_a_signal_ends_the_waiting_for_readers() {
    let ways: [Sent; 4] = [
        &[(libc::SIGTERM, 0)],
        &[(libc::SIGTERM, 0), (libc::SIGHUP, 1)],
        &[(libc::SIGINT, 0), (libc::SIGINT, 500)],
        &[(libc::SIGQUIT, 0)],
    ];
    std::thread::scope(|scope| {
        for signals in ways {
            scope.spawn(move || {
                let text =
                    "runbook \"T\" { proof = none }\nstep a {\n  run \"seq 100000 130000\"\n  run \"touch done\"\n}\n";
                let story = Story::new(text);
                let mut command = story.command(&["exec", "--format", "json", "plan.runbook", "--report", "r.md"]);
                let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
                let mut out = child.stdout.take().expect("its output");
                // A reader who would take minutes, and never stands still.
                std::thread::spawn(move || {
                    let mut some = [0; 1024];
                    while out.read(&mut some).is_ok_and(|count| count > 0) {
                        std::thread::sleep(Duration::from_millis(100));
                    }
                });
                let store = Folder::at(story.path(".runbook"));
                wait_for("it has not ended", || {
                    let ended = |run: String| store.read(&run).is_ok_and(|record| !record.running);
                    story.path("done").exists() && store.find("last").is_ok_and(ended)
                });
                std::thread::sleep(Duration::from_millis(300));
                assert!(child.try_wait().expect("asked").is_none(), "it waits for its reader");
                let began = Instant::now();
                for (signal, after) in signals {
                    std::thread::sleep(Duration::from_millis(*after));
                    support::process::signal(&child, *signal);
                }
                assert_eq!(child.wait().expect("it ends").code(), Some(0), "{signals:?}");
                assert!(began.elapsed() < Duration::from_secs(20), "{signals:?}");
                let record = store.read(&store.find("last").expect("a run")).expect("a record");
                let last = record.events.last().map(|event| &event.get().body);
                assert!(matches!(last, Some(Body::Verdict { verdict: Verdict::Go, .. })), "{signals:?}");
                // Files were written meanwhile.
                assert!(std::fs::read_to_string(story.path("r.md")).expect("a report").contains("GO"), "{signals:?}");
                wait_for("a process is left", || commands(&child) == 0);
            });
        }
    });
}

/// `runbook rollback` is the end of a run: the first signal lets it finish the step at hand and those before it.
#[test]
fn a_rollback_on_request() {
    let plan = |stays: &str| {
        let step = |name: &str| {
            format!(
                "step {name} {{\n  run \"true\"\n  rollback {{\n    run \"touch here; {stays}; echo {name} >> log\"\n  }}\n}}\n"
            )
        };
        format!("runbook \"T\" {{ proof = none }}\n{}{}", step("a"), step("b"))
    };
    let ways: [(Sent, &str, i32, &str); 4] = [
        (&[(libc::SIGTERM, 0), (libc::SIGHUP, 1)], "sleep 1", 143, "b\na\n"),
        (&[(libc::SIGHUP, 0)], "sleep 1", 143, "b\na\n"),
        (&[(libc::SIGQUIT, 0), (libc::SIGTERM, 100)], "sleep 1", 143, "b\na\n"),
        (&[(libc::SIGINT, 0), (libc::SIGINT, 1_000)], "sleep 60", 130, ""),
    ];
    std::thread::scope(|scope| {
        for (signals, stays, code, log) in ways {
            let text = plan(stays);
            scope.spawn(move || {
                let story = Story::new(&text);
                assert_eq!(story.exec().status, 0);
                let mut command = story.command(&["rollback", "last"]);
                let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
                wait_for("it has not begun", || story.path("here").exists());
                for (signal, after) in signals {
                    std::thread::sleep(Duration::from_millis(*after));
                    support::process::signal(&child, *signal);
                }
                assert_eq!(child.wait().expect("it ends").code(), Some(code), "{signals:?}");
                assert_eq!(std::fs::read_to_string(story.path("log")).unwrap_or_default(), log, "{signals:?}");
                wait_for("a process is left", || commands(&child) == 0);
                assert_eq!(story.run(&["report", "last", "--verify"]).status, 0, "{signals:?}");
            });
        }
    });
}
