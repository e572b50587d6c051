//! `confirm`: who answers, where, and what is refused.

mod support;

use support::{Story, Told};

const PLAN: &str = r##"runbook "Sign-off" { }

step signoff "People answer for it" {
  run "touch begun"
  confirm "Passwords are changed" by "security"
  confirm "Change ticket" as ticket: string matching "CHG-[0-9]+" by "operations"
  confirm "Seats" as seats: number by "operations"
}

step close {
  run "echo #{signoff.ticket} #{signoff.seats} > closed"
  expect signoff.seats + 1 == 13
}
"##;

/// An answer of now.
fn answer(item: &str, role: &str, more: &str) -> String {
    let at = jiff::Timestamp::now();
    format!("[[answer]]\nitem = \"{item}\"\nrole = \"{role}\"\nby = \"Ana\"\nat = {at:.0}\nconfirmed = true\n{more}\n")
}

fn all() -> String {
    [
        answer("signoff.Passwords are changed", "security", ""),
        answer("signoff.Change ticket", "operations", "value = \"CHG-4711\""),
        answer("signoff.Seats", "operations", "value = \"12\""),
    ]
    .concat()
}

/// Without a terminal, whatever the tests were started on.
fn alone(story: &Story, args: &[&str]) -> Told {
    let mut command = std::process::Command::new("setsid");
    command.args(["-w", support::BINARY]).args(args).current_dir(story.folder.path()).env("NO_COLOR", "1");
    support::told(command.stdin(std::process::Stdio::null()).output().expect("setsid(1) runs"))
}

#[test]
fn what_was_answered_before_is_in_the_record_and_in_the_report() {
    let story = Story::new(PLAN);
    story.write("answers.toml", &all());
    let told = alone(
        &story,
        &["exec", "plan.runbook", "--answers", "answers.toml", "--report", "r.html", "--report", "r.xml"],
    );
    assert_eq!(told.status, 0, "{}", told.text);
    assert_eq!(std::fs::read_to_string(story.path("closed")).expect("closed"), "CHG-4711 12\n");
    for words in ["☐ Passwords are changed  security", "☑ confirmed by Ana", "confirmed by Ana: CHG-4711"] {
        assert!(told.text.contains(words), "{words:?} is not in:\n{}", told.text);
    }
    let report = story.run(&["report", "last", "--format", "markdown"]).stdout;
    assert!(report.contains("| ☑ | Change ticket | confirmed by operations | Ana: `CHG-4711` |"), "{report}");
    assert!(report.contains("### Sign-offs") && report.contains("| Change ticket | operations | Ana | 20"), "{report}");
    assert!(report.contains("### The run") && report.contains("- runbook: `plan.runbook`"), "{report}");
    let html = std::fs::read_to_string(story.path("r.html")).expect("a page");
    assert!(html.contains("Change ticket") && html.contains("answers.toml"), "{html}");
    let xml = std::fs::read_to_string(story.path("r.xml")).expect("a report");
    assert!(xml.contains("confirm Passwords are changed by security"), "{xml}");
}

#[test]
fn what_is_not_answered_is_no_go() {
    let story = Story::new(PLAN);
    let told = alone(&story, &["exec", "plan.runbook"]);
    assert_eq!(told.status, 1, "{}", told.text);
    for words in [
        "\"Passwords are changed\" was not confirmed by security",
        "no `--answers` file was given",
        "no terminal to ask on",
    ] {
        assert!(told.text.contains(words), "{words:?} is not in:\n{}", told.text);
    }
    assert!(!story.path("closed").exists());
    story.write("answers.toml", &answer("signoff.Passwords are changed", "security", ""));
    let told = alone(&story, &["exec", "plan.runbook", "--answers", "answers.toml"]);
    assert_eq!(told.status, 1, "{}", told.text);
    assert!(
        told.text.contains("\"Change ticket\" was not confirmed by operations: `answers.toml` does not answer it"),
        "{}",
        told.text
    );
    let refused = all().replacen("confirmed = true", "confirmed = false", 1);
    story.write("answers.toml", &refused);
    let told = alone(&story, &["exec", "plan.runbook", "--answers", "answers.toml"]);
    assert_eq!(told.status, 1, "{}", told.text);
    assert!(told.text.contains("was refused by Ana (security)"), "{}", told.text);
}

