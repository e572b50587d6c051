//! The one evaluator: an expression and a scope come to an [`Answer`].
//!
//! It can look, and nothing else. `exec` and `dry-run` use it alike.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;

use crate::check::program::{
    Arg, AskedAbsence, Call, Effect, Expr, ExprKind, For, GlobalKind, Key, Link, LinkKind, LogicOp, Quantifier,
    ShellPart, Stop, Test, Text, TextPart, Var,
};
use crate::value::size;
use crate::value::{Answer, Map, Number, Sealed, Truth, Unknown, UnknownCause, Value};

use super::ask::{self, Round};
use super::composed::Composed;
use super::compute;
use super::core::{Core, Site};
use super::facts::FactKey;
use super::function_call;
use super::kept::Kept;
use super::observation::Observation;
use super::scope::{Bound, Outdated};
use super::shell_command;
use super::trace::{Depth, How, MOST_AGAINST, Trace};
use crate::engine::world::{ArgValue, Request};

/// What an answer rests on.
#[derive(Clone, Debug, Default)]
pub struct Rests {
    /// The latest action, among those that a dry run left out, that may have outdated what was looked at.
    pub outdated: Option<Outdated>,
    /// What the world was asked.
    pub observed: Vec<Observation>,
}

impl Rests {
    fn outdated(&mut self, outdated: Option<Outdated>) {
        if self.outdated.is_none_or(|before| outdated.is_some_and(|outdated| before.line < outdated.line)) {
            self.outdated = outdated;
        }
    }

    fn observed(&mut self, observation: Observation) {
        if !self.observed.iter().any(|before| before.is(&observation)) {
            self.observed.push(observation);
        }
    }
}

/// Evaluates in one round of asking.
#[derive(Clone)]
pub struct Eval<'c> {
    pub core: &'c Core,
    pub site: Site,
    pub round: Arc<Round>,
    rests: Arc<Mutex<Rests>>,
    /// In a stop condition: comparing what is absent is unknown, but for what the condition itself asks about.
    absence: Option<Arc<AskedAbsence>>,
}

impl<'c> Eval<'c> {
    pub fn new(core: &'c Core, site: &Site, round: &Arc<Round>) -> Self {
        Self { core, site: site.clone(), round: round.clone(), rests: Arc::default(), absence: None }
    }

    /// For the condition of a stop block: a truth that would rest on comparing something absent is unknown. A server that
    /// has lost a field is no server on which all is well.
    pub fn of_stop(core: &'c Core, site: &Site, round: &Arc<Round>, stop: &Stop) -> Self {
        Self { absence: Some(stop.asked.clone()), ..Self::new(core, site, round) }
    }

    /// The same, where `var` is bound; what it finds outdated is found outdated here, too.
    pub fn with(&self, var: Var, bound: Bound) -> Self {
        Self { site: self.site.with(var, bound), ..self.clone() }
    }

    pub fn outdated(&self) -> Option<Outdated> {
        self.noted(|rests| rests.outdated)
    }

    /// What was found so far rests on this.
    pub fn rests(&self) -> Rests {
        self.noted(|rests| rests.clone())
    }

