//! What people see of a run, in each form: snapshots, with times and hashes taken out.

mod support;

use support::Story;

const PLAN: &str = r##"## What a report is made of.
runbook "Deploy the shop" {
  owner = "platform"
}

param version: string = "1.1"

step prepare "The folder is there" if needed {
  run "mkdir -p shop"
  expect file("shop").kind == "folder"
}

step deploy "The new version takes over" {
  let r = run "echo deploying #{version}; printf '{\"version\": \"%s\", \"workers\": [1, 2]}' #{version} > shop/state.json"
  show r.text
  expect state: file("shop/state.json") {
    .kind == "file"
    .json["version"] == version
    .json["workers"] == [1, 2]
  }
  expect ready: file("shop/ready") is present within 300ms every 100ms else "nobody said that it is ready"
  on-failure {
    run "touch shop/ready"
  }
}

step tidy "Old things are gone" {
  expect file("shop/old") is absent else warn "the old folder is still there"
}
"##;

fn normalised(text: &str) -> String {
    let times = regex::Regex::new(r"\b\d+(\.\d+)?(ms|s)\b").expect("a pattern");
    let asked = regex::Regex::new(r"asked \d+ times").expect("a pattern");
    let short = regex::Regex::new(r"  …s\n").expect("a pattern");
    let run = regex::Regex::new(r" · run \d{8}-\d{6}-[a-z0-9]{4}").expect("a pattern");
    // Of the facts of a run, those that are another's next time.
    let facts = regex::Regex::new(r"- (run|began|by|with): `[^`]*`\n").expect("a pattern");
    let text = &facts.replace_all(text, "- $1: `…`\n");
    let hash = regex::Regex::new(r"\b[0-9a-f]{12,64}\b").expect("a pattern");
    let text = asked.replace_all(text, "asked … times");
    let text = hash.replace_all(&text, "…");
    let text = run.replace_all(&text, "");
    let text = times.replace_all(&text, "…s");
    short.replace_all(&text, "\n").into_owned()
}

fn shown(name: &str, story: &Story, args: &[&str]) {
    let told = story.run(args);
    insta::with_settings!({ description => args.join(" ") }, {
        insta::assert_snapshot!(name, normalised(&told.stdout));
    });
}

fn both(story: &Story, args: &[&str]) -> String {
    let script = format!("exec '{}' {} 2>&1", support::BINARY, args.join(" "));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).current_dir(story.folder.path()).env("NO_COLOR", "1");
    normalised(&support::told(command.output().expect("it runs")).stdout)
}

#[test]
fn a_dry_run_before_a_run_and_after_it() {
    let story = Story::new(PLAN);
    shown("dry_run_before", &story, &["dry-run", "plan.runbook"]);
    shown("dry_run_before_markdown", &story, &["dry-run", "--format", "markdown", "plan.runbook"]);
    story.exec();
    shown("dry_run_after", &story, &["dry-run", "plan.runbook"]);
}

#[test]
fn a_run_that_recovers() {
    insta::assert_snapshot!("recovered", both(&Story::new(PLAN), &["exec", "plan.runbook"]));
    shown("recovered_markdown", &Story::new(PLAN), &["exec", "--format", "markdown", "plan.runbook"]);
}

#[test]
fn a_run_that_fails_shows_just_what_differs() {
    let plan =
        PLAN.replace("touch shop/ready", "true").replace("\\\"workers\\\": [1, 2]", "\\\"workers\\\": [1, 3, 4]");
    let story = Story::new(&plan);
    std::fs::create_dir_all(story.path("shop/old")).expect("a folder");
    insta::assert_snapshot!("failed", both(&story, &["exec", "plan.runbook"]));
    shown("failed_markdown", &story, &["exec", "--format", "markdown", "plan.runbook"]);
}

#[test]
fn a_run_in_colour() {
    let story = Story::new(PLAN);
    let told = story.run(&["--color", "always", "exec", "plan.runbook"]);
    insta::assert_snapshot!("colour", normalised(&told.text).replace('\u{1b}', "␛"));
}

