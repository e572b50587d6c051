//! Canaries: secrets of every kind, written in every way, sent down every way out. None of them arrives anywhere.

mod support;
#[path = "support/written.rs"]
mod written;

use std::collections::BTreeMap;

use support::{Server, Story, answer, told};
use written::{SECRETS, written};

/// What nobody declared, and what reads like a secret by its name: with a word that is found if it is shown.
const UNDECLARED: &str = r#"
POSTGRES_PASSWORD=canary-env-1
export API_TOKEN="canary-env-2 with blanks"
DB_PASS='canary-env-3'
DATABASE_URL=postgres://app:canary-url-4@db/x
mysql --password=canary-flag-5 --host db
db:
  password: canary-yaml-6 and more
  secret: "canary-yaml-7"
  private_key: |
    canary-block-8
    canary-block-9
{"user": "me", "password": "canary-json-10", "auth": {"clientSecret": "canary-json-11"}, "api_key": 8812345678}
Authorization: Bearer canary-header-12
Cookie: session=canary-header-13; other=canary-header-14
-----BEGIN RSA PRIVATE KEY-----
canaryPEM15AAAA
canaryPEM16BBBB
-----END RSA PRIVATE KEY-----
curl -H "Authorization: Basic canary-header-17" http://h/?access_token=canary-query-18&x=1
<password>canary-xml-19</password>
"#;

/// Without what a report escapes with, and without line breaks: what stands there is what is left.
fn plain(text: &str) -> String {
    let mut text = text.replace("&quot;", "\"").replace("&#39;", "'").replace("&#x27;", "'");
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    // The letters of an escape stay; a form is made plain in the same way.
    text.chars().filter(|char| !char.is_whitespace() && *char != '\\' && *char != '│').collect()
}

/// What a find stands in.
fn around(text: &str, at: usize) -> String {
    let before: String = text[..at].chars().rev().take(60).collect();
    format!("{} >>> {}", before.chars().rev().collect::<String>(), text[at..].chars().take(60).collect::<String>())
}

