//! What a report says of states that are hard to bring about: each form is given events that were made by hand, without a run.

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use runbook::engine::events::event::{Published, Sink};
use runbook::report::html::html;
use runbook::report::junit::junit;
use runbook::report::live::Live;
use runbook::report::markdown::markdown;
use runbook::report::tap::tap;
use runbook::report::text::{Settings, Text};
use runbook::report::texts::Texts;
use serde_json::{Value, json};
use support::by_hand::{Events, dry_run, row, verdict};

/// What a form has written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panicked").clone()).expect("text")
    }
}

type Form = fn(Written) -> Box<dyn Sink>;

const FORMS: [(&str, Form); 5] = [
    ("txt", |out| Box::new(Text::new(out.clone(), out, Settings::default()))),
    ("md", |out| Box::new(markdown(out))),
    ("html", |out| Box::new(html(out, Texts::default()))),
    ("xml", |out| Box::new(junit(out))),
    ("tap", |out| Box::new(tap(out))),
];

/// How forms show what was made by hand.
trait Shown {
    /// What it is in one form.
    fn told(&self, form: Form) -> String;

    /// In each form, with nothing in it that any page has.
    fn shown(&self, name: &str);
}

impl Shown for Events {
    fn told(&self, form: Form) -> String {
        let out = Written::default();
        self.tell(form(out.clone()));
        out.text()
    }

    fn shown(&self, name: &str) {
        let zone = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [-+A-Z0-9]+").expect("a pattern");
        for (ending, form) in FORMS {
            let mut text = self.told(form);
            if let Some((_, main)) = text.split_once("</style>") {
                text = main.to_owned();
            }
            let text = zone.replace_all(&text, "TIME").into_owned();
            insta::with_settings!({ omit_expression => true }, {
                insta::assert_snapshot!(format!("{name}.{ending}"), text);
            });
        }
    }
}

#[test]
fn what_was_cut_short_is_not_decided() {
    Events::new("exec", &["a"])
        .step("a")
        .and(row(4, "a.up", "holds", json!({})))
        .and(row(
            5,
            "a.color",
            "undecided",
            json!({
                "expected": "\"green\"", "actual": "\"green\"", "attempts": 3, "elapsed": 2.5, "within": 60.0,
                "reason": "the run was stopped: the disk is full", "message": "it stays blue",
            }),
        ))
        .and(row(6, "a.same", "holds", json!({ "shared": "a.up" })))
        .ended("a", "failed")
        .and(verdict(
            "NO-GO",
            json!({
                "reasons": ["stop: the disk is full"],
                "steps": { "passed": 0, "recovered": 0, "failed": 1, "skipped": 0 },
                "expects": { "held": 2, "differed": 0, "unknown": 0, "waived": 0, "undecided": 1 },
            }),
        ))
        .shown("undecided");
}

#[test]
fn a_dry_run_says_what_would_refuse_stop_and_end_it() {
    dry_run().shown("dry-run");
}

#[test]
fn a_preflight_that_is_all_ready_is_one_line() {
    let events = |ok: bool| {
        let state = if ok { "ready" } else { "refused" };
        Events::new("exec", &["a"])
            .and(json!({ "type": "preflight-started" }))
            .and(json!({ "type": "preflight-checked", "kind": "secret", "what": "token", "state": state, "reason": "it is there" }))
            .and(json!({ "type": "preflight-ended", "ok": ok, "checked": 1, "refused": u32::from(!ok) }))
    };
    let text = events(true).told(FORMS[0].1);
    assert!(text.ends_with("\n\n✓ preflight  1 checked, all ready\n"), "{text}");
    // One that refuses is the last that happens, and what each form is about.
    let refused = events(false);
    for ((form, make), words) in FORMS.iter().zip([
        "✗ preflight  1 of 1 refused\n  ✗ secret token  refused: it is there\n",
        "⛔ **Not run** — preflight: 1 of 1 refused\n",
        "<strong>Not run</strong>",
        "<testcase classname=\"preflight\" name=\"secret token\"",
        "not ok 1 - preflight: secret token\n",
    ]) {
        let told = refused.told(*make);
        assert!(told.contains(words), "{form}: {words:?} is not in:\n{told}");
        assert!(!told.contains("GO"), "{form}: {told}");
    }
}