#[test]
fn a_file_of_answers_is_refused_with_its_line() {
    let day = |hours: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        format!("at = {at:.0}\n")
    };
    let good = all();
    let now = good.lines().find(|line| line.starts_with("at = ")).expect("a time").to_owned() + "\n";
    for (from, to, words) in [
        (
            "role = \"security\"",
            "role = \"operations\"".to_owned(),
            "answers.toml:3: `signoff.Passwords are changed` is to be confirmed by security",
        ),
        (
            "signoff.Passwords are changed",
            "signoff.Passwords changed".to_owned(),
            "answers.toml:2: the runbook does not ask for",
        ),
        (now.as_str(), day(-200), "answers.toml:5: this answer is of"),
        (now.as_str(), day(3), "which has not come yet"),
        (
            now.as_str(),
            "at = 2026-11-20\n".to_owned(),
            "answers.toml:5: when it was answered has a day, a time and an offset",
        ),
        ("CHG-4711", "4711".to_owned(), "`4711` is not a string matching CHG-[0-9]+"),
        ("\"12\"", "\"many\"".to_owned(), "`many` is not a number"),
        ("value = \"12\"", String::new(), "asks for `seats`"),
        ("confirmed = true\n\n", "confirmed = true\nvalue = \"x\"\n".to_owned(), "asks for no value"),
        ("confirmed = true\n", "all = true\n".to_owned(), "answers.toml:"),
        ("signoff.Seats", "signoff.Change ticket".to_owned(), "is answered twice"),
        ("[[answer]]", "[[answer".to_owned(), "answers.toml:1:"),
    ] {
        let story = Story::new(PLAN);
        let text = good.replacen(from, &to, 1);
        assert_ne!(text, good, "{from}");
        story.write("answers.toml", &text);
        let told = alone(&story, &["exec", "plan.runbook", "--answers", "answers.toml"]);
        assert_eq!(told.status, 2, "{words}: {}", told.text);
        assert!(
            told.text.contains(words) && told.text.contains("nothing was run"),
            "{words:?} is not in:\n{}",
            told.text
        );
        assert!(!story.path("begun").exists() && !story.path(".runbook").exists());
    }
}

#[test]
fn what_was_confirmed_is_not_asked_again_when_a_run_is_gone_on_with() {
    let cut = PLAN.replace(
        "  expect signoff.seats",
        "  run \"test -e cut || { touch cut; kill -9 $PPID; sleep 9; }\"\n  expect signoff.seats",
    );
    let story = Story::new(&cut.replace("step close {", "step close idempotent {"));
    story.write("answers.toml", &all());
    let told = story.run(&["exec", "plan.runbook", "--answers", "answers.toml"]);
    assert_eq!(told.status, -1, "{}", told.text);
    let told = alone(&story, &["resume", "last"]);
    assert_eq!(told.status, 0, "{}", told.text);
}

#[test]
fn a_dry_run_says_what_will_be_asked_of_whom() {
    let told = Story::new(PLAN).dry_run();
    for words in [
        "would ask security: Passwords are changed",
        "would ask operations: Change ticket  ticket: a string matching CHG-[0-9]+",
        "typed by operations when it is run",
    ] {
        assert!(told.text.contains(words), "{words:?} is not in:\n{}", told.text);
    }
}

