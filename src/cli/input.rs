//! Finding and reading the file that is meant, and the params that are set.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use crate::check::Input;
use crate::check::program::Settings;

use super::Choice;

/// Reads the runbook that is meant: a path, `-`, or the name of one in the nearest `runbooks/` folder.
pub(super) fn read(file: &str) -> Result<Input, String> {
    if file == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| format!("standard input can't be read: {error}"))?;
        return Ok(Input { name: "<stdin>".to_owned(), path: None, bytes, kept: None });
    }
    let path = find(file)?;
    let bytes = std::fs::read(&path).map_err(|error| {
        let why = error.to_string();
        let why = why.split(" (os error").next().unwrap_or_default().to_lowercase();
        format!("`{}` can't be read: {why}", path.display())
    })?;
    Ok(Input { name: path.display().to_string(), path: Some(path), bytes, kept: None })
}

fn find(file: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(file);
    if path.is_dir() && (file.contains('/') || file == "." || file == "..") {
        return Err(format!("`{file}` is a folder; name the runbook in it"));
    }
    if path.is_file() {
        return Ok(path);
    }
    let name = !file.contains('.') && Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if name {
        let here = std::env::current_dir().unwrap_or_default();
        for folder in here.ancestors().map(|folder| folder.join("runbooks")) {
            let last = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
            for candidate in [folder.join(format!("{file}.runbook")), folder.join(file).join(format!("{last}.runbook"))]
            {
                if candidate.is_file() {
                    return Ok(candidate.strip_prefix(&here).map(Path::to_owned).unwrap_or(candidate));
                }
            }
        }
        return Err(format!("there is no file `{file}`, and no `{file}.runbook` in a `runbooks` folder here or above"));
    }
    if path.exists() {
        return Ok(path);
    }
    Err(format!("there is no file `{file}`"))
}

/// What is wrong with a TOML file, and where; never its line, which may hold a secret.
fn wrong_at(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {}, column {column}: {}", before.matches('\n').count() + 1, error.message())
}

impl Choice {
    pub fn settings(&self) -> Result<Settings, String> {
        let mut set = Vec::new();
        for text in &self.set {
            let (name, value) = text.split_once('=').ok_or("a `--set` has no `=`: write `--set name=value`")?;
            set.push((name.trim().to_owned(), value.to_owned()));
        }
        let params = match &self.params {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("the params file `{}` can't be read: {error}", path.display()))?;
                let table = text.parse::<toml::Table>().map_err(|error| {
                    format!("the params file `{}` is not TOML: {}", path.display(), wrong_at(&text, &error))
                })?;
                Some((path.display().to_string(), table))
            }
        };
        Ok(Settings {
            set,
            params,
            profile: self.profile.clone(),
            values_required: true,
            recorded: Vec::new(),
            typed_in: std::env::current_dir().unwrap_or_default(),
        })
    }
}
