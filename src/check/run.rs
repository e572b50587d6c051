//! Actions: `run` with its modifiers, argument lists, and calls of what the language defines.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::tree::{self, RunModifierKind};
use crate::value::{Type, Value};

use super::call::Reading;
use super::expr::Checked;
use super::items::block_proves;
use super::names::{Callable, Checker, Ctx, Member};
use super::program::{Arg, Call, Effect, Expr, ExprKind, ParamRole, Role, Run, RunTarget, Wants};

impl Checker {
    pub(super) fn run(&mut self, ctx: &Ctx, run: &tree::Run) -> Option<Run> {
        let (native, args, name_span, mut secret_args) = match &run.target {
            tree::RunTarget::Shell(literal) => {
                let native = self.library.of_role(Role::ShellCommand).next()?.clone();
                let said = |kind| run.modifiers.iter().find(|modifier| modifier.kind == kind);
                let shell = said(RunModifierKind::Shell).map(|modifier| &modifier.value);
                let accepting = said(RunModifierKind::AcceptPipeFailures).is_some();
                let reading = Reading { shell: self.shell_said(ctx, shell), accepting, call: false };
                let text = self.shell(ctx, literal, reading);
                let mut args: Vec<Option<Arg>> = native.params.iter().map(|_| None).collect();
                args[0] = Some(Arg::Shell(text));
                (native, args, literal.span, false)
            }
            tree::RunTarget::Program(items, span) => {
                let native = self.library.of_role(Role::Program).next()?.clone();
                let mut args: Vec<Option<Arg>> = native.params.iter().map(|_| None).collect();
                args[0] = Some(Arg::Value(self.argument_list(ctx, items, *span)));
                (native, args, *span, false)
            }
            tree::RunTarget::Call(call) => match self.run_call(ctx, call, run)? {
                Target::Native(call, name, secret) => (call.native.clone(), call.args, name, secret),
                Target::Defined(target) => {
                    if let Some(modifier) = run.modifiers.first() {
                        let message = "an action of the language takes no modifiers";
                        let help = "write them where its commands are";
                        self.error(Diagnostic::new(Code::UnknownArgument, modifier.keyword, message).help(help));
                    }
                    return Some(Run { bind: None, target, changes: None, sensitive: false, span: run.span });
                }
            },
        };
        let mut args = args;
        let mut changes = None;
        for modifier in &run.modifiers {
            let param = match modifier.kind {
                RunModifierKind::In => ParamRole::Directory,
                RunModifierKind::Env => ParamRole::Environment,
                RunModifierKind::Stdin => ParamRole::Input,
                RunModifierKind::Timeout => ParamRole::Limit,
                RunModifierKind::Accept => ParamRole::Accept,
                RunModifierKind::Shell => ParamRole::Shell,
                RunModifierKind::AcceptPipeFailures => ParamRole::AcceptPipeFailures,
                RunModifierKind::Changes => {
                    let keys = match &modifier.value.kind {
                        tree::ExprKind::List(items) => items.iter().filter_map(|item| self.key(ctx, item)).collect(),
                        _ => self.key(ctx, &modifier.value).into_iter().collect(),
                    };
                    changes = Some(keys);
                    continue;
                }
            };
            let Some(place) = native.params.iter().position(|known| known.role == Some(param)) else {
                let word = self.sources.text(modifier.keyword).to_owned();
                let message = format!("`{}` takes no `{word}`", native.name);
                self.error(
                    Diagnostic::new(Code::UnknownArgument, modifier.keyword, message).label("not for this action"),
                );
                self.expr(ctx, &modifier.value);
                continue;
            };
            let ty = native.params[place].ty.clone();
            let value = self.typed(ctx, &modifier.value, &ty);
            if param == ParamRole::Accept && matches!(native.role, Some(Role::ShellCommand | Role::Program)) {
                self.accepted(&value.expr);
            }
            secret_args |= value.secret;
            if args[place].replace(Arg::Value(value.expr)).is_some() {
                let word = self.sources.text(modifier.keyword).to_owned();
                self.error(Diagnostic::new(
                    Code::UnknownArgument,
                    modifier.keyword,
                    format!("`{word}` is given twice"),
                ));
            }
        }
        let _ = (name_span, secret_args);
        let call = Call { native, args, wants: Wants::default(), span: run.span };
        Some(Run { bind: None, target: RunTarget::Native(call), changes, sensitive: false, span: run.span })
    }

