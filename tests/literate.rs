//! The literate suite: every example in `docs/`, the README and `tests/lang/` is run.
//!
//! A ```` ```runbook ```` block is a file. Words behind `runbook` say what is done with it: `check` (the default), `exec`,
//! `dry-run`; `file=NAME` keeps it for the blocks below it under the same heading; `fragment` puts it into a step. `# error:
//! CODE "words"` and `# warning: CODE` stand on the line where they must appear; any other error or warning fails, and so
//! does one that is missing. A ```` ```console ```` block below it is what is printed, with times as `…s`; a line `…` there
//! stands for any lines.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_runbook");

#[derive(Debug, Default)]
struct Block {
    heading: String,
    line: usize,
    info: Vec<String>,
    text: String,
    console: Option<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut heading = String::new();
    let mut open: Option<(String, String, usize)> = None;
    for (at, line) in text.lines().enumerate() {
        match &mut open {
            Some((language, body, start)) if line.trim_end() == "```" => {
                let words: Vec<String> = language.split_whitespace().map(str::to_owned).collect();
                match words.first().map(String::as_str) {
                    Some("runbook") => blocks.push(Block {
                        heading: heading.clone(),
                        line: *start,
                        info: words[1..].to_vec(),
                        text: std::mem::take(body),
                        console: None,
                    }),
                    Some("console") => {
                        if let Some(block) = blocks.last_mut() {
                            block.console = Some(std::mem::take(body));
                        }
                    }
                    _ => {}
                }
                open = None;
            }
            Some((_, body, _)) => {
                body.push_str(line);
                body.push('\n');
            }
            None => {
                if let Some(language) = line.strip_prefix("```") {
                    open = Some((language.to_owned(), String::new(), at + 1));
                } else if line.starts_with('#') {
                    heading = line.trim_start_matches('#').trim().to_owned();
                }
            }
        }
    }
    blocks
}

/// The errors and warnings that a block says it has: line, code, words.
fn wanted(text: &str) -> Vec<(usize, String, String)> {
    let mut wanted = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for mark in ["# error: ", "# warning: "] {
            for found in line.split(mark).skip(1) {
                let code = found.split_whitespace().next().unwrap_or_default().to_owned();
                let words = found.split('"').nth(1).unwrap_or_default().to_owned();
                wanted.push((at + 1, code, words));
            }
        }
    }
    wanted
}

fn normalised(text: &str) -> String {
    let times = regex::Regex::new(r"\b\d+(\.\d+)?(ms|s)\b( asked \d+ times,)?").expect("regex");
    let asked = regex::Regex::new(r"asked \d+ times").expect("regex");
    let hash = regex::Regex::new(r"\.runbook [0-9a-f]{12}").expect("regex");
    let run = regex::Regex::new(r" · run \d{8}-\d{6}-[a-z0-9]{4}").expect("regex");
    let slow = regex::Regex::new(r"  …s($|  as of now)").expect("regex");
    text.lines()
        .map(|line| {
            let line = hash.replace_all(line, ".runbook …");
            let line = run.replace_all(&line, "");
            let line = asked.replace_all(&line, "asked … times");
            let line = times.replace_all(&line, "…s").into_owned();
            slow.replace_all(&line, "$1").trim_end().to_owned() + "\n"
        })
        .collect()
}

/// Whether printed lines are as expected; `…` alone stands for any.
fn matches(expected: &[&str], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((&"…", rest)) => (0..=printed.len()).any(|skip| matches(rest, &printed[skip..])),
        Some((first, rest)) => printed.first() == Some(first) && matches(rest, &printed[1..]),
    }
}