#[test]
fn the_answers_of_the_reference_answer_its_runbook() {
    let page = include_str!("../docs/language.md");
    let (_, section) = page.split_once("## What only a person knows").expect("the section");
    let block = |kind: &str| {
        let (_, rest) = section.split_once(&format!("```{kind}")).expect("a block");
        let (_, rest) = rest.split_once('\n').expect("its text");
        rest.split_once("```").expect("its end").0.to_owned()
    };
    let story = Story::new(&block("runbook"));
    let at = regex::Regex::new("at        = .*").expect("a pattern");
    let now = format!("at        = {:.0}", jiff::Timestamp::now());
    story.write("answers.toml", &at.replace_all(&block("toml"), now.as_str()));
    let told = alone(&story, &["exec", "plan.runbook", "--answers", "answers.toml"]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(told.text.contains("closing CHG-4711"), "{}", told.text);
}

const LIST: &str = r##"runbook "Ready" { }

step ready "Before the doors open" {
  run "touch begun"
  checklist "Doors" {
    confirm "Told" by "support"
    expect key: file("key") is present else "the key is missing"
    confirm "Floor" as floor: number by "house"
    for name in ["east", "west"] {
      expect file("#{name}") is present
    }
  }
  expect floor == 3
  on-failure {
    run "touch mended"
    if file("mend") is present {
      run "touch key"
    }
  }
}
"##;

/// With what the program looks for on its checklist.
fn list(present: &[&str]) -> Story {
    let story = Story::new(LIST);
    for name in present {
        story.write(name, "");
    }
    story.write(
        "answers.toml",
        &[answer("ready.Told", "support", ""), answer("ready.Floor", "house", "value = \"3\"")].concat(),
    );
    story
}

#[test]
fn a_checklist_ticks_what_can_be_seen_and_asks_for_the_rest() {
    let story = list(&["key", "east", "west"]);
    let reports = ["--report", "r.md", "--report", "r.html", "--report", "r.xml", "--report", "r.tap"];
    let told = alone(&story, &[&["exec", "plan.runbook", "--answers", "answers.toml"], &reports[..]].concat());
    assert_eq!(told.status, 0, "{}", told.text);
    // What the program sees comes first, wherever it stands on the list.
    let order = ["checklist: Doors", "✓ key: ", "☐ Told", "☑ confirmed by Ana", "☐ Floor", "✓ floor == 3"];
    let places: Vec<_> =
        order.iter().map(|words| told.text.find(words).unwrap_or_else(|| panic!("{words}: {}", told.text))).collect();
    assert!(places.is_sorted(), "{}", told.text);
    let markdown = std::fs::read_to_string(story.path("r.md")).expect("a report");
    assert!(markdown.contains("#### Checklist: Doors") && markdown.contains("#### Then"), "{markdown}");
    let html = std::fs::read_to_string(story.path("r.html")).expect("a report");
    assert!(html.contains("<h3>Checklist: Doors</h3>"), "{html}");
    for (file, count) in [("r.xml", "tests=\"6\""), ("r.tap", "1..6")] {
        let report = std::fs::read_to_string(story.path(file)).expect("a report");
        assert!(report.contains(count), "{report}");
    }
    let events = story.run(&["report", "last", "--format", "json"]).stdout;
    let listed = events.lines().filter(|line| line.contains("\"checklist\":\"Doors\"")).count();
    // Three expects with their beginnings and ends, their group's end, a loop of two, two confirms asked and given.
    assert!(listed >= 8 && events.lines().count() > listed, "{events}");
}

#[test]
fn nobody_is_asked_for_a_checklist_on_which_something_does_not_hold() {
    let story = list(&["east"]);
    let told = alone(&story, &["exec", "plan.runbook", "--answers", "answers.toml"]);
    assert_eq!(told.status, 1, "{}", told.text);
    assert!(told.text.contains("the key is missing") && told.text.contains("and 1 more"), "{}", told.text);
    assert!(!told.text.contains("☐ Told") && story.path("mended").exists(), "{}", told.text);
    // What its handler does stands on no list.
    let report = story.run(&["report", "last", "--format", "json"]).stdout;
    let mended = report.lines().filter(|line| line.contains("touch mended")).collect::<Vec<_>>();
    assert!(!mended.is_empty() && mended.iter().all(|line| !line.contains("checklist")), "{mended:?}");
    // Its handler may mend what is seen; then people are asked.
    let story = list(&["east", "west", "mend"]);
    let told = alone(&story, &["exec", "plan.runbook", "--answers", "answers.toml"]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(told.text.contains("☑ confirmed by Ana") && told.text.contains("recovered"), "{}", told.text);
}

#[test]
fn all_that_is_open_on_a_checklist_is_told_at_once() {
    let story = list(&["key", "east", "west"]);
    let told = alone(&story, &["exec", "plan.runbook"]);
    assert_eq!(told.status, 1, "{}", told.text);
    let reason = told.text.lines().find(|line| line.contains("step ready")).expect("a reason");
    for words in ["\"Told\" was not confirmed by support", "\"Floor\" was not confirmed by house"] {
        assert!(reason.contains(words), "{reason}");
    }
    let told = story.run(&["dry-run", "plan.runbook"]);
    for words in ["checklist: Doors", "would ask support: Told", "would ask house: Floor"] {
        assert!(told.text.contains(words), "{words:?} is not in:\n{}", told.text);
    }
}

#[test]
fn a_checklist_that_was_cut_off_is_gone_on_with_where_it_was() {
    let story = list(&["key", "east", "west"]);
    story.write(
        "plan.runbook",
        &LIST.replace("  expect floor == 3\n", "  expect floor == 3\n  run \"kill -9 $PPID\"\n"),
    );
    let told = alone(&story, &["exec", "plan.runbook", "--answers", "answers.toml"]);
    assert_eq!(told.status, -1, "{}", told.text);
    // The answers are in the record: nobody is asked a second time, and what was typed is known.
    let told = alone(&story, &["resume", "last", "--assume-done", "ready"]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(!told.text.contains("☐ Told"), "{}", told.text);
}
