//! A run on a terminal: what is drawn while it goes on, what stays, and what is typed: a secret, a confirmation, what a person
//! decides about an action in doubt. By script(1), whose terminal is real.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{BINARY, Story};

/// Runs a command on a terminal, and types a line when it shows `when`; what the terminal showed.
fn on_a_terminal(story: &Story, command: &str, when: &str, typed: &str) -> String {
    conversation(story, command, &[(when, typed)])
}

/// The same with several lines, each when something is shown.
fn conversation(story: &Story, command: &str, lines: &[(&str, &str)]) -> String {
    conversation_with(story, command, lines, ("NO_COLOR", "1"))
}

fn conversation_with(story: &Story, command: &str, lines: &[(&str, &str)], env: (&str, &str)) -> String {
    let shown = story.path("shown");
    let mut script = Command::new("script");
    script
        .env_remove("CI")
        .args(["-qefc", &format!("{BINARY} {command}")])
        .arg(&shown)
        .current_dir(story.folder.path())
        .env("NO_COLOR", "1")
        .env("TERM", "xterm-256color")
        .env(env.0, env.1)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = script.spawn().expect("script(1) runs");
    let mut keys = child.stdin.take().expect("its keys");
    let read = || String::from_utf8_lossy(&std::fs::read(&shown).unwrap_or_default()).into_owned();
    let began = Instant::now();
    for (when, typed) in lines {
        while !read().contains(when) {
            assert!(began.elapsed() < Duration::from_secs(20), "{when:?} was not shown: {}", read());
            std::thread::sleep(Duration::from_millis(20));
        }
        keys.write_all(format!("{typed}\r").as_bytes()).expect("typed");
    }
    child.wait().expect("it ends");
    drop(keys);
    read()
}

#[test]
fn a_secret_that_is_typed_is_not_shown_and_not_recorded() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nsecret code = prompt(\"One-time code\")\nstep a {\n  run \"printf %s \\\"$CODE\\\" | wc -c > length; echo it is $CODE\" env { CODE: code } accept-pipe-failures\n  expect code == \"another\" else warn \"it is another\"\n}\n",
    );
    let shown = on_a_terminal(&story, "exec -v plan.runbook", "One-time code:", "canary-typed-4be1");
    assert!(shown.contains(" GO ") && shown.contains("it is ‹secret code›"), "{shown}");
    assert_eq!(std::fs::read_to_string(story.path("length")).expect("a length").trim(), "17");
    assert!(!shown.contains("canary-typed"), "{shown}");
    let report = story.run(&["report", "-v", "--format", "json", "last"]);
    assert!(report.text.contains("‹secret code›") && !report.text.contains("canary-typed"), "{}", report.text);
}

#[test]
fn a_person_decides_about_an_action_in_doubt() {
    let plan = "runbook \"T\" { proof = none }\nstep a {\n  run \"echo once >> log; test -e cut || { touch cut; kill -9 $PPID; sleep 9; }\"\n}\n";
    for (typed, word, log) in [
        ("y", "a person decided that it was done", "once\n"),
        ("no", "a person decided that it is done again", "once\nonce\n"),
        ("q", "left as it is; nothing was done", "once\n"),
    ] {
        let story = Story::new(plan);
        story.exec();
        let shown = on_a_terminal(&story, "resume last", "Was it done?", typed);
        assert!(shown.contains(word), "{typed}: {shown}");
        assert_eq!(std::fs::read_to_string(story.path("log")).expect("a log"), log, "{typed}: {shown}");
    }
}

#[test]
fn a_person_confirms_and_types_what_is_asked_for() {
    let plan = "runbook \"T\" { proof = none }\nstep a {\n  confirm \"Change ticket\" as ticket: string matching \"CHG-[0-9]+\" by \"operations\"\n  run \"echo #{ticket} > ticket\"\n}\n";
    let story = Story::new(plan);
    let shown = conversation(
        &story,
        "exec plan.runbook",
        &[
            ("as operations, yes or no:", "yes"),
            ("your name [", "Ana"),
            ("ticket (a string matching CHG-[0-9]+):", "4711"),
            ("`4711` is not a string matching", "CHG-4711"),
        ],
    );
    assert!(shown.contains("confirmed by Ana: CHG-4711") && shown.contains(" GO "), "{shown}");
    assert_eq!(std::fs::read_to_string(story.path("ticket")).expect("a ticket"), "CHG-4711\n");
    let shown = conversation(&story, "exec plan.runbook", &[("as operations, yes or no:", "no"), ("your name [", "")]);
    assert!(shown.contains("was refused by") && shown.contains("NO-GO"), "{shown}");
}

