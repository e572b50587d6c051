//! HTTP as it goes over the wire: what is sent, what is made of the answer, and how much of it is believed.

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{Server, Story, Told, answer};

/// A server that notes whole requests, and answers by the path: `/status/418`, `/redirect/3`, `/json`, and so on.
fn world() -> (Server, Arc<Mutex<Vec<String>>>) {
    let noted: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = noted.clone();
    let server = Server::new(move |head, body, stream| {
        notes.lock().expect("notes").push(format!("{head}\r\n\r\n{body}"));
        let path = head.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
        let number = path.rsplit('/').next().and_then(|last| last.parse::<u16>().ok()).unwrap_or(0);
        match path.split('/').nth(1).unwrap_or_default() {
            "status" => answer(stream, number, "said"),
            "redirect" if number > 0 => {
                let _ = write!(
                    stream,
                    "HTTP/1.1 302 -\r\nlocation: /redirect/{}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                    number - 1
                );
            }
            "json" => answer(stream, 200, "{\"a\": {\"b\": [1, null, \"x\"]}}"),
            "binary" => {
                let _ =
                    stream.write_all(b"HTTP/1.1 200 -\r\ncontent-length: 3\r\nconnection: close\r\n\r\n\xff\xfe\x00");
            }
            "large" => {
                let _ = write!(stream, "HTTP/1.1 200 -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", 20 << 20);
                let _ = stream.write_all(&vec![b'x'; 20 << 20]);
            }
            "headers" => {
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 -\r\nX-One: 1\r\nx-two: a\r\nX-Two: b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
            }
            "drip" => {
                let _ = write!(stream, "HTTP/1.1 200 -\r\ncontent-length: 1000\r\n\r\n");
                for _ in 0..1000 {
                    if stream.write_all(b"x").and_then(|()| stream.flush()).is_err() {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
            _ => answer(stream, 200, "ok"),
        }
    });
    (server, noted)
}

fn exec(server: &Server, body: &str) -> Told {
    let story = Story::new(&format!(
        "runbook \"HTTP\" {{ }}\nlet base = \"{}\"\nsecret token = env(\"TOKEN\")\nstep look {{\n  expect token is present\n{body}\n}}\n",
        server.base
    ));
    let mut command = story.command(&["exec", "plan.runbook"]);
    support::told(command.env("TOKEN", "a-secret-token").output().expect("it runs"))
}

#[track_caller]
fn go(told: &Told) {
    assert_eq!(told.status, 0, "{}", told.text);
}

#[test]
fn requests_are_what_the_runbook_says() {
    let (server, noted) = world();
    go(&exec(
        &server,
        r##"
  run http.post("#{base}/a", json: { name: "x", list: [1, 2.5, null], wait: 30s }, bearer: token)
  run http.put("#{base}/b", form: { "a b": "c&d", e: "é" }, user: "me", password: "p:w")
  run http.patch("#{base}/c", body: "raw \"text\"\n", headers: { "Content-Type": "text/plain", "X-Own": "yes" })
  run http.delete("#{base}/d", query: { id: "1 2", q: "ä&b" })
}
step heads {
  expect http.head("#{base}/e").status == 200
  expect http.get("#{base}/f?x=1", query: { y: "2" }).status == 200
"##,
    ));
    let noted = noted.lock().expect("notes");
    let request = |at: usize| noted[at].clone();
    let has = |at: usize, words: &str| {
        assert!(request(at).to_lowercase().contains(&words.to_lowercase()), "{words:?} is not in:\n{}", request(at));
    };
    has(0, "POST /a HTTP/1.1");
    has(0, "content-type: application/json");
    has(0, "authorization: Bearer a-secret-token");
    has(0, "\r\n\r\n{\"name\":\"x\",\"list\":[1,2.5,null],\"wait\":30.0}");
    has(1, "PUT /b HTTP/1.1");
    has(1, "content-type: application/x-www-form-urlencoded");
    has(1, "authorization: Basic bWU6cDp3");
    has(1, "\r\n\r\na+b=c%26d&e=%C3%A9");
    has(2, "PATCH /c HTTP/1.1");
    has(2, "content-type: text/plain");
    has(2, "x-own: yes");
    has(2, "\r\n\r\nraw \"text\"\n");
    has(3, "DELETE /d?id=1+2&q=%C3%A4%26b HTTP/1.1");
    // Expects side by side come in any order.
    let both = format!("{}{}", request(4), request(5));
    for words in ["HEAD /e HTTP/1.1", "GET /f?x=1&y=2 HTTP/1.1", "user-agent: runbook/"] {
        assert!(both.contains(words), "{words:?} is not in:\n{both}");
    }
}

#[test]
fn an_action_fails_from_400_on_unless_it_says_so() {
    let (server, _) = world();
    go(&exec(&server, "  run http.post(\"#{base}/status/302\")\n  run http.post(\"#{base}/status/399\")"));
    let told = exec(&server, "  run http.post(\"#{base}/status/400\")");
    assert_eq!(told.status, 1);
    assert!(told.text.contains("was answered with status 400"), "{}", told.text);
    go(&exec(
        &server,
        "  let r = run http.post(\"#{base}/status/409\", accept: [409, 410])\n  expect r.status == 409 and r.text == \"said\"",
    ));
    assert_eq!(exec(&server, "  run http.post(\"#{base}/status/500\", accept: [409])").status, 1);
}

#[test]
fn redirects_are_followed_as_often_as_is_said() {
    let (server, noted) = world();
    go(&exec(
        &server,
        r##"
  expect http.get("#{base}/redirect/3") {
    .status == 200
    .url == "#{base}/redirect/0"
  }
  expect http.get("#{base}/redirect/3", redirects: 0) {
    .status == 302
    .headers["location"] == "/redirect/2"
  }
  run http.post("#{base}/redirect/1")
"##,
    ));
    let told = exec(&server, "  expect http.get(\"#{base}/redirect/3\", redirects: 2).status == 200");
    assert!(told.text.contains("redirects more often than is followed"), "{}", told.text);
    let posts = noted.lock().expect("notes").iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(posts, 1, "an action is not sent on");
}

#[test]
fn answers_are_navigated_and_what_is_missing_is_absent() {
    let (server, _) = world();
    go(&exec(
        &server,
        r##"
  expect http.get("#{base}/json") {
    .json["a"]["b"][0] == 1
    .json.a.b[1] in [null]
    .json["a"]["c"] is absent
    .json["x"]["y"] is absent
    .json.a.b[9] is absent
    .size == 28B
    .time < 10s
    .certificate_expires is absent
  }
  expect http.get("#{base}/text").json is absent
  expect http.get("#{base}/headers") {
    .headers["X-ONE"] == "1"
    .headers["X-Two"] == "a, b"
    .headers["X-Three"] is absent
  }
"##,
    ));
}

#[test]
fn what_is_no_text_or_too_much_of_it_is_unknown() {
    let (server, _) = world();
    let told = exec(
        &server,
        "  expect http.get(\"#{base}/binary\").status == 200\n  expect http.get(\"#{base}/binary\").text == \"x\"\n  expect http.get(\"#{base}/large\").text == \"x\"",
    );
    assert_eq!(told.status, 1);
    assert!(told.text.contains("2 held, 2 unknown"), "{}", told.text);
    assert!(told.text.contains("the body is not UTF-8"), "{}", told.text);
    assert!(told.text.contains("more than the 8 MiB that are read"), "{}", told.text);
}

#[test]
fn a_server_that_drips_is_not_waited_for() {
    let (server, _) = world();
    let began = std::time::Instant::now();
    let told = exec(&server, "  expect http.get(\"#{base}/drip\", timeout: 500ms).status == 200");
    assert_eq!(told.status, 1);
    assert!(told.text.contains("within 500ms"), "{}", told.text);
    assert!(began.elapsed() < Duration::from_secs(20), "the deadline is the whole answer's");
}

#[test]
fn what_can_not_be_sent_is_told_before_it_is() {
    let (server, noted) = world();
    for (call, words) in [
        ("http.post(\"ftp://127.0.0.1/\")", "http://"),
        ("http.post(\"#{base}/a\", headers: { \"X-Bad\": \"a\\nb\" })", "characters that a header can't"),
        ("http.post(\"#{base}/a\", headers: { \"X Bad\": \"a\" })", "no name of a header"),
        ("http.post(\"#{base}/a\", json: {}, body: \"x\")", "only one of"),
        ("http.post(\"#{base}/a\", bearer: \"a\\nb\")", "characters that a header can't"),
    ] {
        let told = exec(&server, &format!("  run {call}"));
        assert_ne!(told.status, 0, "{call}: {}", told.text);
        assert!(told.text.contains(words), "{call}: {}", told.text);
    }
    assert!(noted.lock().expect("notes").is_empty());
}

#[test]
fn a_vouched_post_is_asked_in_a_run_and_not_in_a_dry_run() {
    let (server, noted) = world();
    let plan = "  expect http.post_query(\"#{base}/json\", json: { q: 1 }).json[\"a\"] is present";
    go(&exec(&server, plan));
    assert_eq!(noted.lock().expect("notes").len(), 1);
    let story = Story::new(&format!(
        "runbook \"Q\" {{ proof = none }}\nlet base = \"{}\"\nstep look {{\n{plan}\n}}\n",
        server.base
    ));
    let told = story.dry_run();
    assert!(told.text.contains("--trust-probes"), "{}", told.text);
    assert_eq!(noted.lock().expect("notes").len(), 1);
    let told = story.run(&["dry-run", "--trust-probes", "plan.runbook"]);
    assert!(told.text.contains("1 hold now"), "{}", told.text);
    assert_eq!(noted.lock().expect("notes").len(), 2);
}

/// What is asked is what is written, with values in it that change nothing but themselves.
#[test]
fn a_value_in_a_url_changes_no_other_part_of_it() {
    let (server, noted) = world();
    let told = exec(
        &server,
        r##"  expect http.get("#{base}/users/#{"../../admin?x="}").status == 200 else warn "a"
  expect http.get("#{base}#{"@127.0.0.1:1/"}").status == 200 else warn "b"
  expect http.get("#{base}/search?q=#{"1&admin=1"}").status == 200 else warn "c"
  expect http.ok("#{base}/#{".."}/x") else warn "d"
  expect http.get("#{base}#{"/a/b"}/#{"c d"}/#{5}?q=#{"e f"}").status == 200
  expect http.get("#{base}/x", query: { q: "1&admin=1" }).status == 200"##,
    );
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(told.text.contains("4 unknown") || told.text.matches("of this URL").count() >= 4, "{}", told.text);
    let mut asked: Vec<String> =
        noted.lock().expect("notes").iter().filter_map(|head| head.lines().next().map(str::to_owned)).collect();
    asked.sort();
    assert_eq!(asked, ["GET /a/b/c%20d/5?q=e%20f HTTP/1.1", "GET /x?q=1%26admin%3D1 HTTP/1.1"]);
}
