//! The modules of `src/` import in one direction, and its files import each other in no cycle, however an import is
//! spelled: `use crate::{a, b}`, `super::super::x`, a path in the middle of a line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What each module of the top level may use. Each is below those that it names.
const MAY_USE: &[(&str, &[&str])] = &[
    ("value", &[]),
    ("diagnostic", &[]),
    ("terminal", &[]),
    ("syntax", &["value", "diagnostic"]),
    ("check", &["value", "diagnostic", "syntax"]),
    ("engine", &["value", "diagnostic", "syntax", "check"]),
    ("process", &["value"]),
    ("world", &["value", "diagnostic", "check", "engine", "process", "terminal"]),
    ("record", &["value", "check", "engine", "process"]),
    ("report", &["value", "diagnostic", "check", "engine", "terminal"]),
    ("cli", &["value", "diagnostic", "syntax", "check", "engine", "process", "world", "record", "report", "terminal"]),
];

/// Files, and directories of files, that import each other in a cycle. The list may only become shorter: what is in no
/// cycle any more does not stay in it.
const KNOWN: &[&str] = &[];

type File = Vec<String>;

/// Every file of `src/` by its module's path, with its text, but for its tests.
fn files() -> BTreeMap<File, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).expect("a directory").flatten().map(|entry| entry.path()));
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let below = path.strip_prefix(&root).expect("below").with_extension("");
        let mut file: File = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if file == ["main"] {
            continue;
        }
        if file.last().is_some_and(|last| last == "mod") || file == ["lib"] {
            file.pop();
        }
        files.insert(file, without_tests(&std::fs::read_to_string(&path).expect("read")));
    }
    files
}

fn without_tests(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    // Who may see something is no import.
    let text = text.replace("pub(in crate::", "pub(");
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn expanded(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.trim().to_owned()] };
    let (mut depth, mut parts, mut part) = (0, Vec::new(), String::new());
    for char in rest.chars() {
        match char {
            '}' if depth == 0 => break,
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            _ => {
                depth += i32::from(char == '{') - i32::from(char == '}');
                part.push(char);
            }
        }
    }
    parts.push(part);
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.flat_map(expanded).map(|part| format!("{}{part}", before.trim())).collect()
}

/// Every path in a text that may lead to another file.
fn paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in text.match_indices("use ") {
        let begins = text[..at].chars().next_back().is_none_or(|char| char.is_whitespace() || char == ')');
        if begins && let Some(end) = text[at..].find(';') {
            paths.extend(expanded(&text[at + 4..at + end].split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    for word in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(word) {
            let inside =
                text[..at].chars().next_back().is_some_and(|char| char.is_alphanumeric() || "_:".contains(char));
            let end = text[at..].find(|char: char| !(char.is_alphanumeric() || "_:".contains(char)));
            let path = &text[at..at + end.unwrap_or(text.len() - at)];
            // What ends in `::{` was expanded above.
            if !inside && !path.ends_with(':') {
                paths.push(path.to_owned());
            }
        }
    }
    paths
}

/// The file that a path leads to, seen from another one.
fn resolved(from: &File, path: &str, files: &BTreeMap<File, String>) -> Option<File> {
    let path = path.split(" as ").next().unwrap_or_default();
    let mut parts: Vec<&str> = path.split("::").map(str::trim).collect();
    let mut at: File = match *parts.first()? {
        "crate" | "runbook" => Vec::new(),
        "self" | "super" => from.clone(),
        child if files.contains_key(&[from.clone(), vec![child.to_owned()]].concat()) => {
            parts.insert(0, "self");
            from.clone()
        }
        _ => return None,
    };
    if parts[0] == "super" {
        while parts.first() == Some(&"super") {
            at.pop();
            parts.remove(0);
        }
    } else {
        parts.remove(0);
    }
    let mut found = at.clone();
    for part in parts {
        at.push(part.to_owned());
        match files.contains_key(&at) {
            true => found.clone_from(&at),
            false => break,
        }
    }
    Some(found)
}

/// Which files each file uses.
fn uses() -> BTreeMap<File, BTreeSet<File>> {
    let files = files();
    let used = |from: &File, text: &str| {
        let used = paths(text).into_iter().filter_map(|path| resolved(from, &path, &files));
        used.filter(|used| used != from).collect()
    };
    files.iter().map(|(file, text)| (file.clone(), used(file, text))).collect()
}

#[test]
fn modules_use_only_those_below_them() {
    let known: BTreeSet<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    for (at, (module, may)) in MAY_USE.iter().enumerate() {
        for used in *may {
            assert!(MAY_USE[..at].iter().any(|(below, _)| below == used), "{module} stands behind {used}");
        }
    }
    for (file, used) in uses() {
        let Some(module) = file.first() else { continue };
        assert!(known.contains(module.as_str()), "{module} is in the table");
        let may = MAY_USE.iter().find(|(known, _)| known == module).map_or(&[][..], |(_, may)| may);
        for used in used {
            let Some(top) = used.first() else { continue };
            assert!(top == module || may.contains(&top.as_str()), "{} uses {}", file.join("::"), used.join("::"));
        }
    }
}

#[test]
fn files_import_each_other_in_no_cycle() {
    let mut uses = uses();
    // A parent and its child may know each other.
    let related = |a: &File, b: &File| a.len() + 1 == b.len() && b.starts_with(a);
    for (file, used) in &mut uses {
        used.retain(|used| !related(file, used) && !related(used, file));
    }
    let reached = |from: &File| {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            for next in uses.get(file).into_iter().flatten() {
                if reached.insert(next) {
                    open.push(next);
                }
            }
        }
        reached
    };
    let in_a_cycle: Vec<String> =
        uses.keys().filter(|file| reached(file).contains(file)).map(|file| file.join("::")).collect();
    let is = |known: &str, file: &str| file == known || known.ends_with("::") && file.starts_with(known);
    let new: Vec<&String> = in_a_cycle.iter().filter(|file| !KNOWN.iter().any(|known| is(known, file))).collect();
    assert!(new.is_empty(), "in a cycle: {new:#?}");
    let gone: Vec<_> = KNOWN.iter().filter(|known| !in_a_cycle.iter().any(|file| is(known, file))).collect();
    assert!(gone.is_empty(), "in no cycle any more, so not to be listed: {gone:?}");
}

#[test]
fn imports_are_read_however_they_are_spelled() {
    let files: BTreeMap<File, String> = ["", "a", "a::b", "a::c", "d", "d::e"]
        .iter()
        .map(|file| (file.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect(), String::new()))
        .collect();
    let from: File = vec!["a".to_owned(), "b".to_owned()];
    let found = |text: &str| -> BTreeSet<String> {
        paths(text).iter().filter_map(|path| resolved(&from, path, &files)).map(|file| file.join("::")).collect()
    };
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(found("use crate::{a::c, d::e::{X, self}};"), all(&["a::c", "d::e"]));
    assert_eq!(found("pub(crate) use super::c::{Y, Z as W};"), all(&["a::c"]));
    assert_eq!(found("fn f() -> super::super::d::e::X { crate::a::c::g() }"), all(&["d::e", "a::c"]));
    assert_eq!(found("use super::super::d;"), all(&["d"]));
    assert_eq!(found("use std::collections::BTreeMap;\nlet user = recall(x);"), all(&[]));
}
