//! What the natives tell of the real world, what the standard library's checks make of it, and that looking leaves no trace.

mod support;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use support::{Server, Story, Told, answer};

fn look(story: &Story, expects: &str) -> Told {
    story.write("plan.runbook", &format!("runbook \"Look\" {{ proof = none }}\n\nstep look {{\n{expects}\n}}\n"));
    story.dry_run()
}

fn counts(told: &Told, counts: &str) {
    assert!(told.text.contains(counts), "not {counts}:\n{}", told.text);
}

#[test]
fn files_are_told_as_they_are() {
    let story = Story::new("");
    story.write("a.txt", "one\ntwo\n").write("state.json", "{\"a\": [1, {\"b\": null}]}").write("empty", "");
    std::fs::write(story.path("binary"), [0xff, 0xfe, 0]).expect("written");
    std::fs::create_dir(story.path("folder")).expect("a folder");
    std::fs::set_permissions(story.path("a.txt"), PermissionsExt::from_mode(0o640)).expect("a mode");
    symlink("a.txt", story.path("link")).expect("a link");
    symlink("nowhere", story.path("dangling")).expect("a link");
    std::os::unix::net::UnixListener::bind(story.path("socket")).expect("a socket");
    let told = look(
        &story,
        r#"
  expect file("a.txt") {
    .kind == "file"
    .size == 8B
    .mode == "0640"
    .lines == ["one", "two"]
    .sha256 == "c3f9c8c283a2b1f2f1896f27a01cbe3cddc0c9d93f752e4639035a0f5b36f6e8"
    .owner is not empty
    .modified > 2020-01-01
    .path == "a.txt"
  }
  expect file("link").text == "one\ntwo\n"
  expect file("dangling") is absent
  expect file("missing") is absent
  expect file("missing/deeper") is absent
  expect file("a.txt/deeper") is absent
  expect file("folder").kind == "folder"
  expect file("socket").kind == "socket"
  expect file("empty").text == "" and file("empty").size == 0B
  expect file("state.json").json.a[1].b in [null]
  expect file("a.txt").json is absent
  expect file("/dev/null").kind == "device"
  expect file.glob("*.json") == file.glob("sta*")
  expect length(file.glob("**/*.nothing")) == 0
"#,
    );
    counts(&told, "21 hold now, 0 differ now, 0 unknown");
    let told = look(
        &story,
        "  expect file(\"binary\").text == \"\"\n  expect file(\"folder\").text == \"\"\n  expect file(\"socket\").text == \"\"\n  expect file(\"/dev/zero\").text == \"\"",
    );
    counts(&told, "0 hold now, 0 differ now, 4 unknown");
}

#[test]
fn a_large_file_and_a_pipe_without_a_writer_hold_nothing_up() {
    let story = Story::new("");
    std::fs::write(story.path("large"), vec![b'x'; 9 << 20]).expect("written");
    let fifo = std::ffi::CString::new(story.path("fifo").to_str().expect("a path")).expect("a path");
    // SAFETY: a path that ends with a NUL byte.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
    let told = look(
        &story,
        "  expect file(\"large\").size == 9MiB\n  expect file(\"fifo\").kind == \"fifo\"\n  expect file(\"large\").text == \"\"\n  expect file(\"fifo\").text == \"\"",
    );
    counts(&told, "2 hold now, 0 differ now, 2 unknown");
    assert!(told.text.contains("8 MiB"), "{}", told.text);
}

#[test]
fn the_environment_the_clock_and_the_network_are_told() {
    let server = Server::answering(200, "");
    let port = server.base.rsplit(':').next().expect("a port");
    let story = Story::new(&format!(
        r#"runbook "Look" {{ }}

step look {{
  expect env("RUNBOOK_TEST") == "yes"
  expect env("RUNBOOK_TEST_MISSING") is absent
  expect time.now() > 2025-01-01 and time.now() < 2100-01-01
  expect net.port("127.0.0.1", {port}).open
  expect net.port("127.0.0.1", 1) {{
    not .open
    .reason == "refused"
  }}
  expect "127.0.0.1" in net.resolve("localhost")
  expect net.port("127.0.0.1", 70000).open
  expect net.port("no-such-host.invalid", 80).open
}}
"#
    ));
    let told = support::told(
        story.command(&["dry-run", "plan.runbook"]).env("RUNBOOK_TEST", "yes").output().expect("it runs"),
    );
    counts(&told, "7 hold now, 0 differ now, 2 unknown");
    assert!(told.text.contains("from 1 to 65535"), "{}", told.text);
}

/// A check of the standard library, once where it holds and once where it does not.
fn holds_and_differs(story: &Story, holds: &str, differs: &str) {
    let told = look(story, &format!("  expect {holds}"));
    assert!(told.text.contains(" 0 differ now, 0 unknown"), "{holds}:\n{}", told.text);
    let told = look(story, &format!("  expect {differs}"));
    assert!(!told.text.contains(" 0 differ now"), "{differs}:\n{}", told.text);
}

