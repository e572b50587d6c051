//! Secrets: known before the first step, kept from commands, from other hosts, and from a dump of the memory.

mod support;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use support::{Server, Story, Told, answer, told};

const SECRET: &str = "hunter22-very-secret";

fn exec(story: &Story, args: &[&str]) -> Told {
    let mut command = story.command(&["exec", "plan.runbook"]);
    told(command.args(args).env("MY_TOKEN", SECRET).output().expect("it runs"))
}

/// What is on disk: the journal and whatever reports were written.
fn kept(story: &Story) -> String {
    story.world().join("\n")
}

#[test]
fn a_variable_is_a_secret_before_its_first_use_and_no_command_inherits_it() {
    let story = Story::new(
        r#"
runbook "Before first use" { }
use "mine.runbook" as mine
secret key = env("MY_TOKEN")
step diag {
  run "env | grep MY_ || echo none; env | grep OTHER_TOKEN || echo none" accept-pipe-failures
  expect sh("echo \"[${MY_TOKEN-}]\"").text == "[]"
  show env("MY_TOKEN")
  run "echo \"it is $MY_TOKEN\"" env { MY_TOKEN: key }
}
"#,
    );
    story.write("mine.runbook", "secret other = env(\"OTHER_TOKEN\")\n");
    let mut command = story.command(&["exec", "plan.runbook", "-v", "--report", "b.html", "--report", "b.json"]);
    let told = told(command.env("MY_TOKEN", SECRET).env("OTHER_TOKEN", "of-the-module-1").output().expect("it runs"));
    assert_eq!(told.status, 0, "{}", told.text);
    assert_eq!(told.text.matches("│ none").count(), 2, "{}", told.text);
    assert!(told.text.contains("│ ‹secret key›") && told.text.contains("it is ‹secret key›"), "{}", told.text);
    for text in [&told.text, &kept(&story)] {
        assert!(!text.contains(SECRET) && !text.contains("of-the-module-1"), "{text}");
    }
}

#[test]
fn a_file_is_read_once_and_again_where_an_action_may_have_written_it() {
    let story = Story::new(
        r#"
runbook "Rotated" { }
secret key = file("key")
step show {
  expect key == "old-key-11"
  expect file("key").text contains "old-key-11"
  show file("key").text
}
step rotate {
  run "echo new-key-22 > key"
  run "cat key"
  expect key == "new-key-22"
}
step after {
  run "cat key; echo old-key-11"
}
"#,
    );
    story.write("key", "old-key-11\n");
    let told = story.run(&["exec", "plan.runbook", "--format", "json"]);
    assert_eq!(told.status, 0, "{}", told.text);
    let probes = told.stdout.lines().filter(|line| line.contains("\"probed\"") && line.contains("key\\\"")).count();
    assert!(probes <= 4, "asked {probes} times:\n{}", told.stdout);
    let lines = |of: &str| told.stdout.lines().filter(|line| line.contains(of)).count();
    assert!(lines("‹secret key›") > 0);
    // What an action has just made is learned when it is read: it can be no sooner.
    let after = told.stdout.split("\"after\"").last().unwrap_or_default();
    assert!(!after.contains("old-key-11") && !after.contains("new-key-22"), "{}", told.stdout);
}

