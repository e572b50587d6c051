//! Whole runs: a runbook in; what is told, what was done, and the exit code out.

mod support;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use support::{Server, Story, answer, told};

const CANARY: &str = "c4nary\"S3cret/value+x";

#[test]
fn the_demo_recovers_and_goes() {
    let story = Story::new("");
    let told = story.run(&["demo"]);
    assert_eq!(told.status, 0, "{}", told.text);
    for words in [" GO ", "recovered step deploy", "‹secret token›", "crashed", "retry 1 of 1"] {
        assert!(told.text.contains(words), "{words} is missing in:\n{}", told.text);
    }
    assert!(!told.text.contains("demo-token"), "{}", told.text);
}

#[test]
fn the_quickstart_is_reported_as_it_was_shown() {
    let story = Story::new(include_str!("../runbooks/quickstart.runbook"));
    std::fs::create_dir(story.path("secrets")).expect("a folder");
    story.write("secrets/token.txt", "demo-token-5f2c9a71\n");
    std::fs::set_permissions(story.path("secrets/token.txt"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("a mode");
    let mut serving =
        story.command(&["demo", "--serve"]).stdout(std::process::Stdio::piped()).spawn().expect("it serves");
    let mut line = String::new();
    let out = serving.stdout.take().expect("its output");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("its address");
    let base = line.split_whitespace().nth(1).expect("an address");
    let told = story.run(&["exec", "plan.runbook", "--set", &format!("base={base}")]);
    serving.kill().expect("killed");
    serving.wait().expect("ended");
    assert_eq!(told.status, 0, "{}", told.text);
    told.is_reported_by(story.command(&["report", "last"]));
}

#[test]
fn the_demo_shows_the_dry_run_before_and_after() {
    let told = Story::new("").run(&["demo", "--dry-run"]);
    let (before, after) = told.text.split_once("carried out").expect("both");
    assert!(before.contains("differs now"), "{before}");
    let after = after.split_once("the dry run after it").expect("after").1;
    assert!(after.contains("0 differ now"), "{after}");
}

#[test]
fn a_failed_step_ends_the_run() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"exit 3\"\n}\nstep b {\n  run \"touch never\"\n}\n",
    );
    let told = story.exec();
    assert_eq!(told.status, 1);
    assert!(told.text.contains("ended with status 3") && told.text.contains("NO-GO"), "{}", told.text);
    assert!(!story.path("never").exists());
}

#[test]
fn attempt_handler_finally_and_again() {
    let story = Story::new(
        r##"runbook "T" { proof = none }
step a {
  run "echo attempt >> log; test -e fixed"
  on-failure {
    run "echo handler >> log"
    run "touch fixed"
    retry 2 after 10ms
  }
  finally {
    run "echo finally >> log"
  }
}
"##,
    );
    let told = story.exec();
    assert_eq!(told.status, 0, "{}", told.text);
    let log = std::fs::read_to_string(story.path("log")).expect("a log");
    assert_eq!(log, "attempt\nhandler\nfinally\nattempt\nfinally\n");
    assert!(told.text.contains("recovered"), "{}", told.text);
}

#[test]
fn falling_off_a_handler_mends_a_group_and_never_an_action() {
    let group = Story::new(
        "runbook \"T\" { }\nstep a {\n  expect file(\"x\") is present\n  run \"touch behind\"\n  on-failure {\n    run \"touch x\"\n  }\n}\n",
    );
    assert_eq!(group.exec().status, 0);
    assert!(group.path("behind").exists());
    let action = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"test -e x\"\n  run \"touch behind\"\n  on-failure {\n    run \"touch x\"\n  }\n}\n",
    );
    assert_eq!(action.exec().status, 1);
    assert!(!action.path("behind").exists());
}

#[test]
fn a_step_that_is_not_needed_does_nothing() {
    let story = Story::new(
        "runbook \"T\" { }\nstep a if needed {\n  run \"echo done >> log; touch x\"\n  expect file(\"x\") is present\n}\n",
    );
    assert_eq!(story.exec().status, 0);
    assert_eq!(story.exec().status, 0);
    assert_eq!(std::fs::read_to_string(story.path("log")).expect("a log"), "done\n");
}

