//! Tree to [`program::Program`]: names, modules, types, effects, shell strings, params.
//!
//! In: the bytes of a runbook, and what the command line sets. Out: a program, or everything that is wrong with it and
//! its modules, in one go. What could not be read is not complained about twice: it has the type `any`.

pub mod explain;
pub mod library;
pub mod program;
pub mod shell_text;

mod absence;
mod access;
mod call;
mod choices;
mod expect;
mod expr;
mod items;
mod load;
mod names;
mod network_client;
mod params;
mod people;
mod proof;
mod risk;
mod run;
mod stmt;
mod types;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::diagnostic::{Code, Diagnostic, Sources};
use crate::syntax::tree::ItemKind;

pub use library::library;
use names::Checker;
pub use params::read_as;
use program::{Program, Settings};

/// A text to check.
#[derive(Clone, Debug)]
pub struct Input {
    /// As messages name it.
    pub name: String,
    /// Where it lies; none for standard input.
    pub path: Option<PathBuf>,
    pub bytes: Vec<u8>,
    /// What an earlier run read, where that is to be read again.
    pub kept: Option<Kept>,
}

/// The modules of an earlier run as it read them, and the folder that it started from.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub root: PathBuf,
    /// By the name that messages give them.
    pub modules: std::collections::HashMap<String, (PathBuf, Vec<u8>)>,
}

/// What came of it.
pub struct Checked {
    pub sources: Arc<Sources>,
    /// None if anything is wrong, or if it is a module.
    pub program: Option<Program>,
    /// By file and place; warnings, too.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks a runbook or module, and all modules that it uses.
pub fn check(input: Input, settings: &Settings) -> Checked {
    let again = input.clone();
    let checked = check_with(input, settings, false);
    if checked.diagnostics.iter().any(Diagnostic::is_error) {
        // What could have been meant is told from all of the standard library.
        return check_with(again, settings, true);
    }
    checked
}

fn check_with(input: Input, settings: &Settings, all: bool) -> Checked {
    let root = input.kept.as_ref().map(|kept| Arc::from(kept.root.as_path()));
    let loaded = load::load(input, all);
    let mut hash = Sha256::new();
    for unit in &loaded.units[library::FILES.len()..] {
        hash.update(loaded.sources.get(unit.tree.id).text.as_bytes());
        hash.update([0]);
    }
    let root = root.unwrap_or_else(|| load::root(&loaded));
    let incomplete = loaded.incomplete;
    let sources = Arc::new(loaded.sources);
    let mut checker = Checker::new(sources.clone(), loaded.library, loaded.units);
    checker.diagnostics = loaded.diagnostics;
    let mut program = None;
    // What stands behind an unclosed bracket was not seen: complaining about names would be noise.
    if !incomplete {
        program = checker.program(settings, root, library::hex(&hash.finalize()).into());
    }
    let mut diagnostics = checker.diagnostics;
    let stdlib = library::FILES.len() as u32;
    diagnostics.sort_by_key(|diagnostic| {
        let span = diagnostic.span();
        (span.file.0 < stdlib, span, diagnostic.severity)
    });
    diagnostics.dedup();
    if diagnostics.iter().any(Diagnostic::is_error) {
        program = None;
    }
    Checked { sources, program, diagnostics }
}

impl Checker {
    fn program(&mut self, settings: &Settings, root: Arc<std::path::Path>, hash: Arc<str>) -> Option<Program> {
        self.declare();
        let main = self.units.len() - 1;
        let header = self.units[main].tree.items.iter().find_map(|item| match &item.kind {
            ItemKind::Header(header) => Some((header.clone(), item.span)),
            _ => None,
        });
        // What reads a command decides what may stand in it.
        if let Some((header, _)) = &header {
            self.shell = items::shell(header).unwrap_or_default();
        }
        let params = self.params(main, settings);
        self.globals();
        let (checks, actions) = self.definitions();
        let steps = self.steps(main);
        let stops = self.stops(main);
        let verdict = self.verdict(main);
        self.unused(main);
        let Some((header, span)) = header else {
            let has_steps = self.units[main].tree.items.iter().any(|item| matches!(item.kind, ItemKind::Step(_)));
            if has_steps || settings.values_required {
                let end = self.units[main].tree.items.first().map(|item| item.span).unwrap_or_default();
                let span =
                    crate::diagnostic::Span::new(self.units[main].tree.id, end.start as usize, end.start as usize);
                let help = "start it with `runbook \"What it does\" { }`; a file without one is a module, for `use`";
                self.error(
                    Diagnostic::new(Code::NoRunbook, span, "this file has no `runbook` header, so it can't be run")
                        .help(help),
                );
            }
            return None;
        };
        let head = self.header(&header, span);
        self.ways_back(&steps, head.on_stop, span);
        self.proves_nothing(&steps, verdict.as_ref(), &actions, head.proof, span);
        let risks = self.risks(main, head.longest_risk);
        Some(Program {
            sources: self.sources.clone(),
            library: self.library.clone(),
            title: head.title,
            owner: head.owner,
            timeout: head.timeout,
            lock: head.lock,
            shell: head.shell,
            on_stop: head.on_stop,
            proof: head.proof,
            span,
            params,
            globals: std::mem::take(&mut self.program_globals),
            by_var: OnceLock::new(),
            stops,
            verdict,
            risks,
            steps,
            checks,
            actions,
            vars: self.vars.len() as u32,
            root,
            hash,
        })
    }
}