#[test]
fn each_check_of_the_standard_library_holds_and_differs() {
    let good = Server::answering(200, "ok");
    let bad = Server::answering(503, "no");
    let slow = Server::new(|_, _, stream| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        answer(stream, 200, "ok");
    });
    let port = good.base.rsplit(':').next().expect("a port");
    let story = Story::new("");
    story.write("full", "x").write("empty", "");
    std::fs::create_dir(story.path("secrets")).expect("a folder");
    for (name, text, mode) in [("good", "x", 0o600), ("open", "x", 0o644), ("hollow", "", 0o600)] {
        story.write(&format!("secrets/{name}"), text);
        let path = story.path(&format!("secrets/{name}"));
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode");
    }
    let mut proven = vec!["http.ok", "net.listening", "file.present", "secrets.present"];
    holds_and_differs(&story, &format!("http.ok(\"{}\")", good.base), &format!("http.ok(\"{}\")", bad.base));
    let ok = |under| format!("http.ok(\"{}\", under: {under})", slow.base);
    holds_and_differs(&story, &ok("5s"), &ok("100ms"));
    holds_and_differs(&story, &format!("net.listening(\"127.0.0.1\", {port})"), "net.listening(\"127.0.0.1\", 1)");
    holds_and_differs(&story, "file.present(\"full\")", "file.present(\"empty\")");
    holds_and_differs(&story, "file.present(\"full\")", "file.present(\"missing\")");
    for differs in ["open", "hollow", "missing"] {
        let present = |name: &str| format!("secrets.present(\"secrets\", [\"{name}\"])");
        holds_and_differs(&story, &present("good"), &present(differs));
    }
    // `tests/tls.rs` proves it against real certificates.
    proven.push("net.certificate_lasts");
    // And `tests/e2e_docker.rs` these, against a real engine.
    proven.extend(["docker.healthy", "docker.stable", "docker.quiet", "docker.within_limits"]);
    proven.extend(["docker.no_plaintext_secrets", "docker.secret_mounted", "compose.as_declared"]);
    let mut all: Vec<String> = Vec::new();
    for (module, text) in runbook::check::library::FILES {
        for line in text.lines().filter_map(|line| line.strip_prefix("check ")) {
            all.push(format!("{module}.{}", line.split('(').next().expect("a name")));
        }
    }
    all.sort();
    proven.sort_unstable();
    assert_eq!(all, proven, "each check of the standard library has a test");
}

/// Copies the folder of runbooks into a project of its own.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// The processes that run in a folder.
fn processes_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let cwd = std::fs::read_link(entry.path().join("cwd"));
        if cwd.is_ok_and(|cwd| cwd.starts_with(folder)) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn a_dry_run_of_every_runbook_leaves_the_world_as_it_was() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let story = Story::new("");
    copy(&root, &story.path("runbooks"));
    let server = Server::answering(200, "{\"status\": \"UP\"}");
    let mut found = 0;
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for path in std::fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path.clone());
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let named = path.extension().is_some_and(|ending| ending == "runbook");
            if !named || !text.lines().any(|line| line.starts_with("runbook ")) {
                continue;
            }
            found += 1;
            let name = Path::new("runbooks").join(path.strip_prefix(&root).expect("below"));
            let mut args = vec!["dry-run".to_owned(), name.to_string_lossy().into_owned()];
            if text.contains("param base: url") {
                args.extend(["--set".to_owned(), format!("base={}", server.base)]);
            }
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let before = story.world();
            let told =
                support::told(story.command(&args).env("ADMIN_PASSWORD", "a long word").output().expect("it runs"));
            assert_eq!(told.status, 0, "{}: {}", name.display(), told.text);
            assert_eq!(story.world(), before, "{} changed files", name.display());
            assert_eq!(processes_in(story.folder.path()), Vec::<String>::new(), "{} left a process", name.display());
        }
    }
    assert!(found >= 2, "only {found} runbooks were found");
    for request in server.requests.lock().expect("requests").iter() {
        assert!(request.starts_with("GET ") || request.starts_with("HEAD "), "{request}");
    }
}

/// A program in place of Compose notes its words.
#[test]
fn the_name_of_a_service_is_no_option_of_compose() {
    let story = Story::new(
        "runbook \"Compose\" { proof = none }\nparam services: list(string)\nstep up {\n  run compose.up(file: \"c.yml\", services: services)\n}\n",
    );
    story.write("c.yml", "services: { }\n");
    let stub = "#!/bin/sh\ncase \"$*\" in *version*) echo 2.30.0;; *) printf '%s\\n' \"$*\" >> asked;; esac\n";
    story.write("docker", stub);
    std::fs::set_permissions(story.path("docker"), PermissionsExt::from_mode(0o755)).expect("a mode");
    let path = format!("{}:/usr/bin:/bin", story.folder.path().display());
    for (services, status) in [("--remove-orphans", 1), ("-d", 1), ("", 1), ("api", 0)] {
        let set = format!("services=[\"{services}\"]");
        let mut command = story.command(&["exec", "plan.runbook", "--set", &set]);
        let told = support::told(command.env("PATH", &path).output().expect("it runs"));
        assert_eq!(told.status, status, "{services}: {}", told.text);
        if status == 1 {
            assert!(told.text.contains("no name of a service"), "{services}: {}", told.text);
        }
    }
    let asked = std::fs::read_to_string(story.path("asked")).expect("asked");
    assert_eq!(asked.lines().count(), 1, "{asked}");
    assert!(asked.trim_end().ends_with("up --detach api") || asked.contains(" api"), "{asked}");
}