#[test]
fn an_unknown_condition_fails_its_step_and_is_shown_both_ways_in_a_dry_run() {
    let story = Story::new(
        r##"runbook "T" { proof = none }
step a {
  let r = run "echo yes"
  if r.text == "yes" {
    run "touch one"
  } else {
    run "touch other"
  }
}
"##,
    );
    let plan = story.dry_run();
    assert!(plan.text.contains("if `r.text == \"yes\"`") && plan.text.contains("if not"), "{}", plan.text);
    assert!(plan.text.contains("2 of them only possibly"), "{}", plan.text);
    assert!(!story.path("one").exists());
    assert_eq!(story.exec().status, 0);
    assert!(story.path("one").exists() && !story.path("other").exists());
}

#[test]
fn a_dry_run_changes_nothing_and_only_reads() {
    let server = Server::answering(200, "{\"status\": \"ok\"}");
    let story = Story::new(&format!(
        r##"runbook "T" {{ proof = none }}
param base: url = "{}"
step a {{
  run "touch x; rm keep"
  run http.post("#{{base}}/change", json: {{ a: 1 }})
  run http.delete("#{{base}}/change")
  expect http.get("#{{base}}/health").json["status"] == "ok"
  expect sh("touch y; cat keep").text == "kept"
  expect http.post_query("#{{base}}/search", json: {{ q: "x" }}).status == 200
  on-failure {{
    run "touch z"
  }}
  finally {{
    run "touch f"
  }}
}}
"##,
        server.base
    ));
    story.write("keep", "kept");
    let before = story.world();
    let told = story.dry_run();
    assert_eq!(told.status, 0, "{}", told.text);
    assert_eq!(story.world(), before);
    assert_eq!(*server.requests.lock().expect("notes"), ["GET /health HTTP/1.1"]);
    assert!(told.text.contains("--trust-probes"), "{}", told.text);
    assert_eq!(story.run(&["dry-run", "--detailed-exitcode", "plan.runbook"]).status, 3);
}

#[test]
fn an_expect_is_asked_until_it_holds() {
    let story = Story::new(
        "runbook \"T\" { }\nstep a {\n  run \"(sleep 0.4; touch x) >/dev/null 2>&1 &\"\n  expect file(\"x\") is present within 5s every 50ms\n}\n",
    );
    let told = story.exec();
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(told.text.contains("asked"), "{}", told.text);
}

#[test]
fn what_warns_does_not_block() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  expect file(\"x\") is present else warn \"it would be nicer with x\"\n}\n",
    );
    let told = story.exec();
    assert_eq!(told.status, 0);
    assert!(told.text.contains("warning") && told.text.contains("it would be nicer with x"), "{}", told.text);
}

#[test]
fn a_stop_condition_ends_the_action_in_flight() {
    let story = Story::new(
        r##"runbook "T" { proof = none }
stop "The marker is there" {
  when file("marker") is present every 50ms
}
step a {
  run "touch marker; sleep 30; touch never"
  finally {
    run "touch finally"
  }
}
"##,
    );
    let began = Instant::now();
    let told = story.exec();
    assert_eq!(told.status, 1, "{}", told.text);
    assert!(told.text.contains("The marker is there"), "{}", told.text);
    assert!(story.path("finally").exists() && !story.path("never").exists());
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_whole_tree_ends_with_its_time_limit() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"sleep 4711 & setsid sleep 4711 & (setsid sh -c 'trap \\\"\\\" TERM; sleep 4711; sleep 4711' &); wait\" timeout 500ms\n}\n",
    );
    let told = story.exec();
    assert_eq!(told.status, 1);
    assert!(told.text.contains("did not end within 500ms"), "{}", told.text);
    assert_eq!(sleeping("4711"), 0);
}