    fn noted<T>(&self, note: impl FnOnce(&mut Rests) -> T) -> T {
        note(&mut self.rests.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// What the expression comes to, with what it rests on.
    pub async fn bound(&self, expr: &Expr) -> Bound {
        let fresh = Self { rests: Arc::default(), ..self.clone() };
        let answer = fresh.eval(expr).await;
        Bound { answer, outdated: fresh.outdated() }
    }

    pub async fn truth(&self, expr: &Expr) -> Truth {
        let answer = self.eval(expr).await;
        match self.undecided(expr, &answer).await {
            Some(unknown) => Truth::Unknown(unknown),
            None => compute::truth(&answer),
        }
    }

    /// Why nothing can be decided by an operand: it is absent, where that decides nothing.
    async fn undecided(&self, operand: &Expr, answer: &Answer) -> Option<Unknown> {
        let (asked, absence) = match (&self.absence, answer) {
            (Some(asked), Answer::Absent(absence)) => (asked, absence),
            _ => return None,
        };
        for subject in asked.0.get(&operand.span).into_iter().flatten() {
            if matches!(self.eval(subject).await, Answer::Absent(_)) {
                return None;
            }
        }
        let words = self.core.words(operand.span);
        let reason = format!("`{words}` is absent ({}), which decides nothing here", absence.0);
        Some(Unknown::new(UnknownCause::Absent, reason))
    }

    pub fn eval<'a>(&'a self, expr: &'a Expr) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let answer = match &expr.kind {
                ExprKind::Literal(value) => Answer::Known(value.clone()),
                ExprKind::Text(text) => self.text(text).await,
                ExprKind::Var(name, var) => self.var(name, *var).await,
                ExprKind::List(items) => self.list(items).await,
                ExprKind::Map(entries) => self.map(entries).await,
                ExprKind::Chain { base, links } => self.chain(base, links).await,
                ExprKind::Call(call) => self.call(call).await,
                ExprKind::Negative(inner) => compute::negative(self.eval(inner).await),
                ExprKind::Arithmetic { first, rest } => {
                    let mut sum = self.eval(first).await;
                    for (op, term) in rest {
                        sum = compute::arithmetic(*op, &sum, &self.eval(term).await);
                    }
                    sum
                }
                ExprKind::OrDefault(terms) => {
                    let mut answer = Answer::absent("nothing was given");
                    for term in terms {
                        answer = self.eval(term).await;
                        if !matches!(answer, Answer::Absent(_)) {
                            break;
                        }
                    }
                    answer
                }
                ExprKind::Range { from, to } => compute::range(&self.eval(from).await, &self.eval(to).await),
                ExprKind::Quantifier { kind: Quantifier::Map, vars, over, body, .. } => {
                    self.mapped(vars, over, body).await
                }
                ExprKind::Quantifier {
                    kind: kind @ (Quantifier::Count | Quantifier::Where), vars, over, body, ..
                } => self.of_those(*kind, vars, over, body).await,
                ExprKind::Not(_)
                | ExprKind::Logic { .. }
                | ExprKind::Compare { .. }
                | ExprKind::Matches { .. }
                | ExprKind::Test { .. }
                | ExprKind::Quantifier { .. } => self.trace(expr, Depth::Decision).await.into_answer(),
            };
            match &expr.kind {
                // What is put together of others may be larger than each of them.
                ExprKind::List(_)
                | ExprKind::Map(_)
                | ExprKind::Arithmetic { .. }
                | ExprKind::Quantifier { kind: Quantifier::Map, .. } => size::bounded(answer),
                _ => answer,
            }
        })
    }

    /// A condition with what decided it.
    pub fn trace<'a, 'e: 'a>(&'a self, expr: &'e Expr, depth: Depth) -> BoxFuture<'a, Trace<'e>> {
        Box::pin(async move {
            let (truth, how) = match &expr.kind {
                ExprKind::Not(inner) => {
                    let inner = self.trace(inner, depth).await;
                    (inner.truth.clone().negate(), How::Not(Box::new(inner)))
                }
                ExprKind::Logic { op, terms } => self.logic(*op, terms, depth).await,
                ExprKind::Compare { op, left: of, right: with } => {
                    let (left, right) = (self.eval(of).await, self.eval(with).await);
                    let truth = match (self.undecided(of, &left).await, self.undecided(with, &right).await) {
                        (Some(unknown), _) | (_, Some(unknown)) => Truth::Unknown(unknown),
                        (None, None) => compute::compare(*op, &left, &right),
                    };
                    (truth, How::Compare { op: *op, of, left, right })
                }
                ExprKind::Matches { subject: of, regex, negated } => {
                    let subject = self.eval(of).await;
                    let truth = match (self.undecided(of, &subject).await, &subject) {
                        (Some(unknown), _) => Truth::Unknown(unknown),
                        (_, Answer::Known(value)) if *negated => compute::matches(regex, value).negate(),
                        (_, Answer::Known(value)) => compute::matches(regex, value),
                        (_, Answer::Absent(_)) => Truth::False,
                        (_, Answer::Unknown(unknown)) => Truth::Unknown(unknown.clone()),
                    };
                    (truth, How::Matches { of, subject, regex, negated: *negated })
                }
                ExprKind::Test { subject: of, test, negated } => {
                    let subject = self.eval(of).await;
                    let truth = match self.undecided(of, &subject).await {
                        Some(unknown) if *test == Test::Empty => Truth::Unknown(unknown),
                        _ => compute::test(*test, *negated, &subject),
                    };
                    (truth, How::Test { of, subject, test: *test, negated: *negated })
                }
                ExprKind::Quantifier { kind, vars, over, body, or_none }
                    if matches!(kind, Quantifier::All | Quantifier::Any | Quantifier::None) =>
                {
                    match self.items(over).await {
                        Ok(items) if *kind == Quantifier::All && !or_none && items.len() == 0 => {
                            self.value_of(expr, self.nothing_to_check(over)).await
                        }
                        Ok(items) => self.of_items(*kind, vars, items, body, depth).await,
                        Err(answer) => self.value_of(expr, answer).await,
                    }
                }
                _ => {
                    let answer = self.eval(expr).await;
                    self.value_of(expr, answer).await
                }
            };
            Trace { expr, truth, how }
        })
    }

    async fn value_of<'e>(&self, expr: &Expr, answer: Answer) -> (Truth, How<'e>) {
        let truth = match self.undecided(expr, &answer).await {
            Some(unknown) => Truth::Unknown(unknown),
            None => compute::truth(&answer),
        };
        (truth, How::Value(answer))
    }

    async fn logic<'e>(&self, op: LogicOp, terms: &'e [Expr], depth: Depth) -> (Truth, How<'e>) {
        let decisive = if op == LogicOp::And { Truth::False } else { Truth::True };
        let mut result = decisive.clone().negate();
        let mut traces = Vec::with_capacity(terms.len());
        for term in terms {
            let trace = self.trace(term, depth).await;
            let truth = trace.truth.clone();
            result = if op == LogicOp::And { result.and(truth) } else { result.or(truth) };
            traces.push(trace);
            // What is decided needs no further question.
            if depth == Depth::Decision && result == decisive {
                break;
            }
        }
        (result, How::Logic { op, terms: traces })
    }

    /// `all`, `any`, `none`: each item is asked once.
    async fn of_items<'e>(
        &self,
        kind: Quantifier,
        vars: &[(Arc<str>, Var)],
        items: Items,
        body: &'e Expr,
        depth: Depth,
    ) -> (Truth, How<'e>) {
        let (mut all, mut any) = (Truth::True, Truth::False);
        let wanted = Truth::from(kind != Quantifier::None);
        let (total, mut against, mut first) = (items.len(), 0, Vec::new());
        for item in items {
            let trace = self.with_item(vars, &item).trace(body, depth).await;
            all = all.and(trace.truth.clone());
            any = any.or(trace.truth.clone());
            if trace.truth != wanted {
                against += 1;
                if first.len() < MOST_AGAINST {
                    first.push((item, trace));
                }
            }
        }
        let truth = match kind {
            Quantifier::All => all,
            Quantifier::Any => any,
            _ => any.negate(),
        };
        (truth, How::Quantifier { kind, body, total, against, first })
    }

    /// Interpolates. A secret makes the whole text secret; a part that is absent or unknown, the whole.
    pub async fn text(&self, text: &Text) -> Answer {
        let mut composed = Composed::of(text);
        for part in &text.parts {
            match part {
                TextPart::Text(text) => composed.text(text),
                TextPart::Hole(hole) => match self.eval(hole).await {
                    Answer::Known(value) => {
                        if value.is_secret() {
                            self.handed_out(&value);
                        }
                        if let Err(refused) = composed.value(&value, &hole.ty) {
                            return refused;
                        }
                    }
                    other => return other,
                },
            }
        }
        composed.finish()
    }

    async fn list(&self, items: &[Expr]) -> Answer {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            match self.eval(item).await {
                Answer::Known(value) => values.push(value),
                other => return other,
            }
        }
        Answer::Known(Value::list(values))
    }

    async fn map(&self, entries: &[(Text, Expr)]) -> Answer {
        let mut values = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = match self.text(key).await {
                Answer::Known(key) => key.unsealed().to_text().unwrap_or_default(),
                other => return other,
            };
            match self.eval(value).await {
                Answer::Known(value) => values.push((key, value)),
                other => return other,
            }
        }
        Answer::Known(Value::map(values))
    }

    async fn chain(&self, base: &Expr, links: &[Link]) -> Answer {
        let mut answer = self.eval(base).await;
        for link in links {
            answer = match &link.kind {
                LinkKind::Field(name) => compute::field(answer, name),
                LinkKind::Index(at) => compute::index(answer, &self.eval(at).await),
            };
        }
        answer
    }

    async fn var(&self, name: &str, var: Var) -> Answer {
        if let Some(bound) = self.site.scope.get(var).or_else(|| self.core.slots.get(var)) {
            self.noted(|rests| rests.outdated(bound.outdated));
            return bound.answer;
        }
        let global = self.core.program.global(var);
        match global.map(|global| &global.kind) {
            Some(GlobalKind::Secret(source)) => self.secret(name, var, source).await,
            Some(GlobalKind::Param(value)) => Answer::Known(value.clone()),
            _ => Answer::unknown(
                UnknownCause::LeftOut,
                format!("`{name}` is bound by a part of the run that was not carried out"),
            ),
        }
    }

    /// A secret of the top level: read once, then kept. A file that was read before the first action is read again when
    /// it is first used after one: the action may have written it.
    async fn secret(&self, name: &str, var: Var, source: &Expr) -> Answer {
        if let Some(kept) = self.core.secrets.lock().await.get(&var)
            && (!kept.early || self.site.ahead || !self.core.has_acted())
        {
            return kept.answer.clone();
        }
        if self.site.ahead {
            return Answer::unknown(
                UnknownCause::LeftOut,
                format!("the secret `{name}` is read when it is first needed"),
            );
        }
        // It is read for all who need it, and none of them observes anything by that.
        let global = Self { site: Site::default(), rests: Arc::default(), ..self.clone() };
        let answer = self.sealed(name, global.eval(source).await);
        self.noted(|rests| rests.outdated(global.outdated()));
        // What could not be told may be told later; what was read is read once.
        if !matches!(answer, Answer::Unknown(_)) {
            self.core.secrets.lock().await.insert(var, Kept { answer: answer.clone(), early: false });
        }
        answer
    }

    /// Seals what a secret was read from, and has it redacted from now on.
    pub fn sealed(&self, name: &str, answer: Answer) -> Answer {
        match answer {
            Answer::Known(value) => match self.core.learn(name, value.unsealed()) {
                Ok(()) => Answer::Known(Value::Secret(Sealed::new(name, value.unsealed().clone()))),
                Err(refused) => refused,
            },
            other => other,
        }
    }

    /// What is made of a secret (a part of it, its upper case) is taken out of whatever leaves, too, once it is handed to
    /// someone who may print it.
    fn handed_out(&self, value: &Value) {
        match value {
            Value::Secret(sealed) => self.core.redactor().learn_derived(sealed.name(), sealed.reveal()),
            Value::List(items) => items.iter().for_each(|item| self.handed_out(item)),
            Value::Map(map) => map.entries.values().for_each(|item| self.handed_out(item)),
            _ => {}
        }
    }

    /// `map(x in xs, …)`: what is made of each item. An item of which nothing can be made leaves no list, as in `[…]`.
    async fn mapped(&self, vars: &[(Arc<str>, Var)], over: &Expr, body: &Expr) -> Answer {
        let items = match self.items(over).await {
            Ok(items) => items,
            Err(answer) => return answer,
        };
        let mut made = Vec::with_capacity(items.len());
        for item in items {
            match self.with_item(vars, &item).eval(body).await {
                Answer::Known(value) => made.push(value),
                other => return other,
            }
        }
        Answer::Known(Value::list(made))
    }

    /// `count`, `where`: of the items that meet a condition.
    async fn of_those(&self, kind: Quantifier, vars: &[(Arc<str>, Var)], over: &Expr, body: &Expr) -> Answer {
        let whole = match self.eval(over).await {
            Answer::Known(value) => value,
            other => return other,
        };
        let items = match items_of(&whole) {
            Ok(items) => items,
            Err(answer) => return answer,
        };
        let mut met = Vec::new();
        let mut unknown = None;
        for item in items {
            let truth = self.with_item(vars, &item).truth(body).await;
            met.push(truth == Truth::True);
            if let Truth::Unknown(why) = truth {
                unknown.get_or_insert(why);
            }
        }
        match (unknown, kind) {
            (Some(unknown), _) => Answer::Unknown(unknown),
            (None, Quantifier::Count) => {
                let count = met.iter().filter(|met| **met).count();
                Answer::Known(Value::Number(Number::Int(i64::try_from(count).unwrap_or(i64::MAX))))
            }
            (None, _) => Answer::Known(those(&whole, &met)),
        }
    }

    /// What a loop goes over: pairs of key (or index) and item.
    pub async fn items(&self, over: &Expr) -> Result<Items, Answer> {
        match self.eval(over).await {
            Answer::Known(value) => items_of(&value),
            other => Err(other),
        }
    }

    /// What a loop of expects goes over. An empty list proves nothing, unless it may be empty: `or none`.
    pub async fn items_to_check<T>(&self, each: &For<T>) -> Result<Items, Answer> {
        let items = self.items(&each.over).await?;
        if items.len() == 0 && !each.or_none { Err(self.nothing_to_check(&each.over)) } else { Ok(items) }
    }

    fn nothing_to_check(&self, over: &Expr) -> Answer {
        let reason = format!("`{}` is empty, so there is nothing to check", self.core.words(over.span));
        Answer::unknown(UnknownCause::NothingToCheck, reason)
    }

    /// The same, inside a loop at one of its items.
    pub fn with_item(&self, vars: &[(Arc<str>, Var)], (key, item): &(Value, Value)) -> Self {
        Self { site: bind_item(&self.site, vars, key, item, self.outdated()), ..self.clone() }
    }

    pub async fn call(&self, call: &Call) -> Answer {
        let native = &call.native;
        let args = match self.args(call).await {
            Ok(args) => args,
            Err(answer) => return answer,
        };
        if native.effect == Effect::Function {
            return function_call::answer(self.core, &self.site, call, &args);
        }
        let reads: Vec<FactKey> = native.reads.iter().flat_map(|key| ask::fact_keys(key, native, &args)).collect();
        if let Some(changed) = &self.core.changed {
            // A vouched probe without keys may have read anything; a probe without keys reads nothing that an action of
            // a runbook changes.
            let outdated = match native.effect {
                Effect::Vouched if reads.is_empty() => changed.latest(),
                _ => changed.outdates(&reads),
            };
            self.noted(|rests| rests.outdated(outdated));
        }
        let shown = self.shown(call).await;
        let request = self.request(call, args);
        let (answer, observation) = self.round.ask(self.core, &self.site, call.span, request, &shown).await;
        self.noted(|rests| rests.observed(observation));
        answer
    }

    pub fn request(&self, call: &Call, args: Vec<(Arc<str>, ArgValue)>) -> Request {
        Request {
            limit: ask::limit(&call.native, &args),
            native: call.native.clone(),
            args,
            wants: call.wants.fields(),
            root: self.core.program.root.clone(),
            withheld: self.core.withheld(),
            secrets: self.core.redactor().clone(),
        }
    }

    /// The arguments as the native takes them; what keeps them from being told, where something does.
    pub async fn args(&self, call: &Call) -> Result<Vec<(Arc<str>, ArgValue)>, Answer> {
        let mut args = Vec::with_capacity(call.native.params.len());
        for (param, arg) in call.native.params.iter().zip(&call.args) {
            let answer = match arg {
                None => match &param.default {
                    Some(default) => Answer::Known(default.clone()),
                    None => continue,
                },
                Some(Arg::Shell(text)) => {
                    args.push((param.name.clone(), ArgValue::Shell(self.shell(text).await?)));
                    continue;
                }
                Some(Arg::Value(expr)) => self.eval(expr).await,
            };
            match answer {
                Answer::Known(value) => {
                    let coerced = ask::coerce(value, &param.ty, &self.core.program.root).map_err(|why| {
                        Answer::unknown(
                            UnknownCause::Invalid,
                            format!("`{}` of `{}`: {why}", param.name, call.native.name),
                        )
                    })?;
                    if call.native.effect != Effect::Function {
                        self.handed_out(&coerced);
                    }
                    args.push((param.name.clone(), ArgValue::Value(coerced)));
                }
                other => return Err(other),
            }
        }
        Ok(args)
    }

    async fn shell(
        &self,
        text: &crate::check::program::ShellText,
    ) -> Result<crate::engine::world::ShellCommand, Answer> {
        let mut parts = Vec::with_capacity(text.parts.len());
        for part in &text.parts {
            parts.push(match part {
                ShellPart::Source(source) => shell_command::Piece::Source(source),
                ShellPart::Hole { value, place, takes } => match self.eval(value).await {
                    Answer::Known(known) => {
                        shell_command::Piece::Value { value: known, ty: &value.ty, place: *place, takes: *takes }
                    }
                    other => return Err(other),
                },
            });
        }
        shell_command::compose(text.shell, parts).map_err(|why| Answer::unknown(UnknownCause::Invalid, why))
    }

    /// The keys that an author wrote after `changes`; an argument that can't be told stands for any.
    pub async fn keys(&self, keys: &[Key]) -> Vec<FactKey> {
        let mut facts = Vec::with_capacity(keys.len());
        for key in keys {
            let kind = self.core.program.library.keys.get(&key.kind);
            let mut args = Vec::with_capacity(key.args.len());
            for (at, arg) in key.args.iter().enumerate() {
                let ty = kind.and_then(|kind| kind.params.get(at)).map(|(_, ty)| ty);
                let value = match self.eval(arg).await {
                    Answer::Known(value) => ty
                        .map_or(Ok(value.clone()), |ty| ask::coerce(value, ty, &self.core.program.root))
                        .ok()
                        .and_then(|value| value.to_text())
                        .and_then(|text| ty.map_or(Some(text.clone()), |ty| ask::key_argument(text, ty))),
                    _ => None,
                };
                args.push(value);
            }
            facts.push(FactKey { kind: key.kind.clone(), args });
        }
        facts
    }

    /// The message of an `else`, a `stop`: with what can't be told named in place.
    pub async fn message(&self, text: &Text) -> String {
        let mut out = String::new();
        for part in &text.parts {
            match part {
                TextPart::Text(text) => out.push_str(text),
                TextPart::Hole(hole) => match self.eval(hole).await {
                    Answer::Known(value) => match value.to_text() {
                        Some(text) => out.push_str(&text),
                        None => out.push_str(&value.to_string()),
                    },
                    other => out.push_str(&crate::engine::wording::brief::hole(&other)),
                },
            }
        }
        out
    }

    /// A duration that was written, or computed; the reason where it can't be told.
    pub async fn duration(&self, expr: &Expr) -> Result<std::time::Duration, Unknown> {
        let invalid = |reason: String| Unknown::new(UnknownCause::Invalid, reason);
        match self.eval(expr).await {
            Answer::Known(value) => match value.unsealed() {
                Value::Duration(duration) => std::time::Duration::try_from(*duration)
                    .map_err(|_| invalid(format!("{value} is no length of time"))),
                other => Err(invalid(format!("a duration is needed, and this is {}", other.kind()))),
            },
            Answer::Absent(absence) => Err(invalid(format!("a duration is needed, and there is none: {}", absence.0))),
            Answer::Unknown(unknown) => Err(unknown),
        }
    }
}

