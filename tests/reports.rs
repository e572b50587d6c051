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
    for format in ["text", "markdown", "json"] {
        let told = story.run(&["exec", "--format", format, "plan.runbook"]);
        assert_eq!(told.status, 1);
        for harmful in ['\u{1b}', '\u{7}', '\r', '\u{202e}'] {
            assert!(!told.text.contains(harmful), "{format} holds {harmful:?}:\n{}", told.text);
        }
    }
    shown("hostile_markdown", &story, &["exec", "--format", "markdown", "plan.runbook"]);
}
