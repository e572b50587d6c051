//! A shell command whose values can never become source.
//!
//! Each value reaches the shell as an environment variable, and the text refers to it in the way that fits where it
//! stands. Quoting the value into the text instead would not do: `"#{v}"` would run a `$(…)` inside it.

use crate::check::program::{Shell, ShellPlace, ShellTakes};
use crate::value::{Type, Value};

use crate::engine::world::ShellCommand;

/// A part of a command, with its value known.
pub enum Piece<'p> {
    Source(&'p str),
    Value { value: Value, ty: &'p Type, place: ShellPlace, takes: ShellTakes },
}

/// The longest value that the kernel passes to a program: MAX_ARG_STRLEN less the name (execve(2)).
const LONGEST: usize = 128 * 1024 - 64;

/// Composes the text for `sh -c` and its variables; says what is wrong with a value that can't be passed.
pub fn compose(shell: Shell, pieces: Vec<Piece<'_>>) -> Result<ShellCommand, String> {
    let mut command = ShellCommand { shell, source: String::new(), env: Vec::new() };
    for piece in pieces {
        match piece {
            Piece::Source(source) => command.source.push_str(source),
            Piece::Value { value, ty, place, takes } => {
                if takes == ShellTakes::Number && !matches!(value.unsealed(), Value::Number(_)) {
                    return Err("a value that is no number stands where the shell would compute it".to_owned());
                }
                if let Value::List(items) = value.unsealed() {
                    if place != ShellPlace::Bare {
                        return Err("a list stands in quotes, where it can't become several words".to_owned());
                    }
                    if takes != ShellTakes::Words {
                        return Err("a list stands where only one word fits".to_owned());
                    }
                    let of = match ty {
                        Type::List(of) => of,
                        other => other,
                    };
                    for (at, item) in items.iter().enumerate() {
                        if at > 0 {
                            command.source.push(' ');
                        }
                        command.refer(item.clone(), of, place)?;
                    }
                } else {
                    command.refer(value, ty, place)?;
                }
            }
        }
    }
    Ok(command)
}

impl ShellCommand {
    fn refer(&mut self, value: Value, ty: &Type, place: ShellPlace) -> Result<(), String> {
        let Some(text) = value.unsealed().to_text() else {
            return Err(format!("{} can't be a word of a command", value.unsealed().kind()));
        };
        if text.contains('\0') {
            return Err("a value holds a NUL byte, which no command can be given".to_owned());
        }
        if text.len() > LONGEST {
            return Err(format!("a value of {} bytes is longer than a command can be given; use `stdin`", text.len()));
        }
        if *ty == Type::Path && text.is_empty() {
            return Err("an empty path in a command: it would mean another place than was meant".to_owned());
        }
        let name = format!("RUNBOOK_V{}", self.env.len() + 1);
        let reference = match place {
            ShellPlace::Bare => format!("\"${{{name}}}\""),
            ShellPlace::DoubleQuoted => format!("${{{name}}}"),
            ShellPlace::SingleQuoted => format!("'\"${{{name}}}\"'"),
        };
        self.source.push_str(&reference);
        self.env.push((name, Value::Text(text)));
        Ok(())
    }
}
