//! What an expect comes to, as events tell it: what was cut short, what was seen, and where the author wrote it.

mod support;

use std::time::Duration;

use serde_json::Value as Json;
use support::{Server, Story};

/// The rows of a run, by their ids.
fn rows(events: &[Json]) -> Vec<(&str, &Json)> {
    let ended = events.iter().filter(|event| event["type"] == "expect-ended");
    ended.filter_map(|event| Some((event["expect"].as_str()?, event))).collect()
}

#[track_caller]
fn row<'e>(events: &'e [Json], id: &str) -> &'e Json {
    let found = rows(events).into_iter().find(|(row, _)| *row == id);
    found.unwrap_or_else(|| panic!("there is no row {id} in {events:#?}")).1
}

#[track_caller]
fn verdict(events: &[Json]) -> &Json {
    events.iter().find(|event| event["type"] == "verdict").expect("a verdict")
}

/// A run that a stop block ends half a second after its expects began.
const CUT: &str = r#"runbook "Cut" { }

stop "The front is shut" {
  when file("shut") is present every 50ms
}

step look {
  run "touch green; (sleep 0.5; touch shut) >/dev/null 2>&1 &"
  expect done: 1 == 1
  expect never: file("never") is present within 20s every 50ms
  expect shown: file("green") within 20s every 50ms {
    .kind == "file"
    .size == 7B
  }
  expect kept: file("green") for 10s within 20s every 50ms {
    .kind == "file"
    .size == 0B
  }
  expect past: file("never") is present within 100ms every 50ms
  expect hopeless: file("never") is present for 19800ms within 20s every 50ms
}
"#;

#[test]
fn what_is_cut_short_is_undecided_and_what_held_says_so() {
    let events = Story::new(CUT).events("exec");
    let told = |id: &str| {
        let row = row(&events, id);
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        [text("state"), text("expected"), text("actual"), text("reason")]
    };
    let cut = "cut short: stopped: The front is shut";
    assert_eq!(told("look.done"), ["holds", "1", "1", ""]);
    assert_eq!(told("look.never"), ["undecided", "present", "absent: `never` does not exist", cut]);
    // Of a block, what held when it was seen last did hold; the other is open.
    assert_eq!(told("look.shown.kind"), ["holds", "\"file\"", "\"file\"", ""]);
    assert_eq!(told("look.shown.size"), ["undecided", "7B", "0B", cut]);
    for row in ["look.kept.kind", "look.kept.size"] {
        let [state, expected, actual, reason] = told(row);
        assert_eq!((state.as_str(), expected), ("undecided", actual));
        assert!(reason.starts_with("cut short after holding for "), "{reason}");
        assert!(reason.ends_with(" of the required 10s: stopped: The front is shut"), "{reason}");
    }
    // What had failed before is no less false because of the stop; nor is what had no time left to become true.
    assert_eq!(told("look.past")[0], "differs");
    assert_eq!(told("look.hopeless"), ["differs", "present", "absent: `never` does not exist", ""]);
    let verdict = verdict(&events);
    assert_eq!(verdict["verdict"], "NO-GO");
    let counts = &verdict["expects"];
    let counts = ["held", "differed", "unknown", "waived", "undecided"].map(|count| counts[count].as_u64());
    assert_eq!(counts, [2, 2, 0, 0, 4].map(Some), "{verdict}");
    let group = events.iter().find(|event| event["type"] == "group-ended").expect("a group");
    assert_eq!(group["ok"], false);
}

#[test]
fn an_accepted_risk_does_not_cover_what_is_undecided() {
    let runbook = r#"runbook "Risk" { timeout = 600ms }

accept-risk "It may be missing" {
  covers = ["look.never", "look.late"]
  until = SOON
  approver = "lead"
  reason = "a test"
}

step look {
  expect late: file("late") is present within 100ms every 50ms
  expect never: file("never") is present within 20s every 50ms
}
"#;
    let soon = jiff::Timestamp::now() + Duration::from_secs(10 * 24 * 3600);
    let soon = soon.strftime("%Y-%m-%d").to_string();
    let story = Story::new(&runbook.replace("SOON", &soon));
    let events = story.events("exec");
    let late = row(&events, "look.late");
    assert_eq!((&late["state"], &late["waived"]), (&"differs".into(), &true.into()), "{late}");
    let never = row(&events, "look.never");
    assert_eq!((&never["state"], &never["waived"]), (&"undecided".into(), &Json::Null), "{never}");
    let reason = never["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("cut short: the run's time limit of 600ms"), "{reason}");
    let group = events.iter().find(|event| event["type"] == "group-ended").expect("a group");
    assert_eq!(group["ok"], false, "it blocks");
    let verdict = verdict(&events);
    assert_eq!(verdict["verdict"], "NO-GO");
    assert_eq!(verdict["expects"]["waived"], 1);
    assert_eq!(verdict["expects"]["undecided"], 1);
}

const LIBRARY: &str = r##"check well(base: url, under: duration = 30s) {
  expect http.get("#{base}/health") {
    .status == 200
    .time < under
  }
}
"##;