    /// Exit codes that are no failure, where they are written out.
    fn accepted(&mut self, codes: &Expr) {
        let ExprKind::List(items) = &codes.kind else { return };
        for item in items {
            let ExprKind::Literal(Value::Number(number)) = &item.kind else { continue };
            let why = match number.as_i64() {
                Some(126 | 127) => "126 and 127 say that the command could not be run, so it did nothing",
                Some(0..=255) => continue,
                _ => "an exit code is a whole number from 0 to 255",
            };
            let help = "a signal counts as 128 and its number: 143 is SIGTERM";
            self.error(Diagnostic::new(Code::ExitCode, item.span, why).label("never accepted").help(help));
        }
    }

    /// `ensure name(…)`
    pub(super) fn ensure(&mut self, ctx: &Ctx, run: &tree::Run) -> Option<Run> {
        let mut lowered = self.run(ctx, run)?;
        match &mut lowered.target {
            RunTarget::Defined { action, if_needed, name, .. } => {
                *if_needed = true;
                if !block_proves(&self.actions[*action].definition.body) {
                    let message = format!("`{name}` proves nothing, so nothing shows whether it is needed");
                    let help = "put an `expect` behind its actions, or do it in any case with `run`";
                    self.error(Diagnostic::new(Code::Misplaced, run.span, message).help(help));
                }
            }
            RunTarget::Native(call) => {
                let message = format!("`{}` does not say what it is done for", call.native.name);
                let help = "`ensure` takes an `action` with an expect in it, such as `docker.running(\"name\")`";
                self.error(Diagnostic::new(Code::Misplaced, run.span, message).label("not a state").help(help));
            }
        }
        Some(lowered)
    }

    /// A program with its arguments: each item one text, no secret among them.
    pub(super) fn argument_list(&mut self, ctx: &Ctx, items: &[tree::Expr], span: Span) -> Expr {
        let mut argv = Vec::with_capacity(items.len());
        for item in items {
            let value = self.expr(ctx, item);
            if value.secret {
                self.secret_in_command(value.expr.span, "an argument list");
            }
            if matches!(value.expr.ty, Type::List(_) | Type::Map(_) | Type::Record(_)) {
                let message = "an argument is one text";
                let help = "a list of any length goes into a shell command, where each item is a word: `run \"program #{list}\"`";
                self.error(Diagnostic::new(Code::NotText, value.expr.span, message).help(help));
            }
            argv.push(value.expr);
        }
        if argv.is_empty() {
            let message = "an empty list names no program";
            self.error(Diagnostic::new(Code::MissingArgument, span, message).help("the first item is the program"));
        }
        Expr { kind: ExprKind::List(argv), ty: Type::list(Type::String), span }
    }

    /// What `run name(…)` means.
    fn run_call(&mut self, ctx: &Ctx, call: &tree::Expr, run: &tree::Run) -> Option<Target> {
        let wrong = |message: String| {
            Diagnostic::new(Code::ProbeAsAction, call.span, message)
                .label("not an action")
                .help("after `run` stands a command in quotes, a list, or the call of an action")
        };
        let tree::ExprKind::Chain { base, links } = &call.kind else {
            if let tree::ExprKind::Name(name) = &call.kind {
                let message = format!("`{}` can't be run", name.text);
                let text = format!("write `run \"{}\"` for a command, `run {}(…)` for an action", name.text, name.text);
                self.error(Diagnostic::new(Code::ShellLiteral, name.span, message).label("a bare name").help(text));
            } else if !matches!(call.kind, tree::ExprKind::Bad) {
                self.error(wrong("this can't be run".to_owned()));
            }
            return None;
        };
        let (name, fields, args) = match (&base.kind, links.as_slice()) {
            (tree::ExprKind::Name(name), [tree::Link { kind: tree::LinkKind::Call(args), .. }]) => (name, None, args),
            (
                tree::ExprKind::Name(name),
                [
                    tree::Link { kind: tree::LinkKind::Field(field), .. },
                    tree::Link { kind: tree::LinkKind::Call(args), .. },
                ],
            ) => (name, Some(field), args),
            _ => {
                // Names in it are checked all the same.
                self.expr(ctx, call);
                self.error(wrong("this can't be run".to_owned()));
                return None;
            }
        };
        let member = match fields {
            None => self.callable(ctx, &name.text),
            Some(field) => {
                let unit = self.module(ctx.unit, &name.text);
                unit.and_then(|unit| self.units[unit].members.get(&field.text).cloned())
            }
        };
        let name_span = fields.map_or(name.span, |field| name.span.to(field.span));
        let words = self.sources.text(name_span).to_owned();
        match member {
            Some(Member::Native(native)) => {
                // Some are both: what looks on its author's word in an expression acts after `run`.
                let native = self.library.acting.get(&native.name).cloned().unwrap_or(native);
                if native.effect != Effect::Action {
                    let message = format!("`{words}` only looks, so there is nothing to run");
                    self.error(
                        Diagnostic::new(Code::ProbeAsAction, name_span, message).label("not an action").help(format!(
                            "bind what it answers, `let x = {words}(…)`, or ask it: `expect {words}(…)`"
                        )),
                    );
                }
                let (call, secret, _) = self.call(ctx, &native, args, run.span, name_span);
                Some(Target::Native(call, name_span, secret))
            }
            Some(Member::Action(at)) => {
                if let Some(inside) = ctx.inside {
                    self.calls.push((inside, Callable::Action(at), name_span));
                }
                let args = self.defined_args(ctx, Callable::Action(at), args, name_span);
                Some(Target::Defined(RunTarget::Defined { action: at, args, name: words.into(), if_needed: false }))
            }
            Some(Member::Check(_)) => {
                let message = format!("the check `{words}` is asked, not run");
                self.error(
                    Diagnostic::new(Code::ProbeAsAction, name_span, message).help(format!("write `expect {words}(…)`")),
                );
                None
            }
            _ => {
                // Says what is unknown.
                self.expr(ctx, call);
                None
            }
        }
    }