#[test]
fn a_run_that_was_rolled_back_has_two_verdicts_each_with_its_time() {
    let back = json!({ "step": "a", "part": "rollback" });
    let rolled_back = |outcome: &str, ok: bool| {
        let undone = json!([{ "of": "a", "ok": ok, "reason": if ok { Value::Null } else { json!("`rm x` failed") }, "elapsed": 2.0 }]);
        Events::new("exec", &["a"])
            .step("a")
            .and(row(4, "a.up", "holds", json!({})))
            .ended("a", "passed")
            .and(verdict("GO", json!({ "elapsed": 9.0 })))
            .and(json!({ "type": "rollback-started", "reason": "ana asked for it", "steps": ["a"] }))
            .at(&back, json!({ "type": "undo-started", "title": "a" }))
            .at(&back, json!({ "type": "action-started", "action": "rm x", "changes": "everything" }))
            .at(&back, json!({ "type": "action-ended", "action": "rm x", "ok": ok, "elapsed": 0.1 }))
            .at(&back, json!({ "type": "undo-ended", "ok": ok, "elapsed": 2.0 }))
            .and(verdict(outcome, json!({ "undone": undone, "reasons": ["ana asked for it"], "elapsed": 2.0 })))
    };
    rolled_back("ROLLED BACK", true).shown("rolled-back");
    let failed = rolled_back("ROLLBACK FAILED", false);
    for ((form, make), words) in FORMS.iter().zip([
        &[" GO ", " ROLLBACK FAILED   0 steps undone, 1 not · 2.0s", "  ◀ not undone a"][..],
        &["✅ **GO** — ", "❌ **ROLLBACK FAILED** — 0 steps undone, 1 not; 2.0s"],
        &["<strong>GO</strong>", "<strong>ROLLBACK FAILED</strong>"],
        &["failures=\"1\"", "name=\"a not undone: `rm x` failed, 2.0s\"", "time=\"9.000\""],
        &["# GO: 1 held, 1 not\n# ROLLBACK FAILED\n", "not ok 2 - rollback: a not undone"],
    ]) {
        let told = failed.told(*make);
        words.iter().for_each(|words| assert!(told.contains(words), "{form}: {words:?} is not in:\n{told}"));
    }
}

#[test]
fn a_row_of_a_check_has_the_authors_name_and_line_first() {
    let inside = json!({
        "named": false, "check": "health: http.ok(u)", "asked": "http.get(\"http://x/\").status == 200",
        "inside": ["lib.runbook:7", "stdlib/http.runbook:145"],
    });
    // So it stands in journals of before.
    let via = json!({
        "named": false, "check": "health: http.ok(u)", "asked": "http.get(\"http://x/\").status == 200",
        "file": "stdlib/http.runbook", "line": 145, "via": ["lib.runbook:7", "x.runbook:12"],
    });
    for more in [inside, via] {
        let events = Events::new("exec", &["a"])
            .step("a")
            .and(row(12, "a.health.bda681.status", "differs", more))
            .ended("a", "failed")
            .and(verdict("NO-GO", json!({ "reasons": ["a"] })));
        for ((form, make), words) in FORMS.iter().zip([
            &[
                "✗ health: http.get(\"http://x/\").status == 200\n",
                "x.runbook:12, inside lib.runbook:7, stdlib/http.runbook:145\n",
            ][..],
            &["| health: `http.get(\"http://x/\").status == 200` (line 12) |"],
            &[
                "<b>health</b>",
                "<dt>at</dt><dd>x.runbook:12</dd>",
                "<dd>lib.runbook:7<br/>stdlib/http.runbook:145</dd>",
            ],
            &["name=\"health: http.get(", "at: x.runbook:12\ninside: lib.runbook:7, stdlib/http.runbook:145<"],
            &["a: health: http.get(", "  at: \"x.runbook:12\"\n  inside: \"lib.runbook:7, stdlib/http.runbook:145\"\n"],
        ]) {
            let told = events.told(*make);
            words.iter().for_each(|words| assert!(told.contains(words), "{form}: {words:?} is not in:\n{told}"));
        }
    }
}

