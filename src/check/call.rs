//! Calls of natives, and the texts of shell commands.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean};
use crate::syntax::tree::{self, Argument, LinkKind, StringPart};
use crate::value::{Type, Value};

use super::expr::Checked;
use super::names::{Checker, Ctx, Member};
use super::network_client;
use super::program::{
    Arg, Call, Effect, ExprKind, Native, ParamRole, Role, Shell, ShellPart, ShellPlace, ShellTakes, ShellText, Wants,
};
use super::shell_text::{self, PlacedPart};
use super::types;

/// How a command is read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub shell: Shell,
    /// A command may fail in a pipeline.
    pub accepting: bool,
    /// It stands in a call, where things have names and no modifiers.
    pub call: bool,
}

impl Checker {
    /// A call in an expression: only what looks may stand there.
    pub(super) fn called(
        &mut self,
        ctx: &Ctx,
        member: Member,
        args: &[Argument],
        span: Span,
        name: Span,
        next: Option<&tree::Link>,
    ) -> Checked {
        let words = self.sources.text(name).to_owned();
        match member {
            Member::Native(native) => {
                if native.effect == Effect::Action {
                    let name_of = &native.name;
                    let mut help = format!("do it as a statement: `run {name_of}(…)`, or `let r = run {name_of}(…)`");
                    // A sibling by whose name it is the same, but only asks.
                    let query = format!("{name_of}_query");
                    if self.library.natives.get(query.as_str()).is_some_and(|query| query.effect == Effect::Vouched) {
                        help.push_str(&format!("; what only queries is `{query}(…)`"));
                    }
                    let message = format!("`{words}` changes something, and here things are only looked at");
                    self.error(Diagnostic::new(Code::ActionInExpression, name, message).label("an action").help(help));
                }
                if native.role == Some(Role::Typed) && !self.reads_secret {
                    let message = "what a person types is a secret, and here none is read";
                    let help = "read it once, under a name: `secret otp = prompt(\"One-time code\")`";
                    self.error(Diagnostic::new(Code::Misplaced, name, message).label("not a secret").help(help));
                }
                let (call, secret, probes) = self.call(ctx, &native, args, span, name);
                if native.effect == Effect::Action {
                    return Checked::bad(span);
                }
                call.wants.call();
                if let Some(LinkKind::Field(field)) = next.map(|link| &link.kind)
                    && matches!(native.returns, Type::Record(_))
                {
                    call.wants.narrow([field.text.clone()]);
                }
                let function = native.effect == Effect::Function;
                let given = native.params.iter().zip(&call.args).find_map(|(param, arg)| match arg {
                    Some(Arg::Value(value)) => param.ty.item_of(&value.ty),
                    _ => None,
                });
                let ty = native.returns.with_item(&given.unwrap_or(Type::Any));
                let optional = native.returns_optional
                    || call.args.iter().flatten().any(|arg| match arg {
                        Arg::Value(value) => self.optional.contains(&value.span),
                        Arg::Shell(_) => false,
                    });
                let kind = ExprKind::Call(call);
                let secret = secret && function;
                Checked { secret, probes: probes || !function, optional, ..Checked::new(kind, ty, span) }
            }
            Member::Check(_) => {
                let message = format!("the check `{words}` is no value");
                let help = format!("ask it: `expect {words}(…)`");
                self.error(Diagnostic::new(Code::CheckAsValue, name, message).label("a check").help(help));
                Checked::bad(span)
            }
            Member::Action(_) => {
                let message = format!("the action `{words}` changes something, and here things are only looked at");
                let help = format!("do it as a statement: `run {words}(…)`");
                self.error(Diagnostic::new(Code::ActionInExpression, name, message).label("an action").help(help));
                Checked::bad(span)
            }
            Member::Global(_) => Checked::bad(span),
        }
    }