/// Everything that came out of a story: by what it is called.
fn ways_out(story: &Story, secrets: &[(String, String)], server: &Server) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let base = format!("base={}", server.base);
    let reports = ["r.html", "r.json", "r.jsonl", "r.md", "r.xml", "r.tap", "r.txt"];
    let run = |args: &[&str], trace: bool| {
        let mut command = story.command(args);
        for (name, secret) in secrets {
            command.env(format!("CANARY_{}", name.to_uppercase()), secret);
        }
        if trace {
            command.env("RUST_LOG", "trace");
        }
        told(command.output().expect("it runs"))
    };
    let mut args = vec!["exec", "plan.runbook", "-v", "--set", &base];
    args.extend(reports.iter().flat_map(|report| ["--report", report]));
    let exec = run(&args, true);
    assert_eq!(exec.status, 1, "{}", exec.text);
    assert!(exec.text.contains("the end") && exec.text.contains("NO-GO"), "{}", exec.text);
    assert!(exec.text.contains("TRACE") || exec.text.contains("DEBUG"), "there are traces");
    out.insert("terminal and traces".to_owned(), exec.text);
    for report in reports {
        out.insert(report.to_owned(), std::fs::read_to_string(story.path(report)).expect("a report"));
    }
    for args in [
        &["exec", "plan.runbook", "--format", "json", "--set", &base][..],
        &["dry-run", "plan.runbook", "-v", "--set", &base],
        &["report", "last"],
        &["runs"],
    ] {
        out.insert(args.join(" "), run(args, false).text);
    }
    let mut open = vec![story.path(".runbook")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).expect("read").flatten().map(|entry| entry.path()));
        } else if !path.to_string_lossy().contains("sources") {
            out.insert(path.display().to_string(), std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
    assert!(out.keys().any(|name| name.ends_with("journal.jsonl")), "{:?}", out.keys());
    out
}

/// A runbook that sends the text of `forms.txt` down every way.
fn plan(secrets: &[(String, String)], first: &str) -> String {
    let declared: String = secrets
        .iter()
        .map(|(name, _)| {
            format!("secret {name} = file(\"{name}\")\nsecret env_{name} = env(\"CANARY_{}\")\n", name.to_uppercase())
        })
        .collect();
    format!(
        r##"
runbook "Canaries" {{ proof = none }}
param base: url
{declared}
let forms = file("forms.txt").text
let answered = http.get("#{{base}}/forms")
step shown {{
  let text = file("forms.txt").text
  let all = lines(file("forms.txt").text)
  let r = run "cat forms.txt; cat forms.txt >&2"
  let s = sh("cat forms.txt")
  let asked = run http.post("#{{base}}/forms", json: {{ a: {first} }}, query: {{ q: {first} }}, headers: {{ "X-Key": {first} }})
  show forms, text, all, r.stdout, s, answered, answered.text, answered.json, asked.json, asked.url
  run "true" env {{ K: {first} }} stdin {first}
}}
step found {{
  expect forms == "x" else warn "one"
  expect file("forms.txt").text == "a\nb\nc" else warn "two #{{forms}}"
  expect file("forms.txt").text matches '^nothing$' else warn "three"
  expect file("forms.txt").text does not match '(?s).' else warn "four"
  expect lines(forms) == ["a", "b"] else warn "five"
  expect sh("cat forms.txt; cat forms.txt >&2; exit 3").stderr == "" else warn "six"
  expect http.get("#{{base}}/forms", query: {{ q: {first} }}).status == 201 else warn "seven"
  expect http.get("#{{base}}/forms", query: {{ q: {first} }}).text == "x" else warn "eight"
  expect http.get("#{{base}}/forms", query: {{ q: {first} }}).json["n"] == 1 else warn "nine"
  expect http.get("#{{base}}/forms", query: {{ q: {first} }}).json["password"] == "x" else warn "ten"
  expect http.get("#{{base}}/forms", query: {{ q: {first} }}).url == "x" else warn "eleven"
  expect http.get("#{{base}}/forms", query: {{ q: {first} }}) is absent else warn "whole"
  expect number(forms) == 1 else warn "twelve"
  expect json(forms)["a"] == 1 else warn "thirteen"
  expect file("no/#{{{first}}}").text == "x" else warn "fourteen"
  expect all(line in lines(forms), line == "x") else warn "fifteen"
  expect {first} == forms else warn "sixteen"
  for line in lines(file("few.txt").text) {{
    expect line == "a line that it is not" else warn "each"
  }}
}}
step fails {{
  run "cat forms.txt >&2; tail -n 2 forms.txt; exit 3"
  on-failure {{
    show failures, failures[0].output
    stop "it failed: #{{failures[0].found}} #{{forms}}"
  }}
  finally {{
    run "echo the end; cat forms.txt"
  }}
}}
"##
    )
}

fn story(secrets: &[(String, String)], forms: &str, few: &str) -> (Story, Server) {
    let story = Story::new(&plan(secrets, &secrets[0].0));
    for (name, secret) in secrets {
        story.write(name, secret);
    }
    story.write("forms.txt", forms);
    story.write("few.txt", few);
    let body = forms.to_owned();
    let server = Server::new(move |head, asked, stream| {
        let number = serde_json::json!({ "n": 12345678, "list": [12345678], "password": "canary-field-20", "text": body, "head": head, "asked": asked });
        answer(stream, 200, &number.to_string());
    });
    (story, server)
}

#[test]
fn no_secret_comes_out_however_it_is_written() {
    // What ends in a line break ends without it in a file.
    let secrets: Vec<(String, String)> =
        SECRETS.iter().enumerate().map(|(at, secret)| (format!("s{at}"), secret.trim_end().to_owned())).collect();
    // A third of the forms of each secret, another third of the next: the unit tests of the redactor try them all.
    let forms: Vec<(String, String)> = secrets
        .iter()
        .enumerate()
        .flat_map(|(at, (_, secret))| written(secret).into_iter().skip(at % 3).step_by(3))
        .map(|(name, form)| (name.to_owned(), form))
        .collect();
    let text: String = forms.iter().map(|(_, form)| format!("a line\n{form}\n")).collect();
    let few: String = secrets
        .iter()
        .flat_map(|(_, secret)| written(secret).into_iter().skip(1).step_by(9))
        .map(|(_, form)| form + "\n")
        .collect();
    let (story, server) = story(&secrets, &text, &few);
    let out = ways_out(&story, &secrets, &server);
    let mut found = Vec::new();
    for (way, text) in &out {
        let plain_text = plain(text);
        assert!(!plain_text.is_empty(), "{way} is empty");
        for (name, form) in &forms {
            let plain = plain(form);
            if let Some(at) = plain_text.find(&plain).filter(|_| plain.len() >= 6) {
                found.push(format!("{name} {form:?} in {way}: {}", around(&plain_text, at)));
            }
        }
    }
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
    assert!(out["terminal and traces"].contains("s3›"));
}

#[test]
fn what_reads_like_a_secret_does_not_come_out() {
    let secrets = vec![("s0".to_owned(), "declared-canary-0".to_owned())];
    let (story, server) = story(&secrets, UNDECLARED, UNDECLARED);
    let out = ways_out(&story, &secrets, &server);
    let mut found = Vec::new();
    for (way, text) in &out {
        let plain = plain(text);
        for (at, _) in plain.match_indices("canary") {
            if plain[at..].starts_with("canary-") || plain[at..].starts_with("canaryPEM") {
                found.push(format!("{way}: {}", around(&plain, at)));
            }
        }
        if plain.contains("8812345678") {
            found.push(format!("a number in {way}"));
        }
    }
    found.dedup();
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
    let terminal = &out["terminal and traces"];
    for words in [
        "POSTGRES_PASSWORD=‹value not shown›",
        "password: ‹value not shown›",
        "\"user\": \"me\"",
        "postgres://app:‹value not shown›@db/x",
    ] {
        assert!(terminal.contains(words), "{words} is not in:\n{terminal}");
    }
}