#[test]
fn foreign_text_is_harmless_in_each_form() {
    let story = Story::new(
        "runbook \"T\" { }\nstep a {\n  let r = run \"cat hostile\"\n  show r.text\n  expect r.text == \"calm\"\n}\n",
    );
    story.write(
        "hostile",
        "<script>alert(1)</script> ```\n| a | b |\n\u{1b}[2J\u{1b}]0;title\u{7}\r\u{202e}txt.exe\u{202c} # heading [link](http://127.0.0.1)\n",
    );
    for format in ["text", "markdown", "json", "junit", "tap", "html"] {
        let told = story.run(&["exec", "--format", format, "plan.runbook"]);
        assert_eq!(told.status, 1);
        for harmful in ['\u{1b}', '\u{7}', '\r', '\u{202e}'] {
            assert!(!told.text.contains(harmful), "{format} holds {harmful:?}:\n{}", told.text);
        }
    }
    let page = story.run(&["report", "--format", "html", "last"]).stdout;
    let page = page_of(&page);
    assert!(page.descendants().all(|node| !node.has_tag_name("script")), "what a command printed is text");
    assert!(page.descendants().any(|node| node.text().is_some_and(|text| text.contains("<script>alert(1)</script>"))));
    shown("hostile_markdown", &story, &["exec", "--format", "markdown", "plan.runbook"]);
}

/// A page, read as strictly as XML is: nothing that was put into it is markup.
fn page_of(page: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    roxmltree::Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}\n{page}"))
}

/// A plan with all that a row can come to.
const MIXED: &str = r##"runbook "All kinds" {
  longest-risk = 36500d
}
step held {
  run "touch there"
  expect there: file("there") is present
  for name in ["a", "b"] {
    expect either: file(name) is absent
  }
}
step empty {
  run "true"
}
step skipped when 1 == 2 {
  run "true"
}
step mixed {
  expect risk: file("risk") is present
  expect file("gone") is present else warn "it is gone"
  expect number("x") == 1
  expect file("there") is absent
}
step later {
  run "true"
}
accept-risk "It may be missing" {
  covers   = [mixed.risk]
  until    = 2100-01-01
  approver = "tests"
  reason   = "it is missing on purpose"
}
"##;