    /// The arguments of a native in the order of its declaration.
    pub(super) fn call(
        &mut self,
        ctx: &Ctx,
        native: &Arc<Native>,
        args: &[Argument],
        span: Span,
        name: Span,
    ) -> (Call, bool, bool) {
        let mut placed: Vec<Option<(Arg, Span)>> = native.params.iter().map(|_| None).collect();
        let (mut secret, mut probes) = (false, false);
        for (at, arg) in args.iter().enumerate() {
            let place = match &arg.name {
                Some(named) => native.params.iter().position(|param| param.name == named.text),
                None => (at < native.params.len()).then_some(at),
            };
            let Some(place) = place else {
                self.no_argument(native, arg);
                self.expr(ctx, &arg.value);
                continue;
            };
            let param = &native.params[place];
            let at = arg.name.as_ref().map_or(arg.value.span, |name| name.span);
            if let Some((_, first)) = &placed[place] {
                let first = *first;
                let diagnostic = Diagnostic::new(Code::UnknownArgument, at, format!("`{}` is given twice", param.name))
                    .label("again here")
                    .also(first, "first here");
                self.error(diagnostic);
                continue;
            }
            if param.ty == Type::Shell {
                let command = match &arg.value.kind {
                    tree::ExprKind::String(literal) => {
                        let reading = self.reading(ctx, native, args);
                        Arg::Shell(self.shell(ctx, literal, reading))
                    }
                    tree::ExprKind::List(items) => Arg::Value(self.argument_list(ctx, items, arg.value.span)),
                    tree::ExprKind::Bad => Arg::Shell(Checker::no_shell_text(arg.value.span)),
                    _ => {
                        let message = "a shell command is written out, never computed";
                        let help = "write it as a string, with values as `#{value}`; they never become source";
                        self.error(
                            Diagnostic::new(Code::ShellLiteral, arg.value.span, message)
                                .label("not a string literal")
                                .help(help),
                        );
                        Arg::Shell(Checker::no_shell_text(arg.value.span))
                    }
                };
                placed[place] = Some((command, arg.value.span));
                continue;
            }
            let mut value = self.expr(ctx, &arg.value);
            if param.role == Some(ParamRole::Regex)
                && let ExprKind::Literal(Value::Text(pattern)) = &value.expr.kind
            {
                self.regex(pattern, value.expr.span);
            }
            let named = param.name.to_string();
            self.fits(&value, &param.ty.clone(), Some(&named));
            value.is_wanted_as(&param.ty);
            secret |= value.secret;
            probes |= value.probes;
            placed[place] = Some((Arg::Value(value.expr), at));
        }
        for (param, arg) in native.params.iter().zip(&placed) {
            if arg.is_none() && param.default.is_none() && !param.optional {
                let message = format!("`{}` needs `{}`, {}", native.name, param.name, types::a(&param.ty));
                let help =
                    format!("`runbook doc {}` shows what it takes", native.name.split('.').next().unwrap_or_default());
                self.error(
                    Diagnostic::new(Code::MissingArgument, name, message).label("an argument is missing").help(help),
                );
            }
        }
        self.network_client(native, &placed);
        let args = placed.into_iter().map(|arg| arg.map(|(arg, _)| arg)).collect();
        let wants = match native.effect {
            Effect::Probe | Effect::Vouched => {
                let written: String = self.sources.text(span).split_whitespace().collect();
                self.wants.entry(written).or_default().clone()
            }
            Effect::Function | Effect::Action => Wants::default(),
        };
        (Call { native: native.clone(), args, wants, span }, secret, probes)
    }

    /// Warns of a client of the network in a probe that is kept from it.
    fn network_client(&mut self, native: &Native, placed: &[Option<(Arg, Span)>]) {
        let named = |name: &str| native.params.iter().position(|param| &*param.name == name);
        let (Some(command), Some(network)) =
            (native.params.iter().position(|param| param.ty == Type::Shell), named("network"))
        else {
            return;
        };
        if placed[network].is_some() {
            return;
        }
        let Some((command, span)) = &placed[command] else { return };
        let Some(client) = network_client::first(command) else { return };
        let program = client.program;
        let allow = "let it open connections, where it only reads: `network: true`";
        let help = match client.probe {
            Some(probe) => format!("ask with `{probe}`, or {allow}"),
            None => allow.to_owned(),
        };
        let message = format!(
            "`{program}` asks over the network or a socket, which the sandbox refuses: the answer will be unknown"
        );
        self.error(Diagnostic::new(Code::NetworkClient, *span, message).label("refused when it is run").help(help));
    }

    fn no_argument(&mut self, native: &Native, arg: &Argument) {
        let names: Vec<&str> = native.params.iter().map(|param| &*param.name).collect();
        let diagnostic = match &arg.name {
            Some(named) => {
                let help = match did_you_mean(&named.text, names.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it takes {}", names.join(", ")),
                };
                let message = format!("`{}` takes no `{}`", native.name, named.text);
                Diagnostic::new(Code::UnknownArgument, named.span, message).label("unknown").help(help)
            }
            None => {
                let count = names.len();
                let message = format!("`{}` takes {count} argument{}", native.name, if count == 1 { "" } else { "s" });
                Diagnostic::new(Code::UnknownArgument, arg.value.span, message).label("one too many")
            }
        };
        self.error(diagnostic);
    }

    /// What a call says of how its command is read.
    fn reading(&mut self, ctx: &Ctx, native: &Native, args: &[Argument]) -> Reading {
        let given = |role: ParamRole| {
            let place = native.params.iter().position(|param| param.role == Some(role))?;
            let named = |arg: &&Argument| arg.name.as_ref().is_some_and(|name| name.text == native.params[place].name);
            args.iter().find(named).or_else(|| args.get(place).filter(|arg| arg.name.is_none())).map(|arg| &arg.value)
        };
        let pipes = given(ParamRole::AcceptPipeFailures);
        let shell = given(ParamRole::Shell);
        let accepting = match pipes.map(|pipes| &pipes.kind) {
            Some(tree::ExprKind::Bool(accepting)) => *accepting,
            None => false,
            Some(_) => {
                let message = "whether the failures of a pipeline are accepted is written out";
                let span = pipes.map(|pipes| pipes.span).unwrap_or_default();
                self.error(Diagnostic::new(Code::BadParam, span, message).label("`true` or `false`"));
                true
            }
        };
        Reading { shell: self.shell_said(ctx, shell), accepting, call: true }
    }