#[test]
fn a_junit_suite_takes_the_time_of_its_step() {
    let events = Events::new("exec", &["a"])
        .step("a")
        .and(row(4, "a.one", "holds", json!({ "elapsed": 2.0 })))
        .and(row(5, "a.two", "holds", json!({ "elapsed": 2.0 })))
        .ended("a", "passed")
        .and(verdict("GO", json!({})));
    let xml = events.told(FORMS[3].1);
    let xml = roxmltree::Document::parse(&xml).expect("XML");
    let suite = xml.descendants().find(|node| node.has_tag_name("testsuite")).expect("a suite");
    let of = |name: &str| suite.attribute(name).unwrap_or_default();
    assert_eq!([of("time"), of("timestamp"), of("hostname")], ["3.000", "2026-01-02T03:00:02.000Z", "here"]);
}

/// How much processor time this thread took for it.
fn seconds(work: impl FnOnce()) -> f64 {
    // The first of its numbers is what the thread has run, in nanoseconds (proc_pid_schedstat(5)).
    let now = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the thread's times");
        stat.split(' ').next().and_then(|time| time.parse::<f64>().ok()).expect("a time") / 1e9
    };
    let before = now();
    work();
    now() - before
}

#[test]
fn a_report_of_a_hundred_thousand_rows_costs_ten_times_one_of_ten_thousand() {
    let run = |count: usize| {
        let mut events = Events::new("exec", &["a"]).step("a");
        for expect in 0..count / 10 {
            let line = |kind: &str, row: &str| {
                let head = format!(r#""seq":{expect},"time":"2026-01-02T03:00:00Z","type":"{kind}","step":"a""#);
                format!(r#"{{{head},"expect":"a.e{expect}{row}","text":"x","named":true,"file":"x.runbook","line":4"#)
            };
            let read = |line: String| Published::read(&line).expect("an event");
            events.0.push(read(line("expect-started", "") + "}"));
            for (at, state) in ["holds"; 9].into_iter().chain(["differs"]).enumerate() {
                let more = format!(r#","state":"{state}","expected":"1","actual":"1","attempts":1,"elapsed":0.001}}"#);
                events.0.push(read(line("expect-ended", &format!(".f{at}")) + &more));
            }
        }
        let group = json!({ "type": "group-ended", "ok": false });
        events.at(&json!({ "step": "a" }), group).ended("a", "failed").and(verdict("NO-GO", json!({})))
    };
    let (few, many) = (run(10_000), run(100_000));
    // What is handed on as it comes is in its section, each of it once.
    for (form, rows, sections) in [
        (FORMS[1], "\n| ✅ | e", "\n### `a`"),
        (FORMS[2], "<details class=\"row good\">", "<section "),
        (FORMS[3], "<testcase classname=\"a\" name=\"e", "<testsuite "),
    ] {
        let told = few.told(form.1);
        let count = if form.0 == "xml" { 10_000 } else { 9_000 };
        assert_eq!((told.matches(rows).count(), told.matches(sections).count()), (count, 1), "{}", form.0);
    }
    assert!(few.told(FORMS[1].1).contains("| 9000 held, 1000 differed |"));
    let live: Form = |out| Box::new(Live::new(out.clone(), out, Settings::default(), || (80, 24)));
    for (form, make) in FORMS.into_iter().chain([("live", live)]) {
        // The best of three: others work on this machine, too.
        let one = || seconds(|| drop(few.told(make)));
        let least = one().min(one()).min(one()).max(0.005);
        let ten = seconds(|| drop(many.told(make)));
        assert!(ten < least * 25.0, "{form}: {least:.3} s for 10,000, {ten:.3} s for 100,000");
    }
}
