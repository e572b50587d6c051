//! Reading a runbook and the modules it uses: every file once, each before those that use it.

use std::collections::HashMap;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, FileId, Sources, Span};
use crate::syntax;
use crate::syntax::tree::{self, ItemKind};
use crate::value::display::io_words;

use super::Input;
use super::library;
use super::names::Unit;
use super::program::Library;

/// Everything that was read. The runbook is the last unit; the standard library comes first.
pub(super) struct Loaded {
    pub sources: Sources,
    pub library: Arc<Library>,
    pub units: Vec<Unit>,
    pub diagnostics: Vec<Diagnostic>,
    pub incomplete: bool,
}

struct Loader {
    loaded: Loaded,
    /// Units by their file's true path.
    known: HashMap<PathBuf, usize>,
    /// Files whose modules are being read: one of them again is a circle.
    open: Vec<PathBuf>,
    /// What an earlier run read, by name.
    kept: Option<HashMap<String, (PathBuf, Vec<u8>)>>,
}

/// `all`: of the standard library, too; else only what the runbook and its modules may need of it.
pub(super) fn load(input: Input, all: bool) -> Loaded {
    let units = library::FILES
        .iter()
        .enumerate()
        .map(|(at, (name, _))| Unit::stdlib(name, syntax::parse(FileId(at as u32), "").file))
        .collect();
    let loaded = Loaded {
        sources: library::sources(all),
        library: Arc::default(),
        units,
        diagnostics: Vec::new(),
        incomplete: false,
    };
    let kept = input.kept.map(|kept| kept.modules);
    let mut loader = Loader { loaded, known: HashMap::new(), open: Vec::new(), kept };
    let folder =
        input.path.as_deref().map_or_else(PathBuf::new, |path| path.parent().unwrap_or(Path::new("")).to_owned());
    if let Some(path) = input.path.as_deref().and_then(|path| path.canonicalize().ok()) {
        loader.open.push(path);
    }
    loader.read(input.name, input.path, input.bytes, &folder);
    let mut loaded = loader.loaded;
    let read;
    let stdlib = if all {
        library::stdlib()
    } else {
        let own = loaded.sources.iter().skip(library::FILES.len());
        read = library::needed_by(own.map(|(_, source)| &*source.text));
        &read
    };
    for (unit, tree) in loaded.units.iter_mut().zip(&stdlib.trees) {
        unit.tree = tree.clone();
    }
    loaded.library = stdlib.library.clone();
    loaded.diagnostics.extend(stdlib.diagnostics.iter().cloned());
    loaded
}

/// The folder that relative paths start from: the nearest above the runbook with `runbook.toml` or `.git`, else its own.
pub(super) fn root(loaded: &Loaded) -> Arc<Path> {
    let here = || std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let path = loaded.units.last().and_then(|unit| loaded.sources.get(unit.tree.id).path.clone());
    let folder = match path {
        Some(path) => {
            let path = std::path::absolute(&path).unwrap_or(path);
            path.parent().map_or_else(here, Path::to_owned)
        }
        None => here(),
    };
    folder
        .ancestors()
        .find(|folder| folder.join("runbook.toml").exists() || folder.join(".git").exists())
        .unwrap_or(&folder)
        .into()
}

