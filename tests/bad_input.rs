//! Bad input: told with its place and what to do, never a panic, never lost.

mod support;

use std::fmt::Write as _;

use proptest::prelude::*;
use runbook::check::program::Settings;
use runbook::check::{Checked, Input, check};
use support::{BINARY, Story, told};

fn checked(bytes: &[u8]) -> Checked {
    check(Input { name: "bad.runbook".to_owned(), path: None, bytes: bytes.to_vec(), kept: None }, &Settings::default())
}

/// What is said, as it is rendered.
fn said(bytes: &[u8]) -> String {
    let checked = checked(bytes);
    runbook::report::diagnostic::render(&checked.sources, &checked.diagnostics, false)
}

#[test]
fn every_mistake_is_told_as_it_should_be() {
    let five = "runbook \"Five\" {\n}\n\nstep one {\n  expect http.get(\"http://localhost\").statsu == 200\n  run \"echo `#{nope}`\"\n  expect file(\"x\").size > 3\n  expect env(\"X\") = 3\n  run time.now()\n}\n";
    let cases: &[(&str, &[u8])] = &[
        ("unclosed_block", b"runbook \"T\" { }\n\nstep one {\n  if true {\n    run \"true\"\n\nstep two {\n  run \"true\"\n}\n"),
        ("unclosed_string", b"runbook \"T\" { }\n\nstep one {\n  run \"echo hello\n}\n"),
        ("closes_nothing", b"runbook \"T\" { }\n}\n"),
        ("wrong_type", b"param wait: duration = \"long\"\n"),
        ("unknown_field", b"let x = http.get(\"http://localhost\").statsu\n"),
        ("effect_in_an_expect", b"runbook \"T\" { }\nstep one {\n  expect http.post(\"http://localhost\").status == 200\n}\n"),
        ("not_utf8", b"runbook \"T\" { }\n# caf\xe9\n"),
        ("empty", b""),
        ("crlf", b"runbook \"T\" { }\r\nstep one {\r\n  expect env(\"X\") = 1\r\n}\r\n"),
        ("byte_order_mark", b"\xef\xbb\xbfrunbook \"T\" { }\nstep one {\n  expect nope == 1\n}\n"),
        ("five_mistakes", five.as_bytes()),
        ("not_built_yet", b"runbook \"T\" {\n  lock = \"x\"\n}\nverdict {\n  expect docker.healthy(\"x\")\n}\nstep one {\n  confirm \"Told\" by \"me\"\n  rollback {\n    run \"true\"\n  }\n}\n"),
        ("habits_from_elsewhere", b"runbook \"T\" { }\nstep one {\n  if env(\"A\") == \"x\" && true {\n  }\n  run ls -l\n  assert true\n  expect a == b;\n  let x-y = 1\n}\nstep two Title {\n}\n"),
    ];
    for (name, bytes) in cases {
        insta::assert_snapshot!(*name, said(bytes));
    }
}

#[test]
fn ten_thousand_levels_of_each_kind_are_refused() {
    let deep = 10_000;
    for (open, inner, close) in [("(", "1", ")"), ("[", "1", "]"), ("{ a: ", "1", "}"), ("\"#{", "1", "}\"")] {
        let text = format!("let x = {}{inner}{}\n", open.repeat(deep), close.repeat(deep));
        assert!(said(text.as_bytes()).contains("RB0005"), "{open}");
    }
    let blocks = format!("runbook \"T\" {{ }}\nstep a {{ {} {} }}\n", "if true {\n".repeat(deep), "}\n".repeat(deep));
    assert!(said(blocks.as_bytes()).contains("RB0005"));
}

#[test]
fn two_hundred_levels_are_fine() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{ a: ", "}"), ("\"#{", "}\"")] {
        let text = format!("let x = {}1{}\n", open.repeat(200), close.repeat(200));
        assert_eq!(said(text.as_bytes()), "", "{open}");
    }
}

#[test]
fn ten_thousand_operands_are_fine() {
    for (op, operand) in [(" + ", "1"), (" and ", "true"), (" or ", "1 == 2")] {
        let text = format!("let x = {}\n", vec![operand; 10_000].join(op));
        assert_eq!(said(text.as_bytes()), "", "{op}");
    }
    let chain = format!("let x = json(\"{{}}\"){}\n", ".a".repeat(10_000));
    assert_eq!(said(chain.as_bytes()), "");
}

