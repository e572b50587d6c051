//! What names mean: units (files), their members, variables, steps; and who sees what.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, Sources, Span, did_you_mean};
use crate::syntax::tree::{self, ItemKind, Name};
use crate::value::Type;

use super::library::{full_name, resolve_type};
use super::program::{Global, Library, Native, Shell, Var, Wants};

/// A file: the runbook, a module it uses, or one of the standard library.
#[derive(Clone)]
pub(super) struct Unit {
    pub tree: tree::File,
    /// The module's name, for those of the standard library.
    pub stdlib: Option<Arc<str>>,
    /// What it calls the modules it uses, and where.
    pub uses: HashMap<Arc<str>, (usize, Span)>,
    pub members: IndexMap<Arc<str>, Member>,
}

#[derive(Clone)]
pub(super) enum Member {
    Native(Arc<Native>),
    Check(usize),
    Action(usize),
    Global(Var),
}

impl Unit {
    pub fn stdlib(name: &str, tree: tree::File) -> Self {
        Self { tree, stdlib: Some(name.into()), uses: HashMap::new(), members: IndexMap::new() }
    }

    pub fn file(tree: tree::File, uses: HashMap<Arc<str>, (usize, Span)>) -> Self {
        Self { tree, stdlib: None, uses, members: IndexMap::new() }
    }
}

/// What is known of a variable.
#[derive(Clone)]
pub(super) struct VarInfo {
    pub name: Name,
    pub ty: Type,
    pub secret: bool,
    pub used: bool,
    /// What it is, where its being unused is worth a word.
    pub what: Option<&'static str>,
    /// It is bound when the checker gets there.
    pub bound: bool,
    /// What it holds may be absent.
    pub optional: bool,
    /// The texts that a param takes, where it names them.
    pub choices: Arc<[Arc<str>]>,
    /// Bound by `let r = run …`: which run, so that a secret captured from it can mark it.
    pub run: Option<Span>,
}

/// A check or action, as its callers see it.
#[derive(Clone)]
pub(super) struct Signature {
    pub name: Arc<str>,
    pub unit: usize,
    pub definition: tree::Definition,
    pub span: Span,
    pub params: Vec<(Name, Var, Type, Option<tree::Expr>)>,
}

pub(super) struct StepInfo {
    pub name: Name,
    pub bindings: HashMap<Arc<str>, Var>,
    /// It may be left out, and what it binds is absent then.
    pub conditional: bool,
}

/// Checks a program. One value for all its files.
pub(super) struct Checker {
    pub sources: Arc<Sources>,
    pub library: Arc<Library>,
    pub units: Vec<Unit>,
    pub diagnostics: Vec<Diagnostic>,
    pub vars: Vec<VarInfo>,
    /// By how a call is written.
    pub wants: HashMap<String, Wants>,
    pub checks: Vec<Signature>,
    pub actions: Vec<Signature>,
    pub program_globals: Vec<Global>,
    /// The shell of the runbook's own commands.
    pub shell: Shell,
    pub steps: Vec<StepInfo>,
    /// Steps by name.
    pub step_index: HashMap<Arc<str>, usize>,
    /// Which uses were used, by unit and name.
    pub used_modules: std::collections::HashSet<(usize, Arc<str>)>,
    /// `let r = run …` out of whose result a secret is captured.
    pub sensitive: std::collections::HashSet<Span>,
    /// The names that were written before expects, by step (or `verdict`).
    pub written: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// What is confirmed, by step.
    pub confirms: std::collections::HashSet<(usize, Arc<str>)>,
    /// What may be absent, by its place.
    pub optional: std::collections::HashSet<Span>,
    /// The value of a `secret` is being read.
    pub reads_secret: bool,
    /// Which definition calls which, for circles: caller, callee, place.
    pub calls: Vec<(Callable, Callable, Span)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Callable {
    Check(usize),
    Action(usize),
}

/// Where an expression or statement stands: what it sees.
#[derive(Clone, Default)]
pub(super) struct Ctx {
    pub unit: usize,
    /// Innermost last.
    pub locals: Vec<(Arc<str>, Var)>,
    /// What `.field` is about.
    pub subject: Option<(Var, Type)>,
    pub step: Option<usize>,
    pub handler: bool,
    pub inside: Option<Callable>,
}

impl Checker {
    pub fn new(sources: Arc<Sources>, library: Arc<Library>, units: Vec<Unit>) -> Self {
        Self {
            sources,
            library,
            units,
            diagnostics: Vec::new(),
            vars: Vec::new(),
            wants: HashMap::new(),
            checks: Vec::new(),
            actions: Vec::new(),
            program_globals: Vec::new(),
            shell: Shell::default(),
            steps: Vec::new(),
            step_index: HashMap::new(),
            used_modules: std::collections::HashSet::new(),
            sensitive: std::collections::HashSet::new(),
            written: HashMap::new(),
            confirms: std::collections::HashSet::new(),
            optional: std::collections::HashSet::new(),
            reads_secret: false,
            calls: Vec::new(),
        }
    }

