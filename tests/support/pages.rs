//! The runbooks that stand in pages: every ```` ```runbook ```` block, with the modules that stand above it under the same
//! heading.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// A block of a page.
pub struct Written {
    /// Where it stands: `language.md:17`.
    pub place: String,
    pub text: String,
    /// What lies beside it: path and text.
    pub beside: Vec<(String, String)>,
}

/// Every runbook there is: files of `runbooks/`, and blocks of pages.
pub fn every_runbook() -> Vec<Written> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for path in files(&root.join("runbooks"), "runbook") {
        let place = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        all.push(Written { place, text: std::fs::read_to_string(&path).expect("read"), beside: Vec::new() });
    }
    let mut pages = vec![root.join("README.md")];
    pages.extend(files(&root.join("docs"), "md"));
    pages.extend(files(&root.join("tests/lang"), "md"));
    for page in pages {
        let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&page).expect("read");
        let mut open: Option<(String, usize, String)> = None;
        let mut beside: Vec<(String, String)> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            match &mut open {
                Some((info, begins, body)) if line.trim_end() == "```" => {
                    let words: Vec<&str> = info.split_whitespace().skip(1).collect();
                    let mut text = std::mem::take(body);
                    if words.contains(&"fragment") {
                        text = format!("runbook \"Example\" {{ proof = none }} step example {{ {text}}}\n");
                    }
                    if info.split_whitespace().next() == Some("runbook") {
                        let place = format!("{name}:{begins}");
                        all.push(Written { place, text: text.clone(), beside: beside.clone() });
                        if let Some(file) = words.iter().find_map(|word| word.strip_prefix("file=")) {
                            beside.push((file.to_owned(), text));
                        }
                    }
                    open = None;
                }
                Some((_, _, body)) => {
                    body.push_str(line);
                    body.push('\n');
                }
                None if line.starts_with("```") => {
                    open = Some((line.trim_start_matches('`').to_owned(), at + 1, String::new()));
                }
                None if line.starts_with('#') => beside.clear(),
                None => {}
            }
        }
    }
    all
}

fn files(folder: &Path, ends: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path, ends)),
            false if path.extension().is_some_and(|extension| extension == ends) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}
