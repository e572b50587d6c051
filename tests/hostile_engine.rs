//! Docker engines that answer with anything but what an engine says: all that is asked of them is unknown with a reason, in
//! time, and in little memory.

mod support;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use support::Story;
use support::hostile_engine::{json, serve};

const OK: &str = "HTTP/1.1 200 OK\r\n";

const KINDS: &[&str] = &[
    "error-500",
    "error-without-json",
    "not-json",
    "null",
    "wrong-types",
    "a-list",
    "half-json",
    "junk",
    "close",
    "http2",
    "redirect",
    "huge-head",
    "endless-head",
    "drip",
    "hang",
    "hang-in-body",
    "chunk-junk",
    "length-too-long",
    "not-utf8",
    "deep-json",
    "endless-body",
    "endless-string",
    "endless-chunks",
    "huge-frame",
    "switching",
];

/// A whole answer: as a log it is just that.
const RAW_LOGS: &[&str] =
    &["not-json", "null", "wrong-types", "a-list", "half-json", "not-utf8", "deep-json", "switching"];

fn without_end(stream: &mut UnixStream, piece: &[u8]) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) && stream.write_all(piece).is_ok() {}
}

fn behave(kind: &str, line: &str, stream: &mut UnixStream) {
    let raw = |stream: &mut UnixStream, text: &str| drop(stream.write_all(text.as_bytes()));
    match kind {
        "error-500" => json(stream, 500, "{\"message\": \"the engine is on fire\"}"),
        "error-without-json" => json(stream, 502, "<html>bad gateway</html>"),
        "not-json" => json(stream, 200, "<html>hello</html>"),
        "null" => json(stream, 200, "null"),
        "wrong-types" => json(
            stream,
            200,
            "{\"Id\": 7, \"State\": \"running\", \"Config\": [], \"Names\": {}, \"Created\": true, \"Size\": \"x\"}",
        ),
        "a-list" => json(stream, 200, "[1, \"x\", null, [[]], {}]"),
        "half-json" => json(stream, 200, "{\"Id\": \"abc\", \"State\": {"),
        "junk" => raw(stream, "what is this?\r\n\r\n"),
        "close" => {}
        "http2" => raw(stream, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        "redirect" => raw(stream, "HTTP/1.1 302 -\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"),
        "huge-head" => raw(stream, &format!("{OK}x-huge: {}\r\n\r\n", "x".repeat(10 << 20))),
        "endless-head" => {
            raw(stream, OK);
            without_end(stream, b"x-more: and more\r\n");
        }
        "drip" => {
            for byte in format!("{OK}content-length: 2\r\n\r\n{{}}").bytes() {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(300));
            }
        }
        "hang" => std::thread::sleep(Duration::from_secs(20)),
        "hang-in-body" => {
            raw(stream, &format!("{OK}content-length: 100\r\n\r\n{{"));
            std::thread::sleep(Duration::from_secs(20));
        }
        "chunk-junk" => raw(stream, &format!("{OK}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n")),
        "length-too-long" => raw(stream, &format!("{OK}content-length: 100\r\n\r\n{{}}")),
        "not-utf8" => {
            raw(stream, &format!("{OK}content-length: 14\r\n\r\n"));
            let _ = stream.write_all(b"{\"Id\": \"\xff\xfe\xfd\"}x");
        }
        "deep-json" => json(stream, 200, &"[".repeat(200_000)),
        "endless-body" => {
            raw(stream, &format!("{OK}\r\n["));
            without_end(stream, "{\"Id\": \"abc\"},".repeat(1000).as_bytes());
        }
        "endless-string" => {
            raw(stream, &format!("{OK}\r\n{{\"Id\": \""));
            without_end(stream, &[b'x'; 16 << 10]);
        }
        "endless-chunks" => {
            raw(stream, &format!("{OK}transfer-encoding: chunked\r\n\r\n"));
            without_end(stream, &[b"4000\r\n", &[b'x'; 0x4000][..], b"\r\n"].concat());
        }
        "huge-frame" => {
            // A frame of a log that says that it has 4 GB.
            raw(stream, &format!("{OK}content-type: application/vnd.docker.raw-stream\r\n\r\n"));
            let _ = stream.write_all(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
            without_end(stream, &[b'x'; 16 << 10]);
        }
        _ => raw(stream, &format!("HTTP/1.1 101 -\r\nupgrade: tcp\r\nconnection: upgrade\r\n\r\n{line}")),
    }
}

/// What asks the engine in each of the ways that there are.
const ASKS: &str = r#"runbook "Hostile" { proof = none }
step ask {
  expect engine: docker.engine().version == "never" else warn "as it should"
  expect container: docker.container("x", timeout: 2s).name == "never" else warn "as it should"
  expect containers: length(docker.containers(timeout: 2s)) == 77 else warn "as it should"
  expect image: docker.image("x", timeout: 2s).id == "never" else warn "as it should"
  expect images: length(docker.images(timeout: 2s)) == 77 else warn "as it should"
  expect network: docker.network("x", timeout: 2s).id == "never" else warn "as it should"
  expect volume: docker.volume("x", timeout: 2s).driver == "never" else warn "as it should"
  expect logs: docker.logs("x", timeout: 2s).text == "never" else warn "as it should"
  expect stats: docker.stats("x", timeout: 2s).cpu == 77% else warn "as it should"
}
"#;

fn asked(kind: &'static str) -> Vec<String> {
    let story = Story::new(ASKS);
    let socket = story.path("engine");
    let _noted = serve(&socket, move |line, stream| behave(kind, line, stream));
    let mut command = std::process::Command::new("sh");
    // 2 GB of addresses: what is read without a limit ends the program.
    command.args(["-c", "ulimit -v 2000000; exec \"$0\" exec plan.runbook --format json", support::BINARY]);
    command.current_dir(story.folder.path()).env("DOCKER_HOST", format!("unix://{}", socket.display()));
    command.env("XDG_STATE_HOME", story.path(".state"));
    let began = Instant::now();
    let told = support::told(command.output().expect("it runs"));
    let took = began.elapsed();
    let mut wrong = Vec::new();
    if told.status != 0 {
        wrong.push(format!("{kind}: status {}: {}", told.status, told.text));
    }
    if took > Duration::from_secs(60) {
        wrong.push(format!("{kind}: took {took:?}"));
    }
    let events: Vec<serde_json::Value> =
        told.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut ended = 0;
    for event in events.iter().filter(|event| event["type"] == "expect-ended") {
        ended += 1;
        // The log of a container with a terminal is what was sent, whatever that is.
        if event["expect"] == "ask.logs" && RAW_LOGS.contains(&kind) {
            continue;
        }
        let reason = event["reason"].as_str().unwrap_or_default();
        if event["state"] != "unknown" || reason.is_empty() {
            wrong.push(format!("{kind}: {} is {}, {}", event["expect"], event["state"], event["actual"]));
        }
    }
    if ended != 9 {
        wrong.push(format!("{kind}: {ended} of 9 were decided"));
    }
    wrong
}

#[test]
fn whatever_an_engine_answers_is_unknown_with_a_reason_in_time() {
    let mut wrong = Vec::new();
    // A few at a time: each is a process with a deadline.
    for kinds in KINDS.chunks(5) {
        let running: Vec<_> = kinds.iter().map(|kind| std::thread::spawn(move || asked(kind))).collect();
        running.into_iter().for_each(|kind| wrong.extend(kind.join().expect("it ends")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A name that would ask for something else is refused before anything is asked.
#[test]
fn a_name_that_is_a_path_asks_nothing() {
    let names = [
        "",
        ".",
        "..",
        "../..",
        "./x",
        "x/..",
        "x/./y",
        "a b",
        "a?b",
        "a#b",
        "a%2fb",
        "a\\u{0}b",
        "a\\r\\nHost: x",
        "-x",
        "/x",
        "x//y",
        "é",
    ];
    let mut text = "runbook \"Names\" { proof = none }\nstep ask {\n".to_owned();
    for name in names {
        for probe in ["container", "image", "network", "volume", "logs", "stats"] {
            text.push_str(&format!("  expect docker.{probe}(\"{name}\") is present else warn \"as it should\"\n"));
        }
    }
    text.push_str("}\n");
    let story = Story::new(&text);
    let socket = story.path("engine");
    let noted = serve(&socket, |_, stream| json(stream, 200, "[]"));
    let mut command = story.command(&["exec", "plan.runbook", "--format", "json"]);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let told = support::told(command.output().expect("it runs"));
    assert_eq!(told.status, 0, "{}", told.text);
    let ended = told.stdout.lines().filter(|line| line.contains("\"expect-ended\"") && line.contains("\"unknown\""));
    assert_eq!(ended.count(), names.len() * 6);
    let asked: Vec<String> = noted
        .lock()
        .expect("notes")
        .iter()
        .filter(|line| !line.contains("/version") && !line.contains("/_ping"))
        .cloned()
        .collect();
    assert!(asked.is_empty(), "{asked:?}");
}