#[test]
fn every_form_tells_the_same_counts() {
    let story = Story::new(MIXED);
    let files = ["r.xml", "r.tap", "r.md", "r.json", "r.jsonl", "r.txt", "r.html"];
    let reports: Vec<&str> = files.iter().flat_map(|file| ["--report", file]).collect();
    let told = story.run(&[&["exec", "-q", "plan.runbook"], reports.as_slice()].concat());
    assert_eq!(told.status, 1, "{}", told.text);
    let read = |name: &str| std::fs::read_to_string(story.path(name)).expect("a report");
    let events: Vec<serde_json::Value> = serde_json::from_str(&read("r.json")).expect("JSON");
    let lines: Vec<serde_json::Value> =
        read("r.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events, lines);
    let expects = &events.last().expect("a verdict")["expects"];
    let count = |what: &str| expects[what].as_u64().expect("a count") as usize;
    assert_eq!(["held", "differed", "unknown", "waived"].map(count), [3, 2, 1, 1], "{expects}");

    let xml = read("r.xml");
    let xml = roxmltree::Document::parse(&xml).expect("XML");
    let named = |name: &str| xml.descendants().filter(|node| node.has_tag_name(name)).count();
    // Seven rows, the two steps without one that passed or was skipped, and one behind the failed step.
    let counts = ["testcase", "failure", "error", "skipped", "system-out"].map(named);
    assert_eq!(counts, [10, 1, 1, 2, 2]);
    let root = xml.root_element();
    let counts = ["tests", "failures", "errors", "skipped"].map(|name| root.attribute(name).expect("a count"));
    assert_eq!(counts, ["10", "1", "1", "2"]);

    let tap = read("r.tap");
    assert!(tap.starts_with("TAP version 14\n1..10\n"), "{tap}");
    let points =
        |start: &str, end: &str| tap.lines().filter(|line| line.starts_with(start) && line.contains(end)).count();
    let counts = [points("ok ", ""), points("ok ", "# SKIP"), points("not ok ", ""), points("not ok ", "# TODO")];
    assert_eq!(counts, [6, 2, 4, 2], "{tap}");
    assert!(tap.ends_with("# NO-GO: 4 held, 2 not\n"), "{tap}");

    let html = read("r.html");
    let page = page_of(&html);
    let rows = |class: &str| {
        let class = format!("row {class}");
        page.descendants().filter(|node| node.attribute("class") == Some(&class)).count()
    };
    assert_eq!(["good", "bad", "unknown", "doubt"].map(rows), [3, 1, 1, 2]);
    assert!(read("r.md").contains("3 held, 2 differed, 1 unknown"));
    assert!(read("r.txt").contains("3 held, 2 differed, 1 unknown, 1 accepted"));
    // The same again, from the record alone.
    for (format, file) in
        [("junit", "r.xml"), ("tap", "r.tap"), ("markdown", "r.md"), ("json", "r.jsonl"), ("html", "r.html")]
    {
        assert_eq!(story.run(&["report", "last", "--format", format]).stdout, read(file), "{format}");
    }
}

#[test]
fn a_page_holds_all_that_it_shows_and_can_be_read_in_both_schemes() {
    let story = Story::new(MIXED);
    story.exec();
    let html = story.run(&["report", "last", "--format", "html"]).stdout;
    let page = page_of(&html);
    let place = regex::Regex::new("^left:[0-9.]+%;width:[0-9.]+%$").expect("a pattern");
    for node in page.descendants() {
        for name in ["src", "onclick", "onload"] {
            assert!(node.attribute(name).is_none(), "{node:?}");
        }
        // Only the time of a step has a style of its own.
        if let Some(style) = node.attribute("style") {
            assert!(place.is_match(style) && node.has_tag_name("i"), "{node:?}");
        }
        // Every way in it leads to a place in it.
        if let Some(way) = node.attribute("href") {
            let id = way.strip_prefix('#').unwrap_or_else(|| panic!("{way} leads away"));
            assert!(page.descendants().any(|node| node.attribute("id") == Some(id)), "{way} leads nowhere");
        }
        if let Some(id) = node.attribute("id") {
            let same = page.descendants().filter(|node| node.attribute("id") == Some(id)).count();
            assert_eq!(same, 1, "{id} is there twice");
        }
    }
    assert!(!html.contains("@import") && !html.contains("url("), "nothing is loaded");
    assert_eq!(page.descendants().filter(|node| node.has_tag_name("h1")).count(), 1);
    assert!(html.contains("lang=\"en\"") && html.contains("prefers-color-scheme: dark"));
    // Words against their ground: at least 4.5 to 1 (WCAG 2.2, 1.4.3).
    let css = include_str!("../src/report/html/style.css");
    let colours = |from: &str| -> Vec<(String, [f64; 3])> {
        let block = css.split_once(from).expect("a palette").1.split_once('}').expect("its end").0;
        let colour = regex::Regex::new("--([a-z]+): #([0-9a-f]{6})").expect("a pattern");
        let part = |text: &str| f64::from(u8::from_str_radix(text, 16).expect("hexadecimal")) / 255.0;
        colour
            .captures_iter(block)
            .map(|found| (found[1].to_owned(), [0, 2, 4].map(|at| part(&found[2][at..at + 2]))))
            .collect()
    };
    let luminance = |colour: &[f64; 3]| {
        let linear = colour.map(|part| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    };
    for palette in [colours("color-scheme: light dark;"), colours("(prefers-color-scheme: dark) {")] {
        assert_eq!(palette.len(), 9, "{palette:?}");
        let of = |name: &str| luminance(&palette.iter().find(|(known, _)| known == name).expect("a colour").1);
        for ground in ["paper", "shade"] {
            for words in ["ink", "soft", "good", "bad", "doubt", "unknown"] {
                let contrast = (of(ground).max(of(words)) + 0.05) / (of(ground).min(of(words)) + 0.05);
                assert!(contrast >= 4.5, "{words} on {ground}: {contrast:.2}");
            }
        }
    }
}

#[test]
fn a_report_that_can_not_be_written_is_told_before_anything_is_done() {
    let story = Story::new("runbook \"T\" { proof = none }\nstep a {\n  run \"touch done\"\n}\n");
    for (path, words) in [
        ("no/such/folder.md", "no such file or directory"),
        ("report.pdf", "told by its ending"),
        ("report", "told by its ending"),
    ] {
        let told = story.run(&["exec", "plan.runbook", "--report", path]);
        assert_eq!(told.status, 2, "{}", told.text);
        assert!(told.text.contains(words), "{}", told.text);
        assert!(!story.path("done").exists());
    }
}

#[test]
fn resumed_undone_and_cancelled_runs_are_told_in_each_form() {
    let resumed = Story::new(
        "runbook \"T\" { }\nstep a idempotent {\n  run \"test -e cut || { touch cut; kill -9 $PPID; sleep 9; }\"\n  expect file(\"cut\") is present\n}\n",
    );
    resumed.exec();
    assert_eq!(resumed.run(&["resume", "last"]).status, 0);
    let undone = Story::new(
        "runbook \"T\" {\n  on-stop = rollback\n}\nstep a {\n  run \"true\"\n  rollback {\n    run \"exit 9\"\n  }\n}\nstep b {\n  run \"false\"\n}\n",
    );
    assert_eq!(undone.exec().status, 1);
    let cancelled = Story::new(
        "runbook \"T\" {\n  timeout = 300ms\n}\nstep a {\n  run \"sleep 9\"\n}\nstep b {\n  run \"true\"\n}\n",
    );
    assert_eq!(cancelled.exec().status, 1);
    for (story, words) in [
        (&resumed, &["is done again", "resumed by"][..]),
        (&undone, &["ended with status 9", "not undone"]),
        (&cancelled, &["the run's time limit of 300ms has passed", "NO-GO"]),
    ] {
        let report = |form: &str| story.run(&["report", "last", "--format", form]).stdout;
        let (html, xml, tap, markdown) = (report("html"), report("junit"), report("tap"), report("markdown"));
        page_of(&html);
        let xml = roxmltree::Document::parse(&xml).expect("XML");
        let failed = xml.root_element().attribute("failures").expect("a count") != "0";
        assert_eq!(failed, !std::ptr::eq(story, &resumed), "{tap}");
        assert_eq!(tap.contains("# NO-GO"), failed, "{tap}");
        for words in words {
            let plain = |text: &str| text.replace("&#39;", "'").replace('\\', "").to_lowercase();
            assert!(plain(&html).contains(&words.to_lowercase()), "{words:?} is not in:\n{html}");
            assert!(plain(&markdown).contains(&words.to_lowercase()), "{words:?} is not in:\n{markdown}");
        }
    }
}

#[test]
fn a_report_that_could_not_be_written_whole_is_told() {
    let story = Story::new("runbook \"T\" { proof = none }\nstep a {\n  run \"touch done\"\n}\n");
    // Every write to it fails: there is no room.
    std::os::unix::fs::symlink("/dev/full", story.path("r.html")).expect("a link");
    let told = story.run(&["exec", "plan.runbook", "--report", "r.html", "--report", "r.md"]);
    // What was done is done, and recorded: the run is what it is.
    assert_eq!(told.status, 0, "{}", told.text);
    for words in ["the report `r.html` could not be written whole: no space left on device", "runbook report 20"] {
        assert!(told.text.contains(words), "{words:?} is not in:\n{}", told.text);
    }
    assert!(std::fs::read_to_string(story.path("r.md")).expect("a report").contains("**GO**"));
    // Of a dry run the report is what was asked for.
    let told = story.run(&["dry-run", "plan.runbook", "--report", "r.html"]);
    assert_eq!(told.status, 4, "{}", told.text);
    assert!(told.text.contains("could not be written whole"), "{}", told.text);
}

#[test]
fn a_run_without_a_verdict_and_one_with_two_are_told_once_and_truly() {
    let plan = "runbook \"T\" { }\nstep a \"First\" {\n  expect 1 == 1\n  run \"touch x\"\n  rollback {\n    run \"rm x\"\n  }\n}\n";
    let beginnings = [("html", "<!DOCTYPE"), ("markdown", "## T\n"), ("junit", "<?xml"), ("tap", "TAP version")];
    let cut =
        Story::new(&format!("{plan}step b \"Second\" {{\n  expect 2 == 2\n  run \"kill -9 $PPID; sleep 5\"\n}}\n"));
    cut.exec();
    let undone = Story::new(plan);
    undone.exec();
    assert_eq!(undone.run(&["rollback", "last"]).status, 0);
    for (form, beginning) in beginnings {
        let report = cut.run(&["report", "last", "--format", form]).stdout;
        assert_eq!(report.matches(beginning).count(), 1, "{form}: {report}");
        for words in ["2 == 2", "kill -9 $PPID", "resume"] {
            assert!(report.contains(words), "{form}: {words:?} is not in:\n{report}");
        }
        assert!(!report.contains("GO"), "{form}: {report}");
        // What was a GO was undone: the report ends with that.
        let report = undone.run(&["report", "last", "--format", form]).stdout;
        assert_eq!(report.matches(beginning).count(), 1, "{form}: {report}");
        // JUnit and TAP list tests: what was found stays as it was.
        let lists_tests = ["junit", "tap"].contains(&form);
        assert!(report.contains("ROLLED BACK") || lists_tests, "{form}: {report}");
        assert!(report.contains("rolled back") || lists_tests, "{form}: {report}");
    }
    let markdown = cut.run(&["report", "last", "--format", "markdown"]).stdout;
    assert!(
        markdown.contains("⚠️ **No verdict** — run 20") && markdown.contains("| ⚠️ not ended | `b` Second |"),
        "{markdown}"
    );
    assert!(markdown.contains("| done | its end was not seen |"), "{markdown}");
    page_of(&cut.run(&["report", "last", "--format", "html"]).stdout);
}