#[test]
fn the_whole_tree_ends_with_the_program() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"sleep 4712 & setsid sleep 4712 & touch started; wait\"\n}\n",
    );
    let mut child = story
        .command(&["exec", "plan.runbook"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it runs");
    wait_for(|| story.path("started").exists() && sleeping("4712") == 2);
    child.kill().expect("SIGKILL");
    child.wait().expect("gone");
    wait_for(|| sleeping("4712") == 0);
}

#[test]
fn a_command_may_print_anything_at_any_length() {
    let story = Story::new(
        "runbook \"T\" { }\nstep a {\n  let r = run \"head -c 3000000 /dev/zero | tr '\\\\0' x; echo; head -c 300000 /dev/urandom; echo; seq 100000; echo end\" accept-pipe-failures\n  expect r.truncated and r.text matches 'end$'\n}\n",
    );
    for format in ["text", "json", "markdown"] {
        let told = story.run(&["exec", "--format", format, "plan.runbook"]);
        assert_eq!(told.status, 0, "{}", told.text.chars().rev().take(1000).collect::<String>());
        assert!(!told.text.contains("mistake in runbook itself"));
    }
}

#[test]
fn an_interrupt_does_not_wait_for_what_is_looked_at() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"touch begun\"\n  let r = sh(\"sleep 20\")\n  run \"touch never\"\n  show r.text\n  finally {\n    run \"touch cleaned\"\n  }\n}\n",
    );
    let began = Instant::now();
    let mut child = story.command(&["exec", "-q", "plan.runbook"]).spawn().expect("it starts");
    wait_for(|| story.path("begun").exists());
    // SAFETY: sends a signal to a child of this test.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(15), "it waited for the probe");
    assert!(story.path("cleaned").exists() && !story.path("never").exists());
}

#[test]
fn what_a_command_leaves_running_on_purpose_stays() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"setsid sleep 9713 >/dev/null 2>&1 &\"\n  run \"touch begun; sleep 9714\"\n}\n",
    );
    let mut child = story.command(&["exec", "plan.runbook"]).spawn().expect("it starts");
    wait_for(|| story.path("begun").exists() && sleeping("9714") > 0);
    child.kill().expect("killed");
    child.wait().expect("gone");
    wait_for(|| sleeping("9714") == 0);
    let left = sleepers("9713");
    assert_eq!(left.len(), 1, "it was left on purpose");
    // SAFETY: sends a signal to a process that this test started.
    unsafe { libc::kill(left[0], libc::SIGKILL) };
}

#[test]
fn an_interrupt_lets_finally_finish() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"touch started; sleep 30\"\n  finally {\n    run \"touch finally\"\n  }\n}\nstep b {\n  run \"touch never\"\n}\n",
    );
    let child = story
        .command(&["exec", "plan.runbook"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("it runs");
    wait_for(|| story.path("started").exists());
    // SAFETY: signals the child that was just started.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let told = told(child.wait_with_output().expect("ended"));
    assert_eq!(told.status, 130, "{}", told.text);
    assert!(story.path("finally").exists() && !story.path("never").exists());
    assert!(told.text.contains("interrupted from the keyboard"), "{}", told.text);
}

#[test]
fn a_secret_is_in_no_byte_that_leaves() {
    let server = Server::new(|head, body, stream| {
        answer(
            stream,
            401,
            &format!(
                "{{\"token\": {}, \"echo\": {}}}",
                serde_json::json!(CANARY),
                serde_json::json!(format!("{head} {body}"))
            ),
        )
    });
    let story = Story::new(&format!(
        r##"runbook "T" {{ proof = none }}
param base: url = "{}"
secret token = file("token.txt")
step a {{
  run "printf '%s\n' \"$T\"; printf '%s' \"$T\" | base64; cat; printf '%s' \"$T\" >&2" env {{ T: token }} stdin token accept-pipe-failures
  let r = run http.post("#{{base}}/login", bearer: token, json: {{ password: token, list: [token] }}, accept: [401])
  expect r.json["echo"] == "something else"
  secret captured = r.json["token"]
  expect r.text == "#{{captured}} x"
  on-failure {{
    for f in failures {{
      show f.found, f.expected
    }}
    run "echo handled: $X; exit 7" env {{ X: "a #{{token}} b" }}
  }}
}}
step b {{
  expect http.get("#{{base}}/?t=#{{token}}", user: "me", password: token).text == "x"
  expect token == "nothing"
  expect sh("printf '%s' \"$T\"", env: {{ T: token }}).text == "x"
}}
"##,
        server.base
    ));
    story.write("token.txt", &format!("{CANARY}\n"));
    for args in [
        &["exec", "plan.runbook"][..],
        &["exec", "--only", "b", "plan.runbook"],
        &["-v", "exec", "--format", "json", "plan.runbook"],
        &["exec", "--format", "markdown", "--only", "b", "plan.runbook"],
        &["-v", "dry-run", "plan.runbook"],
        &["dry-run", "--format", "json", "plan.runbook"],
        &["dry-run", "--format", "markdown", "plan.runbook"],
    ] {
        let told = told(story.command(args).env("RUST_LOG", "trace").output().expect("it runs"));
        let json = serde_json::to_string(CANARY).expect("json");
        let base64 = "YzRuYXJ5IlMzY3JldC92YWx1ZSt4";
        for form in [CANARY, json.trim_matches('"'), &base64[..24], "c4nary%22S3cret"] {
            assert!(!told.text.contains(form), "{form} in what {args:?} printed:\n{}", told.text);
        }
        assert!(told.text.contains("‹secret token›") || args.contains(&"exec"), "{args:?}\n{}", told.text);
    }
}

#[test]
fn what_a_command_prints_can_not_steer_the_terminal() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"printf '\\\\033[2J\\\\007\\\\r\\\\001 and \\\\342\\\\200\\\\256gpj\\\\n'\"\n}\n",
    );
    let told = told(story.command(&["--color", "never", "exec", "plan.runbook"]).output().expect("it runs"));
    assert!(
        !told.text.contains('\u{1b}') && !told.text.contains('\u{202e}') && !told.text.contains('\u{7}'),
        "{:?}",
        told.text
    );
}

