//! Each form of each kind of run, whole: what is GO, recovered, accepted, NO-GO, cancelled, resumed, as text, Markdown, a page, JUnit,
//! TAP and events. What is another's next time (times, names, hashes) is taken out.

mod support;

use regex::Regex;
use support::Story;

const GO: &str = r##"runbook "Deploy the shop" {
  owner = "platform"
}
param version: string = "1.1"
step build "It is built" {
  let built = run "echo building #{version}; echo built > out" changes [file("out")]
  expect out: file("out") {
    .kind == "file"
    .text == "built\n"
  }
  show built.text
}
step ready {
  checklist "Before the doors open" {
    expect version != "1.0"
    confirm "Change ticket" as ticket: string matching "CHG-[0-9]+" by "operations"
  }
  for name in ["api", "web"] {
    expect name != ticket else warn "it is the ticket"
  }
}
verdict {
  expect file("out") is present
}
"##;

const RECOVERED: &str = r##"runbook "Mend it" { }
step start "It starts" {
  run "echo starting; test -e mended"
  expect file("mended") is present
  on-failure {
    run "touch mended" changes [file("mended")]
    retry 2
  }
  finally {
    run "true"
  }
}
"##;

const ACCEPTED: &str = r##"runbook "With a risk" {
  longest-risk = 36500d
}
step look {
  expect loki: "unhealthy" == "healthy" else "the health check is too strict"
  expect 1 == 2 else warn "one is not two"
  expect 1 == 1
}
accept-risk "Loki's check is too strict" {
  covers   = [look.loki]
  until    = 2100-01-01
  approver = "platform lead"
  reason   = "its logs | show normal operation"
}
"##;

const NO_GO: &str = r##"runbook "It does not work" {
  on-stop = rollback
}
step deploy "The new version" {
  run "echo '<b>out</b>'; echo 'to stderr' >&2"
  rollback {
    run "true"
  }
}
step check "It answers" {
  expect config: "{\n  \"port\": 80\n}" == "{\n  \"port\": 8080\n}"
  expect file("nowhere").size > 1B
  expect http.get("http://127.0.0.1:1/health").status == 200
}
step after {
  run "true"
}
"##;

const CANCELLED: &str = r##"runbook "Too slow" {
  timeout = 400ms
}
step slow "It takes long" {
  run "echo begun; sleep 30"
  finally {
    run "true"
  }
}
step after {
  expect 1 == 1
}
"##;

const RESUMED: &str = r##"runbook "Cut off" { }
step first {
  run "echo once > first" changes [file("first")]
  expect file("first") is present
}
step second "Safe to do again" idempotent {
  run "test -e cut || { touch cut; kill -9 $PPID; sleep 9; }"
  expect file("cut") is present
}
"##;

const FORMS: [(&str, &str); 6] =
    [("text", "txt"), ("markdown", "md"), ("html", "html"), ("junit", "xml"), ("tap", "tap"), ("json", "jsonl")];

/// Takes out what is another's next time.
fn normalised(form: &str, text: &str, story: &Story) -> String {
    let text = match form {
        "json" => events(text),
        "html" => {
            Regex::new("(?s)<style>.*</style>").expect("a pattern").replace(text, "<style>…</style>").into_owned()
        }
        _ => text.to_owned(),
    };
    let root = std::fs::canonicalize(story.folder.path()).expect("a folder");
    let mut text = text.replace(root.to_str().expect("a path"), "ROOT");
    for (pattern, instead) in [
        (r"\d{8}-\d{6}-[a-z0-9]{4}", "RUN"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [-+A-Z0-9]+", "TIME"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"plan\.runbook [0-9a-f]{12}", "plan.runbook HASH"),
        (r"\bfinished \d+|\b\d+(\.\d+)?(ms|s)\b(, asked)?", "…s"),
        (r"time=&quot;[0-9.]+&quot;", "time=…"),
        (r#"time="[0-9.]+""#, r#"time="…""#),
        (r#"hostname="[^"]*""#, r#"hostname="HOST""#),
        (r"duration_ms: [0-9.]+", "duration_ms: …"),
        (r"left:[0-9.]+%;width:[0-9.]+%", "left:…;width:…"),
        (r"  …s\n", "\n"),
        (r"\b0[0-7]{3}\b", "MODE"),
        (r"(- by: )`[^`]*`", "${1}WHO"),
        (r"(<dt>by</dt><dd>)[^<]* on [^<]*", "${1}WHO"),
        (r"(resumed by )\S+ on [^\s;<]+", "${1}WHO"),
        (r"(Resumed by )\S+", "${1}WHO"),
        (r"runbook \d+\.\d+\.\d+", "runbook VERSION"),
    ] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, instead).into_owned();
    }
    text
}

fn events(lines: &str) -> String {
    let mut out = String::new();
    for line in lines.lines() {
        let mut event: serde_json::Value = serde_json::from_str(line).expect("an event");
        // Who is asked first answers first, or not.
        if ["probed", "expect-decided"].iter().any(|name| event["type"] == *name) {
            continue;
        }
        taken_out(&mut event);
        out.push_str(&format!("{event}\n"));
    }
    out
}

fn taken_out(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.remove("seq");
            for (name, value) in fields.iter_mut() {
                match name.as_str() {
                    "duration" | "elapsed" | "remaining" | "by" | "host" | "program" | "stdlib" | "hash" => {
                        *value = "…".into()
                    }
                    _ => taken_out(value),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(taken_out),
        _ => {}
    }
}

/// Carries it out, and shows it in each form.
fn in_each_form(kind: &str, plan: &str, status: i32, run: impl FnOnce(&Story) -> support::Told) {
    let story = Story::new(plan);
    let told = run(&story);
    assert_eq!(told.status, status, "{}", told.text);
    for (form, ending) in FORMS {
        let report = story.run(&["report", "last", "--format", form]).stdout;
        insta::with_settings!({ omit_expression => true, description => format!("{kind}, as {form}") }, {
            insta::assert_snapshot!(format!("{kind}.{ending}"), normalised(form, &report, &story));
        });
    }
}

#[test]
fn go() {
    in_each_form("go", GO, 0, |story| {
        let at = jiff::Timestamp::now();
        let answer = format!(
            "[[answer]]\nitem = \"ready.Change ticket\"\nrole = \"operations\"\nby = \"Ana\"\nat = {at:.0}\nconfirmed = true\nvalue = \"CHG-4711\"\n"
        );
        story.write("answers.toml", &answer);
        story.run(&["exec", "plan.runbook", "--answers", "answers.toml"])
    });
}

#[test]
fn recovered() {
    in_each_form("recovered", RECOVERED, 0, Story::exec);
}

#[test]
fn with_an_accepted_risk() {
    in_each_form("accepted", ACCEPTED, 0, Story::exec);
}

#[test]
fn no_go() {
    in_each_form("no-go", NO_GO, 1, Story::exec);
}

#[test]
fn cancelled() {
    in_each_form("cancelled", CANCELLED, 1, Story::exec);
}

#[test]
fn resumed() {
    in_each_form("resumed", RESUMED, 0, |story| {
        story.exec();
        story.run(&["resume", "last"])
    });
}