#[test]
fn a_row_of_a_check_stands_on_the_authors_line_under_the_authors_name() {
    let server = Server::answering(503, "down");
    let story = Story::new(&format!(
        r##"runbook "Named" {{ }}

use "lib.runbook" as lib

let base = "{}"

step look {{
  expect health: lib.well(base) else "the shop is closed"
}}
"##,
        server.base
    ));
    story.write("lib.runbook", LIBRARY);
    let events = story.events("exec");
    let found: Vec<(String, &Json)> = rows(&events).into_iter().map(|(id, row)| (id.to_owned(), row)).collect();
    assert_eq!(found.len(), 2, "{events:#?}");
    for ((id, row), (own, line, words)) in found.iter().zip([("status", 3, "== 200"), ("time", 4, "< 30s")]) {
        assert!(id.starts_with("look.health.") && id.ends_with(own), "{id}");
        assert_eq!((row["file"].as_str(), row["line"].as_u64()), (Some("plan.runbook"), Some(8)), "{row}");
        assert_eq!(row["inside"], serde_json::json!([format!("lib.runbook:{line}")]), "{row}");
        assert_eq!(row["check"], format!("health: lib.well(\"{}\")", server.base), "{row}");
        assert_eq!(row["asked"], format!("http.get(\"{}/health\").{own} {words}", server.base), "{row}");
    }
    assert_eq!((&found[0].1["expected_value"], &found[0].1["actual_value"]), (&200.into(), &503.into()));
    assert_eq!(found[1].1["expected_value"], serde_json::json!({ "duration": "30000000000" }));
    let group = events.iter().find(|event| event["type"] == "group-ended").expect("a group");
    let reason = group["reason"].as_str().unwrap_or_default();
    let wanted = format!(
        "look.health: http.get(\"{}/health\").status == 200: the shop is closed: expected 200, found 503 \
         (plan.runbook:8, inside lib.runbook:3)",
        server.base
    );
    assert_eq!(reason, wanted);
}

#[test]
fn rows_that_rest_on_one_request_say_so_and_nothing_is_asked_to_tell_of_them() {
    let server = Server::answering(503, "down");
    let story = Story::new(&format!(
        r##"runbook "Shared" {{ }}

param base: url = "{}"

step look {{
  expect up: http.get("#{{base}}/health") {{
    .status == 503
    .text == "down"
  }}
  for _n in [1, 2] {{
    expect quick: http.get("#{{base}}/health").status == 503
  }}
  expect alone: http.get("#{{base}}/other").status == 503
  expect fine: http.get("#{{base}}/health").status == 200 else "it answers #{{http.get("#{{base}}/health").text}}"
  expect each: all(path in ["/a", "/b"], http.get("#{{base}}#{{path}}").status == 200)
}}
"##,
        server.base
    ));
    let events = story.events("exec");
    let shared = |id: &str| row(&events, id)["shared"].as_str().map(str::to_owned);
    assert_eq!(shared("look.up.status"), None);
    assert_eq!(shared("look.up.text"), None, "a row of the same block shares, as everyone sees");
    assert_eq!(shared("look.quick[1]"), Some("look.up.status".to_owned()));
    assert_eq!(shared("look.quick[2]"), Some("look.up.status".to_owned()));
    assert_eq!(shared("look.alone"), None);
    assert_eq!(shared("look.fine"), Some("look.up.status".to_owned()));
    assert_eq!(row(&events, "look.fine")["message"], "it answers down");
    let each = row(&events, "look.each")["actual"].as_str().unwrap_or_default();
    assert_eq!(each, "2 of 2 failed: \"/a\" (503), \"/b\" (503)");
    let mut asked = server.requests.lock().expect("requests").clone();
    asked.sort();
    assert_eq!(asked.len(), 4, "each is asked once: {asked:?}");
    let probed = events.iter().filter(|event| event["type"] == "probed").count();
    assert_eq!(probed, 4);
}

#[test]
fn the_parts_of_an_or_are_told_one_by_one() {
    let story = Story::new(
        r##"runbook "Parts" { }

step look {
  let a = { ready: false, code: 3 }
  let b = { ready: false, code: 4 }
  expect bare: a.ready or b.ready
  expect two: a.code == 1 or b.code == 1
  expect one: a.code == 1 or a.code == 2
  expect both: a.code == 3 and b.code == 3 and b.ready
}
"##,
    );
    let events = story.events("exec");
    let told = |id: &str| {
        let row = row(&events, id);
        [&row["expected"], &row["actual"]].map(|words| words.as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(told("look.bare"), ["a.ready or b.ready", "a.ready: false; b.ready: false"]);
    assert_eq!(told("look.two"), ["a.code == 1 or b.code == 1", "a.code: 3; b.code: 4"]);
    assert_eq!(told("look.one"), ["1 or 2", "3"]);
    assert_eq!(told("look.both"), ["b.code == 3; b.ready", "b.code: 4; b.ready: false"]);
}
