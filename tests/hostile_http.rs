//! HTTP servers that answer with anything but HTTP as it should be: what they say is known or unknown with a reason, in
//! time, and never more than is read.

mod support;

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::{Server, Story};

/// What comes of a kind of answer.
#[derive(Clone, Copy)]
enum Comes {
    /// Unknown, for a reason with these words.
    Unknown(&'static str),
    /// Unknown, since there was no answer in time.
    Late,
    /// Known, and shown so.
    Known(&'static str),
}
use Comes::{Known, Late, Unknown};

/// Each kind, the field that is asked for, and what comes of it.
const KINDS: &[(&str, &str, Comes)] = &[
    ("close", "status", Unknown("closed the connection before it had answ")),
    ("reset", "status", Unknown("reset the connection")),
    ("hang", "status", Late),
    ("half-status", "status", Late),
    ("status-then-close", "status", Unknown("closed the connection before it had answ")),
    ("status-then-hang", "status", Late),
    ("junk", "status", Unknown("answered something that is not HTTP")),
    ("zeros", "status", Unknown("answered something that is not HTTP")),
    ("http2", "status", Unknown("answered something that is not HTTP")),
    ("tls", "status", Unknown("answered something that is not HTTP")),
    ("ssh", "status", Unknown("answered something that is not HTTP")),
    ("version", "status", Unknown("answered something that is not HTTP")),
    ("status-word", "status", Unknown("answered something that is not HTTP")),
    ("status-zero", "status", Unknown("answered something that is not HTTP")),
    ("status-999", "status", Known("999")),
    ("reason-escapes", "status", Unknown("answered something that is not HTTP")),
    ("endless-head", "status", Unknown("could not be asked: message head is too")),
    ("many-headers", "status", Unknown("could not be asked: message head is too")),
    ("huge-header", "status", Unknown("too large")),
    ("no-colon", "status", Unknown("answered something that is not HTTP")),
    ("nul-in-header", "status", Unknown("answered something that is not HTTP")),
    ("drip-head", "status", Late),
    ("drip-body", "text", Late),
    ("length-and-close", "text", Unknown("closed the connection before it had answ")),
    ("length-and-hang", "text", Late),
    ("length-negative", "text", Unknown("answered something that is not HTTP")),
    ("length-twice", "text", Unknown("answered something that is not HTTP")),
    ("length-word", "text", Unknown("answered something that is not HTTP")),
    ("length-enormous", "text", Unknown("could not be asked: message head is too")),
    ("chunk-junk", "text", Unknown("could not be asked: Invalid chunk size l")),
    ("chunk-enormous", "text", Late),
    ("chunk-cut", "text", Unknown("closed the connection before it had answ")),
    ("chunk-extension", "text", Unknown("could not be asked: chunk extensions ove")),
    ("chunk-trailers", "text", Unknown("could not be asked: chunk trailers count")),
    ("endless-chunks", "text", Unknown("more than the 8 MiB")),
    ("endless-body", "text", Unknown("more than the 8 MiB")),
    ("gzip", "text", Unknown("the body is not UTF-8 (at byte 1)")),
    ("not-utf8", "text", Unknown("the body is not UTF-8 (at byte 3)")),
    ("deep-json", "json[\"a\"]", Known("absent: the body is not JSON")),
    ("wide-json", "json[0]", Unknown("")),
    ("double-keys", "json[\"a\"]", Known("2")),
    ("half-json", "json[\"a\"]", Known("absent: the body is not JSON")),
    ("loop", "status", Unknown("redirects more often")),
    ("redirects", "status", Unknown("redirects more often")),
    ("to-a-file", "status", Unknown("redirects to a URL of the scheme `file`,")),
    ("to-junk", "status", Known("302")),
    ("continues", "status", Known("200")),
    ("hints", "status", Known("200")),
    ("switching", "status", Known("101")),
    ("no-content", "text", Known("\"\"")),
    ("two-answers", "text", Known("\"one\"")),
];

/// Writes until nobody reads, or for as long as any of the tests.
fn without_end(stream: &mut TcpStream, piece: &[u8]) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(120) && stream.write_all(piece).is_ok() {}
}

fn drip(stream: &mut TcpStream, text: &[u8]) {
    for byte in text {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn hang() {
    std::thread::sleep(Duration::from_secs(10));
}

fn behave(kind: &str, stream: &mut TcpStream) {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    let mut say = |text: &str| {
        let _ = stream.write_all(text.as_bytes());
    };
    let body = |body: &str| format!("{OK}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let kilobytes = vec![b'x'; 16 << 10];
    match kind {
        "close" => {}
        "reset" => {
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            // SAFETY: the option is as large as is said.
            unsafe {
                let fd = std::os::fd::AsRawFd::as_raw_fd(stream);
                let size = std::mem::size_of::<libc::linger>() as libc::socklen_t;
                libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size);
            }
        }
        "hang" => hang(),
        "half-status" => {
            say("HTTP/1.");
            hang();
        }
        "status-then-close" => say(OK),
        "status-then-hang" => {
            say(OK);
            hang();
        }
        "junk" => say("\u{1}\u{2}\u{3}what is this?\r\n\r\n"),
        "zeros" => without_end(stream, &[0; 4096]),
        "http2" => say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0"),
        "tls" => say("\u{16}\u{3}\u{1}\0\u{5}hello"),
        "ssh" => say("SSH-2.0-OpenSSH_9.2\r\n"),
        "version" => say("HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n"),
        "status-word" => say("HTTP/1.1 fine OK\r\ncontent-length: 0\r\n\r\n"),
        "status-zero" => say("HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n"),
        "status-999" => say("HTTP/1.1 999 \r\ncontent-length: 0\r\n\r\n"),
        "reason-escapes" => say("HTTP/1.1 200 \u{1b}[31mred\u{7}\r\ncontent-length: 0\r\n\r\n"),
        "endless-head" => {
            say(OK);
            without_end(stream, b"x-more: and more\r\n");
        }
        "many-headers" => {
            say(OK);
            say(&"x-more: and more\r\n".repeat(100_000));
            say("\r\n");
        }
        "huge-header" => {
            say(OK);
            say(&format!("x-huge: {}\r\n\r\n", "x".repeat(10 << 20)));
        }
        "no-colon" => say(&format!("{OK}what is this\r\ncontent-length: 0\r\n\r\n")),
        "nul-in-header" => say(&format!("{OK}x-nul: a\0b\r\ncontent-length: 0\r\n\r\n")),
        "drip-head" => drip(stream, body("x").as_bytes()),
        "drip-body" => {
            say(&format!("{OK}content-length: 100\r\n\r\n"));
            drip(stream, &[b'x'; 100]);
        }
        "length-and-close" => say(&format!("{OK}content-length: 100\r\n\r\nxyz")),
        "length-and-hang" => {
            say(&format!("{OK}content-length: 100\r\n\r\nxyz"));
            hang();
        }
        "length-negative" => say(&format!("{OK}content-length: -1\r\n\r\nxyz")),
        "length-twice" => say(&format!("{OK}content-length: 1\r\ncontent-length: 3\r\n\r\nxyz")),
        "length-word" => say(&format!("{OK}content-length: many\r\n\r\nxyz")),
        "length-enormous" => {
            say(&format!("{OK}content-length: 18446744073709551615\r\n\r\nxyz"));
            hang();
        }
        "chunk-junk" => say(&format!("{OK}transfer-encoding: chunked\r\n\r\nzz\r\nxyz\r\n0\r\n\r\n")),
        "chunk-enormous" => {
            say(&format!("{OK}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nxyz"));
            hang();
        }
        "chunk-cut" => say(&format!("{OK}transfer-encoding: chunked\r\n\r\n5\r\nxy")),
        "chunk-extension" => {
            say(&format!("{OK}transfer-encoding: chunked\r\n\r\n5;"));
            without_end(stream, &kilobytes);
        }
        "chunk-trailers" => {
            say(&format!("{OK}transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"));
            without_end(stream, b"x-more: and more\r\n");
        }
        "endless-chunks" => {
            say(&format!("{OK}transfer-encoding: chunked\r\n\r\n"));
            without_end(stream, &[b"4000\r\n", &kilobytes[..], b"\r\n"].concat());
        }
        "endless-body" => {
            say(&format!("{OK}\r\n"));
            without_end(stream, &kilobytes);
        }
        "gzip" => {
            say(&format!("{OK}content-encoding: gzip\r\nconnection: close\r\n\r\n"));
            let _ = stream.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1, 0x01, 0x01]);
        }
        "not-utf8" => {
            say(&format!("{OK}connection: close\r\n\r\n"));
            let _ = stream.write_all(b"caf\xe9");
        }
        "deep-json" => say(&body(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)))),
        "wide-json" => say(&body(&format!("[{}1]", "1,".repeat((4 << 20) - 2)))),
        "double-keys" => say(&body("{\"a\": 1, \"a\": 2}")),
        "half-json" => say(&body("{\"a\": ")),
        "loop" => say("HTTP/1.1 302 -\r\nlocation: /loop\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        "to-a-file" => {
            say("HTTP/1.1 302 -\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        }
        "to-junk" => say("HTTP/1.1 302 -\r\nlocation: http://[::x/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        "continues" => {
            say(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(200_000));
            say(&body("x"));
        }
        "hints" => {
            say(&"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(200_000));
            say(&body("x"));
        }
        "switching" => {
            say("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
            hang();
        }
        "no-content" => say("HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\nxyz"),
        "two-answers" => say(&body("one").repeat(2)),
        kind => {
            let count: u64 = kind.trim_start_matches("redirects").trim_start_matches('-').parse().unwrap_or(0);
            let next = count + 1;
            say(&format!(
                "HTTP/1.1 302 -\r\nlocation: /redirects-{next}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            ));
        }
    }
}

#[test]
fn whatever_a_server_answers_is_known_or_unknown_with_a_reason_in_time() {
    let server = Server::new(|head, _, stream| {
        let kind = head.split(['/', ' ']).nth(2).unwrap_or_default().to_owned();
        behave(&kind, stream);
    });
    let mut text = format!("runbook \"Hostile\" {{ proof = none }}\nlet base = \"{}\"\nstep ask {{\n", server.base);
    for (kind, field, comes) in KINDS {
        let name = kind.replace('-', "_");
        let never = if *field == "status" { "-1" } else { "\"never\"" };
        let timeout = if matches!(comes, Late) { "1s" } else { "100s" };
        let call = format!("http.get(\"#{{base}}/{kind}\", timeout: {timeout}, redirects: 5)");
        text.push_str(&format!("  expect {name}: {call}.{field} == {never} else warn \"as it should\"\n"));
    }
    text.push_str("}\n");
    let story = Story::new(&text);
    let began = Instant::now();
    let told = story.run(&["exec", "plan.runbook", "--format", "json"]);
    let took = began.elapsed();
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(took < Duration::from_secs(150), "{took:?}");
    let events = told.stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let ended: HashMap<String, (String, String)> = events
        .filter(|event| event["type"] == "expect-ended")
        .map(|event| {
            let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            (text("expect").replace('_', "-"), (text("state"), text("actual")))
        })
        .collect();
    let mut wrong = Vec::new();
    for (kind, _, comes) in KINDS {
        let (state, actual) = &ended[&format!("ask.{kind}")];
        let right = match comes {
            Unknown(words) => state == "unknown" && actual.contains(words) && actual.len() > "unknown: ".len(),
            Late => state == "unknown" && actual.contains("within 1s"),
            Known(shown) => state == "differs" && actual.contains(shown),
        };
        if !right {
            wrong.push(format!("{kind}: {state}, {actual}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