    /// The shell that a command names, or that its file has.
    pub(super) fn shell_said(&mut self, ctx: &Ctx, said: Option<&tree::Expr>) -> Shell {
        let Some(said) = said else { return self.shell_of(ctx) };
        let named = match &said.kind {
            tree::ExprKind::String(text) => text.plain().and_then(|name| Shell::named(&name)),
            _ => None,
        };
        named.unwrap_or_else(|| {
            let message = "what reads a command is written out: \"sh\" or \"bash\"";
            let help = "`sh` is `/bin/sh -eu`, `bash` is `bash -euo pipefail`";
            self.error(Diagnostic::new(Code::BadParam, said.span, message).label("not a shell").help(help));
            Shell::Bash
        })
    }

    /// A shell command.
    pub(super) fn shell(&mut self, ctx: &Ctx, literal: &tree::StringLit, reading: Reading) -> ShellText {
        let parts = match shell_text::analyse(literal) {
            Ok(analysed) => {
                if analysed.pipeline && !reading.shell.sees_pipe_failures() && !reading.accepting {
                    self.pipe_failure(ctx, literal.span, reading);
                }
                analysed.parts
            }
            Err(diagnostic) => {
                self.error(diagnostic);
                // What is interpolated is checked all the same.
                for part in &literal.parts {
                    if let StringPart::Hole(hole) = part {
                        self.expr(ctx, hole);
                    }
                }
                return Self::no_shell_text(literal.span);
            }
        };
        let mut lowered = Vec::with_capacity(parts.len());
        for part in parts {
            lowered.push(match part {
                PlacedPart::Source(text) => ShellPart::Source(text),
                PlacedPart::Hole { value, place, takes } => {
                    let value = self.expr(ctx, value);
                    self.word(&value, place, takes);
                    if value.secret {
                        self.secret_in_command(value.expr.span, "a shell command");
                    }
                    ShellPart::Hole { value: value.expr, place, takes }
                }
            });
        }
        let shell = if reading.accepting { reading.shell.accepting_pipe_failures() } else { reading.shell };
        ShellText { parts: lowered, shell, span: literal.span }
    }

    fn pipe_failure(&mut self, ctx: &Ctx, span: Span, reading: Reading) {
        let (shell, accept) = match reading.call {
            true => ("`shell: \"bash\"`", "`accept_pipe_failures: true`"),
            false => ("`shell \"bash\"` behind the command", "`accept-pipe-failures`"),
        };
        let header = if ctx.unit + 1 == self.units.len() { "`shell = \"bash\"` in the header, or " } else { "" };
        let help =
            format!("write {header}{shell} (`bash -euo pipefail` sees it); or, where a failure is fine, {accept}");
        let message = "in this pipeline a command could fail and nobody would know: `/bin/sh` tells only of the last";
        self.error(Diagnostic::new(Code::PipeFailure, span, message).label("a pipeline").help(help));
    }

    /// What reads the commands of a file: its text means one thing, whoever uses it.
    fn shell_of(&self, ctx: &Ctx) -> Shell {
        if ctx.unit + 1 == self.units.len() { self.shell } else { Shell::default() }
    }

    fn no_shell_text(span: Span) -> ShellText {
        ShellText { parts: Vec::new(), shell: Shell::default(), span }
    }

    /// A value that becomes a word of a command, or several.
    fn word(&mut self, value: &Checked, place: ShellPlace, takes: ShellTakes) {
        let (refused, help) = match &value.expr.ty {
            Type::List(_) if place != ShellPlace::Bare => (
                "a list becomes several words, so it can't stand in quotes",
                "name one of its parts, or let a list stand outside of quotes",
            ),
            Type::List(_) if takes != ShellTakes::Words => (
                "a list becomes several words, and here only one fits",
                "name one of its parts; a list whose first item is the program is run by `run shell.exec(list)`",
            ),
            Type::Map(_) | Type::Record(_) => ("this has no text of its own", "name one of its parts"),
            Type::Number | Type::List(_) => return,
            _ if takes == ShellTakes::Number => {
                let message = "only a number fits here: some shells compute what stands here, and the shell would read this value again";
                let help = "convert it: `number(value)`; or compare it in the runbook, with `expect` or `if`";
                let diagnostic = Diagnostic::new(Code::ShellPlace, value.expr.span, message);
                self.error(diagnostic.label(types::a(&value.expr.ty)).help(help));
                return;
            }
            _ => return,
        };
        self.error(Diagnostic::new(Code::NotText, value.expr.span, refused).label(types::a(&value.expr.ty)).help(help));
    }

    pub(super) fn secret_in_command(&mut self, span: Span, what: &str) {
        let message = format!("a secret in {what} can be read by every user of this host");
        let diagnostic = Diagnostic::new(Code::SecretInCommand, span, message)
            .label("a secret")
            .help("pass it by the environment, `run \"… \\\"$TOKEN\\\"\" env { TOKEN: token }`, or by `stdin token`");
        self.error(diagnostic);
    }
}