#[test]
fn failures_of_http_are_told_apart() {
    let reset = Server::new(|_, _, stream| {
        let socket = rustix::net::SocketFlags::empty();
        let _ = socket;
        let _ = rustix::net::sockopt::set_socket_linger(&*stream, Some(Duration::ZERO));
    });
    let garbage = Server::new(|_, _, stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n\r\n");
    });
    let slow = Server::new(|_, _, stream| {
        for _ in 0..40 {
            if stream.write_all(b"HTTP/1.1 200 OK\r\n"[..1].as_ref()).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let endless = Server::new(|_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..64 {
            if stream.write_all(&chunk).is_err() {
                return;
            }
        }
    });
    let binary = Server::new(|_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n\xff\xfe\x00");
    });
    let loops = Server::new(|_, _, stream| {
        let _ = stream
            .write_all(b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
    let free = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}", listener.local_addr().expect("an address"))
    };
    for (base, words) in [
        (&free, "was refused"),
        (&reset.base, "reset the connection"),
        (&garbage.base, "not HTTP"),
        (&slow.base, "no answer from 127.0.0.1"),
        (&endless.base, "8 MiB"),
        (&binary.base, "not UTF-8"),
        (&loops.base, "redirects more often"),
        (&"http://no-such-name.invalid".to_owned(), "does not resolve"),
    ] {
        let story = Story::new(&format!(
            "runbook \"T\" {{ }}\nstep a {{\n  expect http.get(\"{base}\", timeout: 1s).text == \"x\"\n}}\n"
        ));
        let told = story.exec();
        assert_eq!(told.status, 1);
        assert!(told.text.contains(words), "{words} is missing in:\n{}", told.text);
    }
}

#[test]
fn the_last_line_of_a_run_in_json_is_its_verdict() {
    let story =
        Story::new("runbook \"T\" { }\nstep a {\n  run \"true\"\n  expect file(\"plan.runbook\") is present\n}\n");
    let events = story.events("exec");
    let last = events.last().expect("events");
    assert_eq!((&last["type"], &last["verdict"]), (&"verdict".into(), &"GO".into()));
    assert_eq!(last["steps"]["passed"], 1);
    assert_eq!(last["expects"]["held"], 1);
    assert_eq!(last["reasons"], serde_json::json!([]));
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], at + 1);
        assert!(event["time"].as_str().is_some_and(|time| time.ends_with('Z')));
    }
    let plan = story.events("dry-run");
    let last = plan.last().expect("events");
    assert_eq!((&last["type"], &last["actions"]), (&"summary".into(), &1.into()));
    let expect = plan.iter().find(|event| event["type"] == "expect-ended").expect("an expect");
    assert_eq!((&expect["state"], &expect["line"]), (&"holds".into(), &4.into()));
}