#[test]
fn a_megabyte_on_one_line_is_cut_where_it_is_shown() {
    let text = format!("let x = \"{}\" + nope\n", "a".repeat(1 << 20));
    let said = said(text.as_bytes());
    assert!(said.contains("RB0101") && said.len() < 4000, "{} bytes", said.len());
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    assert!(said(&vec![b'#'; (16 << 20) + 1]).contains("RB0012"));
}

#[test]
fn a_folder_and_a_missing_file_are_told() {
    let story = Story::new("");
    for (file, words) in [("./", "folder"), ("missing.runbook", "no file"), ("missing", "`missing.runbook`")] {
        let told = told(story.command(&["check", file]).output().expect("it runs"));
        assert_eq!(told.status, 2, "{file}: {}", told.text);
        assert!(told.text.contains(words), "{file}: {}", told.text);
    }
    assert!(BINARY.ends_with("runbook"));
}

#[test]
fn a_runbook_comes_by_standard_input_too() {
    let story = Story::new("");
    let mut command = story.command(&["check", "-"]);
    command.stdin(std::process::Stdio::null());
    let told = told(command.output().expect("it runs"));
    assert_eq!(told.status, 0, "{}", told.text);
}

const GOOD: &str = include_str!("../runbooks/quickstart.runbook");

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = said(&bytes);
    }

    #[test]
    fn no_words_make_it_panic(words in prop::collection::vec(
        prop::sample::select(vec![
            "step", "a", "{", "}", "(", ")", "[", "]", "\"", "'", "#{", "expect", "run", "==", "=", ".", ",", ":", "\n",
            "within", "30s", "for", "in", "if", "else", "not", "is", "absent", "http", "get", "let", "secret", "#", "\\",
            "runbook", "\"x\"", "stop", "when", "check", "-", "50%", "ü", "on-failure", "all", "\r\n", "'''", "\"\"\"",
        ]), 0..60))
    {
        let mut text = String::new();
        for word in words {
            let _ = write!(text, "{word} ");
        }
        let _ = said(text.as_bytes());
    }

    #[test]
    fn no_slip_in_a_good_runbook_makes_it_panic(at in 0..GOOD.len(), length in 0usize..12, with in "[ -~\n]{0,4}") {
        let mut bytes = GOOD.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, with.bytes());
        let checked = checked(&bytes);
        for diagnostic in &checked.diagnostics {
            for label in &diagnostic.labels {
                let text = &checked.sources.get(label.span.file).text;
                prop_assert!(text.is_char_boundary(label.span.start as usize), "{diagnostic:?}");
                prop_assert!(text.is_char_boundary(label.span.end as usize), "{diagnostic:?}");
            }
        }
        let _ = runbook::report::diagnostic::render(&checked.sources, &checked.diagnostics, false);
    }
}

#[test]
fn a_name_of_five_megabytes_is_cut_where_it_is_quoted() {
    let name = "a".repeat(5 << 20);
    for text in [
        format!("let x = {name}\n"),
        format!("use \"{name}\"\n"),
        format!("let x = http.{name}(1)\n"),
        format!("param x: {name} = 1\n"),
        format!("runbook \"T\" {{ {name} = 1 }}\n"),
        format!("let x = http.get(\"http://h\", {name}: 1)\n"),
        format!("let {name} = 1\nlet {name} = 2\n"),
        format!("runbook \"T\" {{ }}\nstep s {{ run \"echo '{name}\" }}\n"),
    ] {
        let said = said(text.as_bytes());
        assert!(!said.is_empty() && said.len() < 20_000, "{} bytes: {}", said.len(), &said[..said.len().min(600)]);
    }
}

#[test]
fn what_a_module_is_instead_of_a_file_is_said() {
    let story = Story::new("use \"./zero\" as a\nuse \"./pipe\" as b\nuse \"./socket\" as c\nuse \"./folder\" as d\n");
    assert!(std::process::Command::new("mkfifo").arg(story.path("pipe")).status().expect("mkfifo").success());
    std::os::unix::net::UnixListener::bind(story.path("socket")).expect("a socket");
    std::os::unix::fs::symlink("/dev/zero", story.path("zero")).expect("a link");
    std::fs::create_dir(story.path("folder")).expect("a folder");
    let told = story.run(&["check", "plan.runbook"]);
    assert_eq!(told.status, 2, "{}", told.text);
    for words in
        ["is a device, not a file", "is a named pipe, not a file", "is a socket, not a file", "is a folder, not a file"]
    {
        assert!(told.text.contains(words), "{words}: {}", told.text);
    }
}