impl Loader {
    fn read(&mut self, name: String, path: Option<PathBuf>, bytes: Vec<u8>, folder: &Path) -> usize {
        let next = FileId(self.loaded.sources.iter().count() as u32);
        let text = match syntax::decode(next, bytes) {
            Ok(text) => text,
            Err((text, diagnostic)) => {
                self.loaded.diagnostics.push(diagnostic);
                self.loaded.incomplete = true;
                text
            }
        };
        let file = self.loaded.sources.add(name, path, text.clone());
        let parsed = if self.loaded.incomplete && text.is_empty() {
            syntax::parse(file, "")
        } else {
            syntax::parse(file, &text)
        };
        self.loaded.incomplete |= parsed.incomplete;
        self.loaded.diagnostics.extend(parsed.diagnostics);
        let mut uses = HashMap::new();
        for item in &parsed.file.items {
            if let ItemKind::Use(used) = &item.kind
                && let Some(unit) = self.used(used, folder)
            {
                let name = &used.name.text;
                if uses.contains_key(name) || super::library::FILES.iter().any(|(module, _)| **module == **name) {
                    let message = format!("there is a module `{name}` already");
                    let help = format!("give it another name: `use \"…\" as my_{name}`");
                    self.error(Code::Duplicate, used.name.span, &message, &help);
                    continue;
                }
                uses.insert(used.name.text.clone(), (unit, used.name.span));
            }
        }
        self.loaded.units.push(Unit::file(parsed.file, uses));
        self.loaded.units.len() - 1
    }

    fn used(&mut self, used: &tree::Use, folder: &Path) -> Option<usize> {
        let span = used.path.span;
        let Some(relative) = used.path.plain() else {
            self.error(
                Code::CannotRead,
                span,
                "the path of a module is written out",
                "nothing can be interpolated here",
            );
            return None;
        };
        let path = folder.join(&*relative);
        let name = path.components().collect::<PathBuf>().display().to_string();
        if let Some(kept) = &self.kept {
            let Some((path, bytes)) = kept.get(&name).cloned() else {
                let message = format!("the module `{relative}` is not in the run's record");
                self.error(Code::CannotRead, span, &message, "has something been taken out of it?");
                return None;
            };
            return match self.known.get(&path) {
                Some(unit) => Some(*unit),
                None => Some(self.module(name, path, bytes)),
            };
        }
        let found = path.canonicalize().and_then(|path| Ok((std::fs::metadata(&path)?, path)));
        let path = match found {
            Ok((meta, path)) if meta.is_file() => path,
            Ok((meta, _)) => {
                let message = format!("`{relative}` is {}, not a file", kind(meta.file_type()));
                self.error(Code::CannotRead, span, &message, "name the module's file");
                return None;
            }
            Err(error) => {
                let message = format!("the module `{relative}` can't be read: {}", io_words(&error));
                self.error(Code::CannotRead, span, &message, "its path is relative to the file that uses it");
                return None;
            }
        };
        if let Some(unit) = self.known.get(&path) {
            return Some(*unit);
        }
        if let Some(at) = self.open.iter().position(|open| *open == path) {
            let file =
                |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let mut way: Vec<String> = self.open[at..].iter().map(file).collect();
            way.push(file(&path));
            let message = format!("this closes a circle of modules: {}", way.join(" uses "));
            self.error(Code::CircularUse, span, &message, "move what both need into a third module");
            return None;
        }
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("the module `{relative}` can't be read: {}", io_words(&error));
                self.error(Code::CannotRead, span, &message, "may it be read by who runs this?");
                return None;
            }
        };
        Some(self.module(name, path, bytes))
    }

    fn module(&mut self, name: String, path: PathBuf, bytes: Vec<u8>) -> usize {
        self.open.push(path.clone());
        let inner = path.parent().unwrap_or(Path::new("")).to_owned();
        let unit = self.read(name, Some(path.clone()), bytes, &inner);
        self.open.pop();
        self.known.insert(path, unit);
        unit
    }

    fn error(&mut self, code: Code, span: Span, message: &str, help: &str) {
        self.loaded.diagnostics.push(Diagnostic::new(code, span, message).help(help));
    }
}

/// What something is that is no regular file.
fn kind(of: std::fs::FileType) -> &'static str {
    match of {
        of if of.is_dir() => "a folder",
        of if of.is_fifo() => "a named pipe",
        of if of.is_socket() => "a socket",
        of if of.is_char_device() || of.is_block_device() => "a device",
        _ => "something else",
    }
}
