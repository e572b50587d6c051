//! Which steps of a program are to be run.

use crate::check::program::Program;

/// What the command line chose. Names are checked by [`unknown_step`] before the run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these steps; empty: all.
    pub only: Vec<String>,
    /// From this step on.
    pub from: Option<String>,
    /// Nothing is undone, whatever the runbook says.
    pub no_rollback: bool,
}

/// Which run it is, whose, and where.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its name in the state folder, where it is recorded.
    pub run: Option<String>,
    pub by: String,
    pub host: String,
}

/// The first chosen step that the program does not have.
pub fn unknown_step<'o>(program: &Program, options: &'o Options) -> Option<&'o str> {
    options
        .only
        .iter()
        .chain(&options.from)
        .map(String::as_str)
        .find(|name| program.steps.iter().all(|step| &*step.name != *name))
}

/// The chosen steps of a program.
#[derive(Clone, Debug)]
pub struct Chosen {
    steps: Vec<bool>,
    /// What chose them, if not all are.
    pub partial: Option<String>,
}

impl Chosen {
    pub fn of(program: &Program, options: &Options) -> Self {
        let from = options
            .from
            .as_ref()
            .and_then(|from| program.steps.iter().position(|step| *step.name == **from))
            .unwrap_or(0);
        let only = |name: &str| options.only.is_empty() || options.only.iter().any(|chosen| chosen == name);
        let steps: Vec<bool> =
            program.steps.iter().enumerate().map(|(at, step)| at >= from && only(&step.name)).collect();
        let words = [
            (!options.only.is_empty()).then(|| format!("only {}", options.only.join(", "))),
            options.from.as_ref().map(|from| format!("from {from}")),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        let partial = steps.contains(&false).then(|| words.join(", "));
        Self { steps, partial }
    }

    pub fn holds(&self, step: usize) -> bool {
        self.steps.get(step).copied().unwrap_or(false)
    }
}