    pub fn error(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    pub fn var(&mut self, name: &Name, ty: Type, secret: bool, what: Option<&'static str>) -> Var {
        let what = what.filter(|_| !name.text.starts_with('_'));
        self.vars.push(VarInfo {
            name: name.clone(),
            ty,
            secret,
            used: false,
            what,
            bound: true,
            optional: false,
            choices: Arc::new([]),
            run: None,
        });
        Var(self.vars.len() as u32 - 1)
    }

    pub fn info(&mut self, var: Var) -> &mut VarInfo {
        &mut self.vars[var.0 as usize]
    }

    pub fn ty(&mut self, ty: &tree::TypeExpr, unit: usize) -> Type {
        let module = self.units[unit].stdlib.clone();
        resolve_type(ty, module.as_deref(), &self.library).unwrap_or_else(|diagnostic| {
            self.error(diagnostic);
            Type::Any
        })
    }

    /// Declares the members of every unit, so that all can see them wherever they stand.
    pub fn declare(&mut self) {
        for unit in 0..self.units.len() {
            let items = std::mem::take(&mut self.units[unit].tree.items);
            let mut seen: HashMap<Arc<str>, Span> = HashMap::new();
            let mut header: Option<Span> = None;
            for item in &items {
                let name = match &item.kind {
                    ItemKind::Header(_) => {
                        if let Some(first) = header.replace(item.span) {
                            self.duplicate("header", "runbook", item.span, first);
                        }
                        continue;
                    }
                    ItemKind::Param(param) => &param.name,
                    ItemKind::Secret(binding) | ItemKind::Let(binding) => &binding.name,
                    ItemKind::Check(definition) | ItemKind::Action(definition) => &definition.name,
                    ItemKind::Native(native) => &native.name,
                    ItemKind::Record(_) | ItemKind::Key(_) if self.units[unit].stdlib.is_some() => continue,
                    ItemKind::Record(_) | ItemKind::Key(_) => {
                        self.only_stdlib(item.span);
                        continue;
                    }
                    ItemKind::Step(step) => {
                        self.declare_step(unit, step, item.span);
                        continue;
                    }
                    _ => continue,
                };
                if let Some(first) = seen.get(&name.text) {
                    let both = self.units[unit].stdlib.is_some() && matches!(item.kind, ItemKind::Native(_));
                    if both {
                        continue;
                    }
                    self.duplicate("member", &name.text, name.span, *first);
                    continue;
                }
                seen.insert(name.text.clone(), name.span);
                // What a module binds is for those who use it.
                let main =
                    unit + 1 == self.units.len() && items.iter().any(|item| matches!(item.kind, ItemKind::Header(_)));
                let member = match &item.kind {
                    ItemKind::Param(param) => {
                        let ty = self.ty(&param.ty, unit);
                        let var = self.var(name, ty, false, main.then_some("param"));
                        self.info(var).choices = self.choices(param);
                        Member::Global(var)
                    }
                    ItemKind::Secret(_) => Member::Global(self.var(name, Type::String, true, main.then_some("secret"))),
                    ItemKind::Let(_) => {
                        let var = self.var(name, Type::Any, false, main.then_some("binding"));
                        self.info(var).bound = false;
                        Member::Global(var)
                    }
                    ItemKind::Check(definition) => {
                        let signature = self.signature(unit, definition, item.span);
                        self.checks.push(signature);
                        Member::Check(self.checks.len() - 1)
                    }
                    ItemKind::Action(definition) => {
                        let signature = self.signature(unit, definition, item.span);
                        self.actions.push(signature);
                        Member::Action(self.actions.len() - 1)
                    }
                    ItemKind::Native(native) => match &self.units[unit].stdlib {
                        Some(module) => match self.library.natives.get(&full_name(module, &native.name.text)) {
                            Some(native) => Member::Native(native.clone()),
                            None => continue,
                        },
                        None => {
                            self.only_stdlib(item.span);
                            continue;
                        }
                    },
                    _ => continue,
                };
                self.units[unit].members.insert(name.text.clone(), member);
            }
            self.units[unit].tree.items = items;
        }
    }

    fn declare_step(&mut self, unit: usize, step: &tree::Step, span: Span) {
        if unit + 1 != self.units.len() {
            let diagnostic = Diagnostic::new(Code::Misplaced, step.name.span, "a module has no steps")
                .label("only a file with a `runbook` header has steps")
                .help("make it an `action` or `check`, and use that in a step");
            return self.error(diagnostic);
        }
        let _ = span;
        if &*step.name.text == "verdict" {
            let message = "`verdict` is what decides after the last step, and no step";
            let help = "give the step another name";
            self.error(Diagnostic::new(Code::Misplaced, step.name.span, message).help(help));
        }
        if let Some(first) = self.step_index.get(&step.name.text) {
            let first = self.steps[*first].name.span;
            self.duplicate("step", &step.name.text, step.name.span, first);
        } else {
            self.step_index.insert(step.name.text.clone(), self.steps.len());
        }
        let conditional = step.when.is_some();
        self.steps.push(StepInfo { name: step.name.clone(), bindings: HashMap::new(), conditional });
    }

    fn only_stdlib(&mut self, span: Span) {
        let diagnostic =
            Diagnostic::new(Code::Misplaced, span, "only the standard library declares natives, records and keys")
                .help("write a `check` or an `action` instead");
        self.error(diagnostic);
    }

    pub fn duplicate(&mut self, what: &str, name: &str, span: Span, first: Span) {
        let diagnostic = Diagnostic::new(Code::Duplicate, span, format!("a second {what} is named `{name}`"))
            .label("again here")
            .also(first, "first here")
            .help("give one of them another name");
        self.error(diagnostic);
    }

    fn signature(&mut self, unit: usize, definition: &tree::Definition, span: Span) -> Signature {
        let mut params = Vec::new();
        let mut seen: HashMap<Arc<str>, Span> = HashMap::new();
        for param in &definition.params {
            if let Some(first) = seen.insert(param.name.text.clone(), param.name.span) {
                self.duplicate("parameter", &param.name.text, param.name.span, first);
            }
            // `secret`: a text that is one.
            let secret = matches!(param.ty.path.as_slice(), [only] if &*only.text == "secret");
            let ty = if secret { Type::String } else { self.ty(&param.ty, unit) };
            if let (true, Some(default)) = (secret, &param.default) {
                let message = "a secret has no default: what is written out is no secret";
                self.error(Diagnostic::new(Code::SecretParameter, default.span, message).help("take the default out"));
            }
            let what = self.units[unit].stdlib.is_none().then_some("parameter");
            let var = self.var(&param.name, ty.clone(), secret, what);
            self.info(var).optional = param.ty.optional;
            params.push((param.name.clone(), var, ty, param.default.clone()));
        }
        let name = match &self.units[unit].stdlib {
            Some(module) => full_name(module, &definition.name.text),
            None => definition.name.text.clone(),
        };
        Signature { name, unit, definition: definition.clone(), span, params }
    }

    /// The unit that a module's name means, as seen from `unit`.
    pub fn module(&mut self, unit: usize, name: &str) -> Option<usize> {
        if let Some((used, _)) = self.units[unit].uses.get(name) {
            let used = *used;
            self.used_modules.insert((unit, name.into()));
            return Some(used);
        }
        self.units.iter().position(|unit| unit.stdlib.as_deref() == Some(name))
    }

    /// A binding that is seen from a place, by its bare name.
    pub fn binding(&self, ctx: &Ctx, name: &str) -> Option<Var> {
        let local = ctx.locals.iter().rev().find(|(local, _)| &**local == name).map(|(_, var)| *var);
        local.or_else(|| match self.units[ctx.unit].members.get(name) {
            Some(Member::Global(var)) => Some(*var),
            _ => None,
        })
    }

    /// What is called by a bare name: a member of the own file, of `core`, or the native with its module's name.
    pub fn callable(&self, ctx: &Ctx, name: &str) -> Option<Member> {
        if let Some(member) = self.units[ctx.unit].members.get(name)
            && !matches!(member, Member::Global(_))
        {
            return Some(member.clone());
        }
        self.library.natives.get(name).map(|native| Member::Native(native.clone()))
    }

    /// Every name that could have been meant.
    pub fn suggestion(&self, ctx: &Ctx, name: &str) -> Option<String> {
        let locals = ctx.locals.iter().map(|(name, _)| &**name);
        let members = self.units[ctx.unit].members.keys().map(|name| &**name);
        let modules = self.units.iter().filter_map(|unit| unit.stdlib.as_deref());
        let uses = self.units[ctx.unit].uses.keys().map(|name| &**name);
        let natives = self.library.natives.keys().map(|name| &**name).filter(|name| !name.contains('.'));
        let steps = self.steps.iter().map(|step| &*step.name.text);
        let all = locals.chain(members).chain(modules).chain(uses).chain(natives).chain(steps);
        did_you_mean(name, all).map(|meant| format!("did you mean `{meant}`?"))
    }

    /// Warns of what nothing uses.
    pub fn unused(&mut self, main: usize) {
        // After an error it can't be told: what could not be read may have used it.
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        let mut warnings = Vec::new();
        for var in self.vars.iter().filter(|var| !var.used) {
            if let Some(what) = var.what {
                let name = &var.name.text;
                let warning =
                    Diagnostic::new(Code::Unused, var.name.span, format!("the {what} `{name}` is never used"))
                        .help(format!("remove it, or call it `_{name}` if that is meant"));
                warnings.push(warning);
            }
        }
        for (name, (_, span)) in &self.units[main].uses {
            if !self.used_modules.contains(&(main, name.clone())) {
                warnings.push(
                    Diagnostic::new(Code::Unused, *span, format!("the module `{name}` is never used"))
                        .help("remove the `use`"),
                );
            }
        }
        self.diagnostics.extend(warnings);
    }
}
