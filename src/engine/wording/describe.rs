//! How questions and actions are told to people: as they are made, with values in place, secrets by name, and what
//! can't be told yet marked where it stands.

use crate::check::program::{
    Arg, Call, Expr, ExprKind, ParamRole, Role, Run, RunTarget, ShellPart, ShellPlace, ShellText, TextPart,
};
use crate::value::{Answer, Value, display};

use crate::engine::evaluation::eval::Eval;

pub use super::brief::{brief, brief_value, hole};

/// A text as one word of a POSIX shell.
pub fn shell_word(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_-./:=@%+,".contains(char);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

impl Eval<'_> {
    /// A call as it is made: `http.get("http://localhost/health", timeout: 2s)`.
    pub async fn shown(&self, call: &Call) -> String {
        let mut out = format!("{}(", call.native.name);
        let mut positional = true;
        let mut first = true;
        for (param, arg) in call.native.params.iter().zip(&call.args) {
            let Some(arg) = arg else {
                positional = false;
                continue;
            };
            if !first {
                out.push_str(", ");
            }
            first = false;
            if !positional || param.optional || param.default.is_some() {
                out.push_str(&param.name);
                out.push_str(": ");
            }
            match arg {
                Arg::Value(expr) => out.push_str(&self.told(expr).await),
                Arg::Shell(text) => out.push_str(&display::quoted(&self.shell_shown(text).await)),
            }
        }
        out.push(')');
        out
    }

    /// An expression with its values in place. What can't be told is marked just where it stands.
    async fn told(&self, expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::List(items) => {
                let mut parts = Vec::with_capacity(items.len());
                for item in items {
                    parts.push(Box::pin(self.told(item)).await);
                }
                format!("[{}]", parts.join(", "))
            }
            ExprKind::Map(entries) if !entries.is_empty() => {
                let mut parts = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    parts.push(format!("{}: {}", self.message(key).await, Box::pin(self.told(value)).await));
                }
                format!("{{ {} }}", parts.join(", "))
            }
            ExprKind::Text(text) => match self.text(text).await {
                Answer::Known(value) => brief_value(self.core.redactor(), &value),
                _ => {
                    let mut out = String::from("\"");
                    for part in &text.parts {
                        match part {
                            TextPart::Text(text) => out.push_str(text),
                            TextPart::Hole(inner) => out.push_str(&self.inner_text(inner).await),
                        }
                    }
                    out.push('"');
                    out
                }
            },
            _ => match self.eval(expr).await {
                Answer::Known(value) => brief_value(self.core.redactor(), &value),
                other => hole(&other),
            },
        }
    }

    async fn inner_text(&self, expr: &Expr) -> String {
        match self.eval(expr).await {
            Answer::Known(value) => value.to_text().map_or_else(|| value.to_string(), |text| text.to_string()),
            other => hole(&other),
        }
    }

    /// A shell command as if its values were written in place, quoted for the shell.
    async fn shell_shown(&self, text: &ShellText) -> String {
        let mut out = String::new();
        for part in &text.parts {
            match part {
                ShellPart::Source(source) => out.push_str(source),
                ShellPart::Hole { value, place, .. } => match self.eval(value).await {
                    Answer::Known(known) => out.push_str(&in_place(&known, *place)),
                    other => out.push_str(&hole(&other)),
                },
            }
        }
        out
    }

    /// An action as it is run: a command as it would be typed, a call as it is written.
    pub async fn action(&self, run: &Run) -> String {
        match &run.target {
            RunTarget::Defined { args, name, .. } => {
                let mut parts = Vec::with_capacity(args.len());
                for arg in args {
                    parts.push(self.told(arg).await);
                }
                format!("{name}({})", parts.join(", "))
            }
            RunTarget::Native(call) => match call.native.role {
                Some(Role::ShellCommand | Role::Program) => self.command(call).await,
                _ => self.shown(call).await,
            },
        }
    }

    async fn command(&self, call: &Call) -> String {
        let mut out = String::new();
        for (param, arg) in call.native.params.iter().zip(&call.args) {
            let Some(arg) = arg else { continue };
            match (param.role, arg) {
                (_, Arg::Shell(text)) => out.push_str(&self.shell_shown(text).await),
                (None | Some(ParamRole::Regex), Arg::Value(expr)) => out.push_str(&self.words(expr).await),
                (Some(ParamRole::Directory), Arg::Value(expr)) => {
                    out.push_str(&format!("  (in {})", self.inner_text(expr).await))
                }
                (Some(ParamRole::Environment), Arg::Value(expr)) => {
                    out.push_str(&format!("  (env {})", self.told(expr).await))
                }
                (Some(ParamRole::Input), Arg::Value(expr)) => {
                    out.push_str(&format!("  (stdin {})", self.told(expr).await))
                }
                (Some(ParamRole::Accept), Arg::Value(expr)) => {
                    out.push_str(&format!("  (accept {})", self.told(expr).await))
                }
                (Some(ParamRole::Shell), Arg::Value(expr)) => {
                    out.push_str(&format!("  (shell {})", self.inner_text(expr).await))
                }
                (Some(ParamRole::Limit | ParamRole::AcceptPipeFailures), Arg::Value(_)) => {}
            }
        }
        out
    }

    async fn words(&self, argv: &Expr) -> String {
        if let ExprKind::List(items) = &argv.kind {
            let mut words = Vec::with_capacity(items.len());
            for item in items {
                words.push(match self.eval(item).await {
                    Answer::Known(known) => in_place(&known, ShellPlace::Bare),
                    other => hole(&other),
                });
            }
            return words.join(" ");
        }
        match self.eval(argv).await {
            Answer::Known(value) => in_place(&value, ShellPlace::Bare),
            other => hole(&other),
        }
    }
}

fn in_place(value: &Value, place: ShellPlace) -> String {
    let word = |value: &Value| value.to_text().map_or_else(|| value.to_string(), |text| text.to_string());
    match (value, place) {
        (Value::List(items), _) => items.iter().map(|item| shell_word(&word(item))).collect::<Vec<_>>().join(" "),
        (Value::Secret(_), _) => value.to_string(),
        (value, ShellPlace::Bare) => shell_word(&word(value)),
        (value, ShellPlace::DoubleQuoted) => word(value).replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"),
        (value, ShellPlace::SingleQuoted) => word(value).replace('\'', "'\\''"),
    }
}