#[test]
fn a_secret_of_a_step_is_known_from_the_start() {
    let story = Story::new(
        r#"
runbook "Of a step" { proof = none }
step diag {
  run "cat token.txt"
}
step use {
  secret token = file("token.txt")
  run "echo \"$T\"" env { T: token }
}
"#,
    );
    story.write("token.txt", SECRET);
    let told = exec(&story, &[]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(!told.text.contains(SECRET), "{}", told.text);
}

/// Two origins: the first redirects to the second as the path says, `/301/...`, with its own query where that asks for it.
fn origins() -> (Server, Server, Arc<Mutex<Vec<String>>>) {
    let noted: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = noted.clone();
    let other = Server::new(move |head, body, stream| {
        notes.lock().expect("notes").push(format!("{head}\r\n\r\n{body}"));
        answer(stream, 200, "other");
    });
    let there = other.base.clone();
    let first = Server::new(move |head, _, stream| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let status = path.split('/').nth(1).and_then(|status| status.get(..3)).unwrap_or_default();
        let to = match path.split('/').nth(2).unwrap_or_default().split('?').next().unwrap_or_default() {
            "echo" => format!("{there}/x?{}", path.split('?').nth(1).unwrap_or_default()),
            "user" => format!("{}/x", there.replace("http://", "http://app:pw@")),
            "file" => "file:///etc/passwd".to_owned(),
            _ => format!("{there}/x"),
        };
        let _ =
            write!(stream, "HTTP/1.1 {status} -\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
    (first, other, noted)
}

fn redirected(body: &str) -> (Told, String) {
    let (first, _other, noted) = origins();
    let story = Story::new(&format!(
        "runbook \"Redirects\" {{ }}\nlet base = \"{}\"\nsecret key = env(\"MY_TOKEN\")\nstep look {{\n  expect key is present\n{body}\n}}\n",
        first.base
    ));
    let told = exec(&story, &[]);
    let noted = noted.lock().expect("notes").join("\n---\n");
    (told, noted)
}

#[test]
fn another_origin_is_sent_nothing_of_the_authors() {
    for status in [301, 302, 303, 307, 308] {
        let (told, noted) = redirected(&format!(
            r##"  expect http.get("#{{base}}/{status}/plain?q=#{{key}}", headers: {{ "X-Key": key, "X-Plain": "mine" }}, user: "me", password: key).text == "other""##
        ));
        assert_eq!(told.status, 0, "{}", told.text);
        assert!(noted.starts_with("GET /x HTTP/1.1"), "{noted}");
        let lower = noted.to_lowercase();
        for word in [SECRET, "x-key", "x-plain", "referer", "authorization"] {
            assert!(!lower.contains(word), "{word} in {noted}");
        }
    }
    // A server's own idea of credentials is not taken either.
    let (told, noted) = redirected("  expect http.get(\"#{base}/302/user\").text == \"other\"");
    assert!(told.status == 0 && !noted.to_lowercase().contains("authorization"), "{}\n{noted}", told.text);
}

#[test]
fn a_url_with_a_secret_in_it_is_not_asked_of_another_origin() {
    let (told, noted) = redirected("  expect http.get(\"#{base}/302/echo?q=#{key}\").status == 200");
    assert_eq!(told.status, 1);
    assert!(told.text.contains("with a secret in the URL, which is not followed"), "{}", told.text);
    assert_eq!(noted, "");
}

#[test]
fn what_changes_something_is_not_sent_on_to_another_origin() {
    for (call, status, followed) in [
        ("post(\"#{base}/307/plain\", body: \"b\", redirects: 3)", 1, false),
        ("post(\"#{base}/308/plain\", json: { a: 1 }, redirects: 3)", 1, false),
        ("put(\"#{base}/302/plain\", body: \"b\", redirects: 3)", 1, false),
        ("delete(\"#{base}/301/plain\", redirects: 3)", 1, false),
        // It is a GET from then on.
        ("post(\"#{base}/303/plain\", body: \"b\", redirects: 3)", 0, true),
        ("post(\"#{base}/302/plain\", body: \"b\", redirects: 3)", 0, true),
    ] {
        let (told, noted) = redirected(&format!("  run http.{call}"));
        assert_eq!(told.status, status, "{call}: {}", told.text);
        assert_eq!(noted.starts_with("GET /x "), followed, "{call}: {noted}");
        assert!(!noted.contains("\r\n\r\nb"), "{call}: {noted}");
        assert_eq!(told.text.contains("is not sent on to one"), !followed, "{call}: {}", told.text);
    }
    let (told, _) = redirected("  expect http.get(\"#{base}/302/file\").status == 200");
    assert!(told.text.contains("the scheme `file`, which is not followed"), "{}", told.text);
}

#[test]
fn within_an_origin_everything_goes_along() {
    let noted: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = noted.clone();
    let server = Server::new(move |head, body, stream| {
        notes.lock().expect("notes").push(format!("{head}\r\n\r\n{body}"));
        if head.contains("/first") {
            let _ =
                write!(stream, "HTTP/1.1 307 -\r\nlocation: /second\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        } else {
            answer(stream, 200, "ok");
        }
    });
    let base = server.base.replace("http://", "http://user:pass-word@");
    let story = Story::new(&format!(
        "runbook \"One origin\" {{ proof = none }}\nsecret key = env(\"MY_TOKEN\")\nstep a {{\n  run http.post(\"{base}/first\", headers: {{ \"X-Key\": key }}, body: \"the body\", redirects: 2)\n}}\n"
    ));
    assert_eq!(exec(&story, &[]).status, 0);
    let noted = noted.lock().expect("notes");
    let second = noted.iter().find(|request| request.starts_with("POST /second")).expect("followed");
    for word in [&format!("x-key: {SECRET}"), "authorization: Basic", "the body"] {
        assert!(second.contains(word), "{word} in {second}");
    }
}

#[test]
fn a_mistake_in_what_sets_params_is_told_without_the_value() {
    let story = Story::new(
        "runbook \"P\" { proof = none }\nparam base: url\nparam n: number = 1\nstep a {\n  run \"true\"\n}\n",
    );
    story.write("broken.toml", "n = 1\nbase = hunter22-very-secret\n");
    story.write("wrong.toml", "base = \"http://127.0.0.1\"\nn = \"hunter22-very-secret\"\n");
    for (args, words) in [
        (&["--params", "broken.toml"][..], "line 2, column 8"),
        (&["--params", "wrong.toml"], "`n` to is no number"),
        (&["--set", "base=hunter22-very-secret"], "`--set base=…` gives is no url"),
        (&["--set", "hunter22-very-secret"], "has no `=`"),
    ] {
        let told = story.run(&[&["exec", "plan.runbook"], args].concat());
        assert_eq!(told.status, 2);
        assert!(told.text.contains(words), "{words} in {}", told.text);
        assert!(!told.text.contains(SECRET), "{}", told.text);
    }
}

#[test]
fn no_core_is_dumped_of_it_and_its_commands_keep_their_limits() {
    let story = Story::new(
        "runbook \"Core\" { proof = none }\nsecret key = env(\"MY_TOKEN\")\nstep a {\n  run \"ulimit -c > limit; echo ready; sleep 20\" env { K: key }\n}\n",
    );
    let mut shell = story.command(&["exec", "plan.runbook"]);
    // SAFETY: setrlimit(2) alone between fork and exec.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut shell, || {
            let most = libc::rlimit { rlim_cur: 64 << 20, rlim_max: 64 << 20 };
            libc::setrlimit(libc::RLIMIT_CORE, &most);
            Ok(())
        });
    }
    let mut child = shell.env("MY_TOKEN", SECRET).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let began = std::time::Instant::now();
    while std::fs::read_to_string(story.path("limit")).unwrap_or_default().is_empty() {
        assert!(began.elapsed().as_secs() < 30, "it never began");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // As the kernel would for a crash of its own: a signal that nothing handles, and whose default is a core.
    // SAFETY: a signal to a child that is ours and not yet waited for.
    unsafe { libc::kill(child.id().cast_signed(), libc::SIGABRT) };
    let ended = child.wait().expect("it ends");
    assert_eq!(ended.signal(), Some(libc::SIGABRT));
    assert!(!ended.core_dumped());
    assert_ne!(std::fs::read_to_string(story.path("limit")).expect("read").trim(), "0");
}