fn run(block: &Block, folder: &Path) -> Result<(), String> {
    let has = |word: &str| block.info.iter().any(|info| info == word);
    let mut text = block.text.clone();
    if has("fragment") {
        text = format!("runbook \"Example\" {{ proof = none }} step example {{ {text}}}\n");
    }
    if let Some(name) = block.info.iter().find_map(|info| info.strip_prefix("file=")) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
        std::fs::write(path, &text).expect("written");
        if !has("check") {
            return Ok(());
        }
    }
    std::fs::write(folder.join("example.runbook"), &text).expect("written");
    let checked = Command::new(BINARY)
        .args(["check", "--format", "json", "example.runbook"])
        .current_dir(folder)
        .output()
        .expect("it runs");
    let mut found: Vec<(usize, String, String, String)> = Vec::new();
    for line in String::from_utf8_lossy(&checked.stdout).lines() {
        let object: serde_json::Value =
            serde_json::from_str(line).map_err(|error| format!("no JSON: {error}: {line}"))?;
        found.push((
            object["line"].as_u64().unwrap_or_default() as usize,
            object["code"].as_str().unwrap_or_default().to_owned(),
            object["message"].as_str().unwrap_or_default().to_owned(),
            object["help"].as_str().unwrap_or_default().to_owned(),
        ));
    }
    let mut wanted = wanted(&text);
    let mut complaints = Vec::new();
    for (line, code, message, help) in &found {
        let labels = format!("{message} {help}");
        let at = wanted.iter().position(|(l, c, words)| l == line && c == code && labels.contains(words.as_str()));
        match at {
            Some(at) => {
                wanted.remove(at);
            }
            None => complaints.push(format!("line {line}: not expected: {code} {message} ({help})")),
        }
    }
    complaints.extend(
        wanted.iter().map(|(line, code, words)| format!("line {line}: expected, and not found: {code} \"{words}\"")),
    );
    if !complaints.is_empty() {
        return Err(complaints.join("\n"));
    }
    let command = ["exec", "dry-run"].into_iter().find(|command| has(command));
    if let Some(command) = command {
        let status_wanted = block.info.iter().find_map(|info| info.strip_prefix("exit=")).unwrap_or("0");
        let script = format!("exec '{BINARY}' {command} example.runbook 2>&1");
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .output()
            .expect("it runs");
        let printed = normalised(&String::from_utf8_lossy(&output.stdout));
        let status = output.status.code().map_or("none".to_owned(), |status| status.to_string());
        if status != status_wanted {
            return Err(format!("ended with {status}, not {status_wanted}:\n{printed}"));
        }
        if let Some(console) = &block.console {
            let expected: Vec<&str> = console.trim_end().lines().map(str::trim_end).collect();
            let lines: Vec<&str> = printed.trim_end().lines().collect();
            if !matches(&expected, &lines) {
                return Err(format!("expected:\n{console}\nprinted:\n{printed}"));
            }
        }
    }
    Ok(())
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md")];
    for folder in ["docs", "tests/lang"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("folder");
        files.extend(
            entries
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|ending| ending == "md")),
        );
    }
    files.sort();
    files
}

#[test]
fn every_example_does_what_it_says() {
    let mut failures = Vec::new();
    let mut count = 0;
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("read");
        let mut heading = String::new();
        let mut folder = tempfile::tempdir().expect("folder");
        for block in blocks(&text) {
            if block.heading != heading {
                heading = block.heading.clone();
                folder = tempfile::tempdir().expect("folder");
            }
            count += 1;
            if let Err(why) = run(&block, folder.path()) {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                failures.push(format!("{name}:{} ({}):\n{why}", block.line, block.heading));
            }
        }
    }
    assert!(count > 40, "only {count} examples were found");
    assert!(failures.is_empty(), "{} of {count} examples fail:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// Those whose example needs bytes or files that a page can't hold; `tests/bad_input.rs` triggers them.
const ELSEWHERE: &[&str] = &["RB0002", "RB0005", "RB0012"];

#[test]
fn every_code_is_explained_and_triggered_by_its_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/errors.md")).expect("read");
    let explained: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    let triggered: BTreeSet<String> =
        blocks(&text).iter().flat_map(|block| wanted(&block.text)).map(|(_, code, _)| code).collect();
    for code in runbook::diagnostic::Code::ALL {
        assert!(explained.contains(code.id()), "{code} is not explained in docs/errors.md");
        let elsewhere = ELSEWHERE.contains(&code.id());
        assert!(elsewhere || triggered.contains(code.id()), "no example in docs/errors.md triggers {code}");
    }
    for code in explained {
        assert!(runbook::diagnostic::Code::parse(&code).is_some(), "{code} is explained, and there is no such code");
    }
}
