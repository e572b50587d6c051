//! `runbook check FILE…`

use std::process::ExitCode;

use clap::Args;

use crate::check::program::Settings;
use crate::diagnostic::Diagnostic;
use crate::report::diagnostic as shown;

use super::{Global, ListFormat, NOT_RUN, input};

#[derive(Args)]
pub(super) struct Check {
    /// Runbooks and modules
    #[arg(required = true)]
    files: Vec<String>,
    /// The form of what is printed
    #[arg(long, value_enum, default_value = "text")]
    format: ListFormat,
}

impl Check {
    pub fn run(self, global: Global) -> ExitCode {
        let mut bad = false;
        for file in &self.files {
            let input = match input::read(file) {
                Ok(input) => input,
                Err(why) => {
                    eprintln!("runbook: {why}");
                    bad = true;
                    continue;
                }
            };
            let name = input.name.clone();
            let settings = Settings { typed_in: std::env::current_dir().unwrap_or_default(), ..Settings::default() };
            let checked = crate::check::check(input, &settings);
            bad |= checked.diagnostics.iter().any(Diagnostic::is_error);
            if self.format == ListFormat::Json {
                for diagnostic in &checked.diagnostics {
                    println!("{}", shown::json(&checked.sources, diagnostic));
                }
                continue;
            }
            eprint!("{}", shown::render(&checked.sources, &checked.diagnostics, global.colour_err()));
            if !global.quiet {
                println!("{name}: {}", shown::sum(&checked.diagnostics));
            }
        }
        if bad { ExitCode::from(NOT_RUN) } else { ExitCode::SUCCESS }
    }
}