/// Pairs of key (or index) and item. The items of a secret are secret; those of a map that is not shown whole, too.
pub fn items_of(value: &Value) -> Result<Items, Answer> {
    match value.unsealed() {
        Value::List(_) | Value::Map(_) => Ok(Items { whole: value.clone(), at: 0 }),
        other => {
            let reason = format!("{} can't be looped over", other.kind());
            Err(Answer::unknown(UnknownCause::Invalid, reason))
        }
    }
}

/// Pairs of key (or index) and item, made as they are needed.
#[derive(Clone)]
pub struct Items {
    whole: Value,
    at: usize,
}

impl Items {
    /// Nothing to go over.
    pub fn none() -> Self {
        Self { whole: Value::list([]), at: 0 }
    }
}

impl Iterator for Items {
    type Item = (Value, Value);

    fn next(&mut self) -> Option<(Value, Value)> {
        let at = self.at;
        self.at += 1;
        let seal = |item: &Value| match &self.whole {
            Value::Secret(sealed) => Value::Secret(Sealed::new(sealed.name().clone(), item.clone())),
            _ => item.clone(),
        };
        match self.whole.unsealed() {
            Value::List(items) => items.get(at).map(|item| (Value::Number(Number::Int(at as i64)), seal(item))),
            Value::Map(map) if map.hidden => {
                // Where something lies is no secret.
                let path =
                    |item: &Value| matches!(item, Value::Text(text) if text.starts_with('/') && !text.contains("://"));
                let hide = |key: &Arc<str>, item: &Value| match item {
                    item if path(item) => item.clone(),
                    Value::Secret(_) => item.clone(),
                    item => Value::Secret(Sealed::new(key.clone(), item.clone())),
                };
                map.entries.get_index(at).map(|(key, item)| (Value::Text(key.clone()), hide(key, item)))
            }
            Value::Map(map) => {
                let shown = |key: &Arc<str>, item: &Value| match &self.whole {
                    Value::Secret(_) => seal(item),
                    _ => compute::by_name(key, item),
                };
                map.entries.get_index(at).map(|(key, item)| (Value::Text(key.clone()), shown(key, item)))
            }
            _ => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let whole = match self.whole.unsealed() {
            Value::List(items) => items.len(),
            Value::Map(map) => map.entries.len(),
            _ => 0,
        };
        let left = whole.saturating_sub(self.at);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Items {}

/// The items of a list, the entries of a map, that met a condition, in their order.
fn those(whole: &Value, met: &[bool]) -> Value {
    let chosen = match whole.unsealed() {
        Value::List(items) => Value::list(items.iter().zip(met).filter(|(_, met)| **met).map(|(item, _)| item.clone())),
        Value::Map(map) => {
            let entries = map.entries.iter().zip(met).filter(|(_, met)| **met);
            let entries = entries.map(|((key, item), _)| (key.clone(), item.clone())).collect();
            Value::Map(Arc::new(Map { entries, ..**map }))
        }
        other => other.clone(),
    };
    match whole {
        Value::Secret(sealed) => Value::Secret(Sealed::new(sealed.name().clone(), chosen)),
        _ => chosen,
    }
}

/// Binds a loop's names to one of its items: `item`, or `key, item`.
pub fn bind_item(site: &Site, vars: &[(Arc<str>, Var)], key: &Value, item: &Value, outdated: Option<Outdated>) -> Site {
    let bound = |value: &Value| Bound { answer: Answer::Known(value.clone()), outdated };
    match vars {
        [(_, only)] => site.with(*only, bound(item)),
        [(_, first), (_, second), ..] => site.with(*first, bound(key)).with(*second, bound(item)),
        [] => site.clone(),
    }
}