const COURSE: &str = r##"runbook "Course" {
  timeout = 5m
}
step quick {
  run "echo hidden"
  expect 1 == 1
}
step pull "The images are here" {
  run "for i in $(seq 1 30); do echo layer $i; sleep 0.05; done" timeout 1m
}
step wait "It comes up" {
  run "setsid sh -c 'sleep 0.8; touch up' >/dev/null 2>&1 &"
  expect file("up") is present within 9s every 100ms
  expect 2 == 2
}
step mend {
  run "seq 100 140"
  expect file("mended") is present else "it is broken"
  on-failure {
    run "touch mended"
  }
}
"##;

/// Every screen that was shown, as a terminal of 24 lines shows it; the last is what stays.
fn screens(shown: &str) -> Vec<String> {
    let size = |count| std::num::NonZero::new(count).expect("some");
    let mut terminal = vt100::Parser::new(size(24), size(80), 0);
    let mut screens = Vec::new();
    // Behind each thing that is drawn at once.
    for bytes in shown.split_inclusive("\u{1b}[?2026l") {
        terminal.process(bytes.as_bytes());
        screens.push(terminal.screen().contents());
    }
    screens
}

#[test]
fn what_goes_on_is_drawn_and_what_stays_is_short() {
    let story = Story::new(COURSE);
    let shown = on_a_terminal(&story, "exec plan.runbook", "", "");
    let screens = screens(&shown);
    let line = |screen: &str, has: &[&str]| screen.lines().any(|line| has.iter().all(|words| line.contains(words)));
    // A command, its limit, and the last lines that it printed, but not all of them.
    let layers = |screen: &String| -> Vec<u32> {
        screen.lines().filter_map(|line| line.split_once("│ layer ")?.1.trim().parse().ok()).collect()
    };
    let pulling =
        screens.iter().find(|screen| layers(screen).first().is_some_and(|first| *first > 1)).expect("a screen of it");
    assert!(line(pulling, &["pull  The images are here"]) && line(pulling, &["$ for i in", "s of 1m"]), "{pulling}");
    let shown_layers = layers(pulling);
    assert_eq!(shown_layers, (shown_layers[0]..shown_layers[0] + 5).collect::<Vec<u32>>(), "{pulling}");
    assert!(line(pulling, &["1 of 4 steps · 1 held", "s of 5m"]), "{pulling}");
    // Expects turn from waiting to held, each by itself.
    let waiting = ["◌ file(\"up\") is present", "asked", "times", "s left"];
    let waiting = screens.iter().find(|screen| line(screen, &waiting)).expect("a screen of it");
    assert!(line(waiting, &["found absent"]) && line(waiting, &["✓ 2 == 2", "asked once · "]), "{waiting}");
    // What stays: a line for a step that passed, what did not go smoothly for one that did not, and the verdict.
    let last = screens.last().expect("a screen");
    let order = [
        "Course\n",
        "✓ quick  1 held · ",
        "✓ pull  The images are here  ",
        "✓ wait  It comes up  2 held · ",
        "  $ seq 100 140\n    │ … 36 lines before these\n    │ 136\n",
        "  ✗ file(\"mended\") is present\n",
        "  ↳ on-failure\n  $ touch mended\n",
        "↻ mend recovered",
        " GO   steps: 3 passed, 1 recovered",
        "  all of it: runbook report 20",
    ];
    let whole = shown.replace("\r\n", "\n");
    // The last lines are in sight, what is above them was.
    for words in &order[4..] {
        assert!(last.contains(words), "{words:?} is not in:\n{last}");
    }
    for words in &order[..4] {
        assert!(whole.contains(words), "{words:?} is not in:\n{whole}");
    }
    for words in ["◌", " of 4 steps", "layer", "hidden", "▶ wait"] {
        assert!(!last.contains(words), "{words:?} is in:\n{last}");
    }
    // The record tells what the terminal did not.
    let report = story.run(&["report", "last"]).stdout;
    assert!(report.contains("│ hidden") && report.contains("│ layer 30") && report.contains("│ 100\n"), "{report}");
}

#[test]
fn nothing_is_drawn_where_nobody_looks_on() {
    let story = Story::new(COURSE);
    story.write("mended", "");
    let piped = story.exec().text;
    assert!(piped.contains("│ hidden") && !piped.contains('\u{1b}') && !piped.contains("all of it"), "{piped}");
    let quiet = on_a_terminal(&story, "exec -q plan.runbook", "", "");
    let lines: Vec<&str> =
        quiet.lines().filter(|line| !line.starts_with("Script ") && !line.trim().is_empty()).collect();
    assert!(lines.len() == 1 && lines[0].starts_with(" GO "), "{quiet}");
    // A CI system may have a terminal; it keeps every byte.
    let ci = conversation_with(&story, "exec plan.runbook", &[("", "")], ("CI", "true"));
    assert!(ci.contains("│ hidden") && !ci.contains('\u{1b}'), "{ci}");
    let verbose = on_a_terminal(&story, "exec -v plan.runbook", "", "");
    assert!(
        verbose.contains("│ hidden") && verbose.contains("✓ 1 == 1") && verbose.contains("\u{1b}[?2026h"),
        "{verbose}"
    );
}