#[test]
fn a_partial_run_says_so() {
    let story =
        Story::new("runbook \"T\" { proof = none }\nstep a {\n  run \"touch a\"\n}\nstep b {\n  run \"touch b\"\n}\n");
    let told = story.run(&["exec", "--only", "b", "plan.runbook"]);
    assert_eq!(told.status, 0);
    assert!(told.text.contains("partial: only b"), "{}", told.text);
    assert!(!story.path("a").exists() && story.path("b").exists());
    assert_eq!(story.run(&["exec", "--only", "c", "plan.runbook"]).status, 2);
}

#[test]
fn params_are_set_by_profile_file_and_command_line() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nparam a: string\nparam b: number = 1\nprofile prod {\n  a = \"from profile\"\n}\nstep s {\n  show a, b\n}\n",
    );
    story.write("p.toml", "b = 7\n");
    let missing = story.exec();
    assert_eq!(missing.status, 2);
    assert!(missing.text.contains("RB0208") && missing.text.contains("--set a="), "{}", missing.text);
    let told = story.run(&["exec", "--profile", "prod", "--params", "p.toml", "--set", "b=8", "plan.runbook"]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(told.text.contains("from profile") && told.text.contains("│ 8"), "{}", told.text);
    let wrong = story.run(&["exec", "--profile", "prod", "--set", "b=many", "plan.runbook"]);
    assert!(wrong.status == 2 && wrong.text.contains("what `--set b=…` gives is no number"), "{}", wrong.text);
}

#[test]
fn hostile_values_stay_values_in_every_kind_of_quoting() {
    for value in [
        "$(touch pwned)",
        "`touch pwned`",
        "'; touch pwned; '",
        "\"; touch pwned; \"",
        "a\nb",
        "*",
        "\\",
        "-n",
        "ü ✓",
        "$HOME",
        "#{x}",
        "a'b\"c\\d$e",
    ] {
        let literal = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace("#{", "\\#{");
        let story = Story::new(&format!(
            r##"runbook "T" {{ proof = none }}
step s {{
  let v = "{literal}"
  run "printf '%s' #{{v}} > bare; printf '%s' \"a#{{v}}z\" > double; printf '%s' 'a#{{v}}z' > single; printf '%s' x#{{v}}y > joined"
  let list = [v, "two words"]
  run "printf '[%s]' #{{list}} > list"
  run ["sh", "-c", "printf '%s' \"$1\" > argument", "sh", v]
}}
"##
        ));
        let told = story.exec();
        assert_eq!(told.status, 0, "{value:?}: {}", told.text);
        let read = |name: &str| std::fs::read_to_string(story.path(name)).expect("written");
        assert_eq!(read("bare"), value);
        assert_eq!(read("double"), format!("a{value}z"));
        assert_eq!(read("single"), format!("a{value}z"));
        assert_eq!(read("joined"), format!("x{value}y"));
        assert_eq!(read("list"), format!("[{value}][two words]"));
        assert_eq!(read("argument"), value);
        assert!(!story.path("pwned").exists(), "{value:?}");
    }
}

#[test]
fn a_sandboxed_probe_can_change_nothing_it_can_reach() {
    let server = Server::answering(200, "x");
    let port = server.base.rsplit(':').next().expect("a port").to_owned();
    let story = Story::new(&format!(
        r##"runbook "T" {{ }}
step s {{
  expect sh("echo x > here").status == 0
  expect sh("echo x >> kept").status == 0
  expect sh("chmod 777 kept").status == 0
  expect sh("touch -d yesterday kept").status == 0
  expect sh("mv kept moved").status == 0
  expect sh("kill -CONT 1 || true").status == 0
  expect sh("python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}))'").status == 0
}}
step reads {{
  # Signal 0 only asks whether somebody is there.
  expect sh("kill -0 $PPID").status == 0
  expect sh("cat kept; awk 'BEGIN {{ print 1 }}'; find . -name kept").text contains "./kept"
  expect sh("setsid sleep 4713 > /dev/null 2>&1 & echo started").text == "started"
}}
"##
    ));
    story.write("kept", "kept\n");
    let before = story.world();
    let told = story.run(&["dry-run", "--only", "s", "plan.runbook"]);
    assert_eq!(story.world(), before, "{}", told.text);
    assert!(told.text.contains("0 hold now, 0 differ now, 7 unknown"), "{}", told.text);
    assert!(server.requests.lock().expect("notes").is_empty());
    let reads = story.run(&["exec", "--only", "reads", "plan.runbook"]);
    assert_eq!(reads.status, 0, "{}", reads.text);
    assert_eq!(sleeping("4713"), 0);
}

