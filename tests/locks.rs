//! Locks: no two runs with one name at once on a host, whoever starts them and from wherever.

mod support;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use support::Story;

fn plan(lock: &str) -> String {
    format!(
        "runbook \"Locked\" {{\n  proof = none\n  lock = \"{lock}\"\n}}\nstep a {{\n  run \"echo begun >> log; test -e go || sleep 100\"\n}}\n"
    )
}

fn unique(name: &str) -> String {
    format!("runbook-test-{name}-{}", std::process::id())
}

fn start(story: &Story, state: &std::path::Path, args: &[&str]) -> Child {
    let mut command = story.command(&[&["exec", "plan.runbook"], args].concat());
    command.env("XDG_STATE_HOME", state).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn begun(story: &Story, times: usize) {
    let began = Instant::now();
    while std::fs::read_to_string(story.path("log")).unwrap_or_default().lines().count() < times {
        assert!(began.elapsed() < Duration::from_secs(20), "it has not begun");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn ten_runs_at_once_and_one_runs() {
    let state = tempfile::tempdir().expect("a folder");
    let text = plan(&unique("ten"));
    // Each in a clone of its own.
    let stories: Vec<Story> = (0..10).map(|_| Story::new(&text)).collect();
    let mut children: Vec<Child> = stories.iter().map(|story| start(story, state.path(), &[])).collect();
    let began = Instant::now();
    let mut ended = Vec::new();
    while ended.len() < 9 {
        assert!(began.elapsed() < Duration::from_secs(20), "{} have ended", ended.len());
        for at in (0..children.len()).rev() {
            if children[at].try_wait().expect("asked").is_some() {
                ended.push(support::told(children.remove(at).wait_with_output().expect("it ended")));
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let [holder] = &mut children[..] else { panic!("one runs") };
    let words = [
        unique("ten"),
        format!("process {}", holder.id()),
        "since 20".to_owned(),
        "\"Locked\" (plan.runbook)".to_owned(),
        "on this host".to_owned(),
        "nothing was run".to_owned(),
        "--wait".to_owned(),
    ];
    for told in &ended {
        assert_eq!(told.status, 4, "{}", told.text);
        for words in &words {
            assert!(told.text.contains(words), "{words:?} is not in {}", told.text);
        }
    }
    // Who was refused has left no record.
    let recorded = stories.iter().filter(|story| story.path(".runbook").exists()).count();
    assert_eq!(recorded, 1);
    // The next one gets it when its holder is killed, and not before the holder's commands are ended.
    let next = Story::new(&text);
    let (held, waits) = (holder.id(), Instant::now());
    let mut waiting = start(&next, state.path(), &["--wait", "30s"]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(waiting.try_wait().expect("asked").is_none(), "it waits");
    holder.kill().expect("killed");
    holder.wait().expect("ended");
    begun(&next, 1);
    assert!(waits.elapsed() < Duration::from_secs(15));
    let commands = std::fs::read_dir("/proc").expect("processes").flatten().filter(|entry| {
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&read("environ")).contains(&format!("={held}."))
            && String::from_utf8_lossy(&read("cmdline")).contains("sleep")
    });
    assert_eq!(commands.count(), 0, "the commands of the holder that was killed are ended");
    // SAFETY: sends a signal to a child of this test.
    unsafe { libc::kill(waiting.id() as i32, libc::SIGTERM) };
    waiting.wait().expect("ended");
    // And at once when all is over.
    let last = Story::new(&text);
    last.write("go", "");
    let told = support::told(start(&last, state.path(), &[]).wait_with_output().expect("it ended"));
    assert_eq!(told.status, 0, "{}", told.text);
}

#[test]
fn who_waits_too_long_is_told_so_and_other_names_do_not_wait() {
    let state = tempfile::tempdir().expect("a folder");
    let story = Story::new(&plan(&unique("wait")));
    let mut holder = start(&story, state.path(), &[]);
    begun(&story, 1);
    let told = support::told(start(&story, state.path(), &["--wait", "200ms"]).wait_with_output().expect("it ended"));
    assert_eq!(told.status, 4, "{}", told.text);
    assert!(told.text.contains("waited for, for 200ms"), "{}", told.text);
    let other = Story::new(&plan(&unique("other")));
    other.write("go", "");
    let told = support::told(start(&other, state.path(), &[]).wait_with_output().expect("it ended"));
    assert_eq!(told.status, 0, "{}", told.text);
    let told = support::told(start(&story, state.path(), &["--wait", "soon"]).wait_with_output().expect("it ended"));
    assert_eq!(told.status, 2, "{}", told.text);
    // SAFETY: sends a signal to a child of this test.
    unsafe { libc::kill(holder.id() as i32, libc::SIGTERM) };
    holder.wait().expect("ended");
}
