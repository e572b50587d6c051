//! What an expect comes to, as events tell it: what was cut short, what was seen, and where the author wrote it.

mod support;

use std::time::Duration;

use serde_json::Value as Json;
use support::Story;

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