#[test]
fn who_is_asked_is_not_drawn_over() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"sleep 0.3\"\n  checklist \"Doors\" {\n    confirm \"It is said\" by \"tests\"\n    expect 1 == 1\n  }\n  run \"sleep 0.3\"\n}\n",
    );
    let shown = conversation(&story, "exec plan.runbook", &[("yes or no:", "yes"), ("your name [", "")]);
    let (before, rest) = shown.split_once("as tests, yes or no: ").expect("a question");
    let (asked, after) = rest.split_once("confirmed by").expect("an answer");
    let drawn = "\u{1b}[?2026h";
    assert!(before.contains(drawn) && after.contains(drawn) && !asked.contains(drawn), "{shown}");
    let last = screens(&shown).pop().expect("a screen");
    // Who is asked sees what is ticked already.
    assert!(before.contains("checklist: Doors") && before.contains("✓ 1 == 1"), "{before}");
    assert!(last.contains("☐ It is said") && last.contains(" GO ") && !last.contains("of 1 steps"), "{last}");
}

#[test]
fn what_is_printed_at_the_end_is_not_drawn_over() {
    let story = Story::new("runbook \"T\" { proof = none }\nstep a {\n  run \"sleep 0.4\"\n}\n");
    let shown = on_a_terminal(&story, "exec --format markdown plan.runbook", "", "");
    let last = screens(&shown).pop().expect("a screen");
    assert!(last.contains("- owner") || last.contains("- with: `runbook"), "{last}");
    assert!(shown.contains("\u{1b}[?2026h") && !last.contains("of 1 steps"), "{last}");
}

#[test]
fn a_run_that_is_gone_on_with_is_drawn_from_where_it_was() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a {\n  run \"true\"\n}\nstep b \"The second\" idempotent {\n  run \"test -e cut || { touch cut; kill -9 $PPID; sleep 9; }; sleep 0.4\"\n}\n",
    );
    story.exec();
    let shown = on_a_terminal(&story, "resume last", "", "");
    let drawn = screens(&shown);
    let drawn = drawn.iter().find(|screen| screen.contains("1 of 2 steps")).expect("a screen of it");
    assert!(drawn.contains("b  The second") && drawn.contains("$ test -e cut"), "{drawn}");
}

#[test]
fn what_a_command_prints_steers_nothing() {
    let story = Story::new("runbook \"T\" { proof = none }\nstep a {\n  run \"cat hostile; sleep 0.4; exit 1\"\n}\n");
    story.write("hostile", "\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}txt.exe over\u{9b}31m\n");
    let shown = on_a_terminal(&story, "exec plan.runbook", "", "");
    assert!(shown.contains("␛[2J␛]0;title␇"), "{shown}");
    for harm in ["\u{1b}[2J", "\u{1b}]0", "\u{202e}", "\u{9b}", "\u{7}"] {
        assert!(!shown.contains(harm), "{shown:?}");
    }
}

#[test]
fn a_terminal_that_becomes_narrower_is_drawn_on_as_it_is() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a \"A title that is long enough to reach beyond forty columns\" {\n  run \"stty cols 90 rows 24 </dev/tty; sleep 0.5; stty cols 40 rows 24 </dev/tty; sleep 0.5\"\n}\n",
    );
    let shown = on_a_terminal(&story, "exec plan.runbook", "", "");
    let escapes = regex::Regex::new("\u{1b}\\[[0-9;?]*[A-Za-z]").expect("a pattern");
    let widest = |frame: &str| {
        let drawn = frame.rsplit_once("\u{1b}[J").map_or(frame, |(_, drawn)| drawn);
        escapes
            .replace_all(drawn, "")
            .lines()
            .map(|line| line.trim_end_matches('\r').chars().count())
            .max()
            .unwrap_or(0)
    };
    let frames: Vec<usize> = shown
        .split("\u{1b}[?2026h")
        .skip(1)
        .map(|frame| frame.split("\u{1b}[?2026l").next().unwrap_or_default())
        .map(widest)
        .collect();
    assert!(frames.contains(&89), "{frames:?}");
    let narrow = frames.iter().rposition(|width| *width > 39).expect("a wide one") + 1;
    // A frame as wide as there is room, and none wider; behind the step's end there is less to draw.
    let narrow = &frames[narrow..];
    assert!(narrow.contains(&39) && narrow.iter().all(|width| *width <= 39), "{frames:?}");
    // What was drawn with 89 columns took three rows of 40 each.
    assert!(shown.contains("\u{1b}[7A") || shown.contains("\u{1b}[8A"), "{shown:?}");
}