/// A program that says of a port whether it is open, and hides that it was not let near it.
fn says_whether_open(port: &str) -> String {
    format!(
        "python3 -c 'import socket; socket.create_connection((\\\"127.0.0.1\\\", {port}))' 2> /dev/null && echo up || echo down"
    )
}

#[test]
fn what_the_sandbox_kept_a_probe_from_is_no_fact_in_exec_either() {
    let server = Server::answering(200, "x");
    let command = says_whether_open(server.base.rsplit(':').next().expect("a port"));
    let story = Story::new(&format!(
        "runbook \"T\" {{ }}\nstep gate {{\n  expect stopped: sh(\"{command}\").text == \"down\"\n  run \"touch made\"\n}}\n"
    ));
    for command in ["dry-run", "exec"] {
        let told = story.run(&[command, "plan.runbook"]);
        assert!(told.text.contains("the sandbox refused: connect to 127.0.0.1:"), "{}", told.text);
        assert!(told.text.contains("network: true"), "{}", told.text);
        assert_eq!(told.status, i32::from(command == "exec"), "{}", told.text);
    }
    assert!(!story.path("made").exists());
    assert!(server.requests.lock().expect("notes").is_empty());
}

#[test]
fn a_probe_that_may_reach_the_network_is_confined_in_all_else() {
    let server = Server::answering(200, "x");
    let command = says_whether_open(server.base.rsplit(':').next().expect("a port"));
    let story = Story::new(&format!(
        "runbook \"T\" {{ }}\nstep look {{\n  expect up: sh(\"{command}\", network: true).text == \"up\"\n}}\n\
         step write {{\n  expect kept: sh(\"touch made || true\", network: true).status == 0\n}}\n"
    ));
    let told = story.dry_run();
    assert!(told.text.contains("0 hold now, 0 differ now, 2 unknown"), "{}", told.text);
    assert!(told.text.contains("`--trust-probes` runs it"), "{}", told.text);
    let told = story.run(&["dry-run", "--trust-probes", "plan.runbook"]);
    assert!(told.text.contains("1 hold now, 0 differ now, 1 unknown"), "{}", told.text);
    let told = story.exec();
    assert_eq!(told.status, 1, "{}", told.text);
    assert!(told.text.contains("✓ up: "), "{}", told.text);
    assert!(
        told.text.contains("the sandbox refused: open ") && told.text.contains("made for writing"),
        "{}",
        told.text
    );
    assert!(!story.path("made").exists());
}

#[test]
fn ten_runs_at_once_do_not_disturb_each_other() {
    let story = Story::new(
        "runbook \"T\" { }\nstep s {\n  run \"sleep 0.2; echo fine\"\n  expect sh(\"echo ok\").text == \"ok\"\n}\n",
    );
    let children: Vec<_> = (0..10)
        .map(|_| {
            story
                .command(&["exec", "plan.runbook"])
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .expect("it runs")
        })
        .collect();
    for child in children {
        let told = told(child.wait_with_output().expect("ended"));
        assert_eq!(told.status, 0, "{}", told.text);
    }
}

fn wait_for(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(10), "it did not come to pass");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many `sleep` processes of this length there are.
fn sleeping(length: &str) -> usize {
    sleepers(length).len()
}

fn sleepers(length: &str) -> Vec<i32> {
    let is = |line: &[u8]| line.split(|byte| *byte == 0).take(2).eq([&b"sleep"[..], length.as_bytes()]);
    std::fs::read_dir("/proc")
        .expect("proc")
        .flatten()
        .filter(|entry| std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| is(&line)))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}