    /// The arguments of a check or action, in the order of its parameters.
    pub(super) fn defined_args(
        &mut self,
        ctx: &Ctx,
        callee: Callable,
        args: &[tree::Argument],
        span: Span,
    ) -> Vec<Expr> {
        let signature = match callee {
            Callable::Check(at) => self.checks[at].clone(),
            Callable::Action(at) => self.actions[at].clone(),
        };
        let mut placed: Vec<Option<Expr>> = signature.params.iter().map(|_| None).collect();
        for (at, arg) in args.iter().enumerate() {
            let place = match &arg.name {
                Some(named) => signature.params.iter().position(|(param, ..)| param.text == named.text),
                None => (at < signature.params.len()).then_some(at),
            };
            let Some(place) = place else {
                let names: Vec<&str> = signature.params.iter().map(|(name, ..)| &*name.text).collect();
                let (span, what) = match &arg.name {
                    Some(named) => (named.span, format!("`{}` takes no `{}`", signature.name, named.text)),
                    None => (arg.value.span, format!("`{}` takes {} arguments", signature.name, names.len())),
                };
                let help = format!("it takes {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") });
                self.error(Diagnostic::new(Code::UnknownArgument, span, what).label("unknown").help(help));
                continue;
            };
            if placed[place].is_some() {
                let at = arg.name.as_ref().map_or(arg.value.span, |name| name.span);
                let message = format!("`{}` is given twice", signature.params[place].0.text);
                self.error(Diagnostic::new(Code::UnknownArgument, at, message).label("again here"));
                continue;
            }
            let ty = signature.params[place].2.clone();
            let value = self.typed(ctx, &arg.value, &ty);
            let takes = &self.vars[signature.params[place].1.0 as usize];
            let name = &signature.params[place].0.text;
            if value.secret && !takes.secret {
                let message = format!("`{name}` of `{}` takes no secret: it may be shown there", signature.name);
                let help = format!("declare it as one: `{name}: secret`");
                self.error(
                    Diagnostic::new(Code::SecretParameter, arg.value.span, message).label("a secret").help(help),
                );
            } else if takes.secret && !value.secret && !matches!(arg.value.kind, tree::ExprKind::Bad) {
                let message = format!("`{name}` of `{}` takes a secret, and this is none", signature.name);
                let help = "read it as one: `secret name = env(\"NAME\")`; the values of params are shown and recorded";
                self.error(
                    Diagnostic::new(Code::SecretParameter, arg.value.span, message).label("no secret").help(help),
                );
            }
            placed[place] = Some(value.expr);
        }
        let owner = Ctx { unit: signature.unit, ..Ctx::default() };
        placed
            .into_iter()
            .zip(&signature.params)
            .map(|(arg, (name, _, ty, default))| match (arg, default) {
                (Some(arg), _) => arg,
                (None, Some(default)) => self.typed(&owner, default, ty).expr,
                (None, None) => {
                    let message = format!("`{}` needs `{}`, {}", signature.name, name.text, super::types::a(ty));
                    self.error(Diagnostic::new(Code::MissingArgument, span, message).label("an argument is missing"));
                    Checked::bad(span).expr
                }
            })
            .collect()
    }
}

enum Target {
    Native(Call, Span, bool),
    Defined(RunTarget),
}
