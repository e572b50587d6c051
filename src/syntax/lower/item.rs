//! Items.

use pest::iterators::Pair;

use crate::diagnostic::Span;
use crate::syntax::grammar::Rule;
use crate::syntax::tree::{
    AcceptRisk, Block, Changes, Definition, EffectWord, Expr, ExprKind, FieldKind, Header, Item, ItemKind, KeyDecl,
    Name, Native, Param, ParamDecl, Profile, RecordDecl, RecordField, Role, Step, StopBlock, StringLit, TypeExpr, Use,
};

use super::Lowering;

impl Lowering<'_> {
    pub(in crate::syntax) fn item(&mut self, pair: Pair<'_, Rule>) -> Item {
        let span = self.span(&pair);
        let doc = self.doc(span.start as usize);
        let kind = match pair.as_rule() {
            Rule::header => self.header(pair, span),
            Rule::use_item => self.use_item(pair, span),
            Rule::param => self.param(pair, span),
            Rule::let_item => ItemKind::Let(self.binding(pair)),
            Rule::secret_item => ItemKind::Secret(self.binding(pair)),
            Rule::profile => self.profile(pair, span),
            Rule::step => self.step(pair, span),
            Rule::stop_block => self.stop_block(pair, span),
            Rule::verdict => {
                let block = pair.into_inner().find(|part| part.as_rule() == Rule::block);
                ItemKind::Verdict(block.map(|block| self.block(block)).unwrap_or_default())
            }
            Rule::accept_risk => {
                let mut risk = AcceptRisk { title: Self::no_string(span), entries: Vec::new() };
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::settings => risk.entries = self.settings(part),
                        _ => risk.title = self.string(part),
                    }
                }
                ItemKind::AcceptRisk(risk)
            }
            Rule::check => ItemKind::Check(self.definition(pair, span)),
            Rule::action => ItemKind::Action(self.definition(pair, span)),
            Rule::native => self.native(pair, span),
            Rule::record => self.record(pair, span),
            Rule::key => {
                let definition = self.definition(pair, span);
                ItemKind::Key(KeyDecl { name: definition.name, params: definition.params })
            }
            Rule::unbuilt_item => {
                if let Some(word) = pair.into_inner().next() {
                    let span = self.span(&word);
                    self.unbuilt(span, word.as_str());
                }
                ItemKind::Bad
            }
            _ => ItemKind::Bad,
        };
        Item { kind, span, doc }
    }

    pub(super) fn no_string(span: Span) -> StringLit {
        StringLit { parts: Vec::new(), span }
    }

    fn no_name(span: Span) -> Name {
        Name { text: "".into(), span }
    }

    fn settings(&mut self, pair: Pair<'_, Rule>) -> Vec<crate::syntax::tree::Binding> {
        let mut entries = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::setting => entries.push(self.binding(part)),
                Rule::bad_line => self.bad(&part, Rule::one_setting),
                _ => {}
            }
        }
        entries
    }

    fn header(&mut self, pair: Pair<'_, Rule>, span: Span) -> ItemKind {
        let mut header = Header { title: Self::no_string(span), entries: Vec::new() };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::settings => header.entries = self.settings(part),
                _ => header.title = self.string(part),
            }
        }
        ItemKind::Header(header)
    }

    fn use_item(&mut self, pair: Pair<'_, Rule>, span: Span) -> ItemKind {
        let mut used = Use { path: Self::no_string(span), name: Self::no_name(span) };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => used.name = self.name(&part),
                _ => used.path = self.string(part),
            }
        }
        ItemKind::Use(used)
    }

    fn param(&mut self, pair: Pair<'_, Rule>, span: Span) -> ItemKind {
        let mut name = Self::no_name(span);
        let mut ty = None;
        let mut choices = Vec::new();
        let mut default = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = self.name(&part),
                Rule::type_expr => ty = Some(self.type_expr(part)),
                Rule::choices => {
                    let at = self.span(&part);
                    let string = Name { text: "string".into(), span: at };
                    ty = Some(TypeExpr { path: vec![string], of: None, optional: false, span: at });
                    let texts: Vec<_> = part.into_inner().collect();
                    choices = texts.into_iter().map(|text| self.string(text)).collect();
                }
                Rule::expr => default = Some(self.expr(part)),
                _ => {}
            }
        }
        match ty {
            Some(ty) => ItemKind::Param(Param { name, ty, choices, default }),
            None => ItemKind::Bad,
        }
    }

    fn profile(&mut self, pair: Pair<'_, Rule>, span: Span) -> ItemKind {
        let mut profile = Profile { name: Self::no_name(span), settings: Vec::new() };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => profile.name = self.name(&part),
                Rule::settings => profile.settings = self.settings(part),
                _ => {}
            }
        }
        ItemKind::Profile(profile)
    }

    fn step(&mut self, pair: Pair<'_, Rule>, span: Span) -> ItemKind {
        let mut step = Step {
            name: Self::no_name(span),
            title: None,
            if_needed: None,
            idempotent: None,
            no_return: None,
            when: None,
            body: Block::default(),
        };
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::name => step.name = self.name(&part),
                Rule::if_needed => step.if_needed = Some(at),
                Rule::idempotent => step.idempotent = Some(at),
                Rule::when => step.when = Some(self.modifier(part, at)),
                Rule::no_return => step.no_return = Some(at),
                Rule::block => step.body = self.block(part),
                _ => step.title = Some(self.string(part)),
            }
        }
        ItemKind::Step(step)
    }

    fn stop_block(&mut self, pair: Pair<'_, Rule>, span: Span) -> ItemKind {
        let mut stop = StopBlock {
            reason: Self::no_string(span),
            condition: Expr { kind: ExprKind::Bad, span },
            unless: None,
            hold: None,
            every: None,
            since: None,
            except: Vec::new(),
        };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::open_brace | Rule::close_brace => {}
                Rule::bad_line => self.bad(&part, Rule::one_stmt),
                rule @ (Rule::stop_when | Rule::stop_unless) => {
                    if rule == Rule::stop_unless {
                        let whole = self.span(&part);
                        stop.unless = Some(Span { end: whole.start + 6, ..whole });
                    }
                    for part in part.into_inner() {
                        let at = self.span(&part);
                        match part.as_rule() {
                            Rule::expr => stop.condition = self.expr(part),
                            Rule::hold => stop.hold = Some(self.modifier(part, at)),
                            Rule::every => stop.every = Some(self.modifier(part, at)),
                            _ => {}
                        }
                    }
                }
                Rule::stop_since => stop.since = part.into_inner().next().map(|name| self.name(&name)),
                Rule::stop_except => {
                    let names: Vec<_> = part.into_inner().filter(|part| part.as_rule() == Rule::name).collect();
                    stop.except.extend(names.iter().map(|name| self.name(name)));
                }
                _ => stop.reason = self.string(part),
            }
        }
        ItemKind::Stop(stop)
    }

    fn definition(&mut self, pair: Pair<'_, Rule>, span: Span) -> Definition {
        let mut definition = Definition { name: Self::no_name(span), params: Vec::new(), body: Block::default() };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => definition.name = self.name(&part),
                Rule::parameters => definition.params = self.parameters(part),
                Rule::block => definition.body = self.block(part),
                _ => {}
            }
        }
        definition
    }

    fn parameters(&mut self, pair: Pair<'_, Rule>) -> Vec<ParamDecl> {
        let parts: Vec<_> = pair.into_inner().filter(|part| part.as_rule() == Rule::parameter).collect();
        parts.into_iter().filter_map(|part| self.parameter(part)).collect()
    }

    fn parameter(&mut self, pair: Pair<'_, Rule>) -> Option<ParamDecl> {
        let doc = self.doc(self.span(&pair).start as usize);
        let mut name = None;
        let mut ty = None;
        let mut default = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.name(&part)),
                Rule::type_expr => ty = Some(self.type_expr(part)),
                Rule::wide => default = Some(self.expr(part)),
                _ => {}
            }
        }
        Some(ParamDecl { name: name?, ty: ty?, default, doc })
    }

    pub(super) fn type_expr(&mut self, pair: Pair<'_, Rule>) -> TypeExpr {
        let mut ty = TypeExpr { path: Vec::new(), of: None, optional: false, span: self.span(&pair) };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => ty.path.push(self.name(&part)),
                Rule::type_expr => ty.of = Some(Box::new(self.type_expr(part))),
                Rule::optional => ty.optional = true,
                _ => {}
            }
        }
        ty
    }

    fn native(&mut self, pair: Pair<'_, Rule>, span: Span) -> ItemKind {
        let mut native = Native {
            effect: EffectWord::Probe,
            name: Self::no_name(span),
            params: Vec::new(),
            returns: None,
            reads: Vec::new(),
            changes: None,
            role: None,
        };
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::effect => {
                    native.effect = match part.as_str() {
                        "function" => EffectWord::Function,
                        "vouched" => EffectWord::Vouched,
                        "action" => EffectWord::Action,
                        _ => EffectWord::Probe,
                    }
                }
                Rule::name => native.name = self.name(&part),
                Rule::parameters => native.params = self.parameters(part),
                Rule::type_expr => native.returns = Some(self.type_expr(part)),
                Rule::role => native.role = part.into_inner().next().and_then(|word| Role::of(word.as_str())),
                Rule::reads => {
                    if let Some(list) = part.into_inner().next() {
                        native.reads = self.wides(list);
                    }
                }
                Rule::changes => {
                    if let Some(what) = part.into_inner().next() {
                        native.changes = Some(match what.as_rule() {
                            Rule::everything => Changes::Everything(at),
                            _ => Changes::Keys(self.wides(what), at),
                        });
                    }
                }
                _ => {}
            }
        }
        ItemKind::Native(native)
    }

    fn record_field(&mut self, pair: Pair<'_, Rule>) -> Option<RecordField> {
        let kind = pair.clone().into_inner().find(|part| part.as_rule() == Rule::field_word);
        let kind = kind.map(|word| if word.as_str() == "open" { FieldKind::Open } else { FieldKind::Content });
        let ParamDecl { name, ty, doc, .. } = self.parameter(pair)?;
        Some(RecordField { name, ty, kind, doc })
    }

    fn record(&mut self, pair: Pair<'_, Rule>, span: Span) -> ItemKind {
        let mut record = RecordDecl { name: Self::no_name(span), fields: Vec::new() };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => record.name = self.name(&part),
                Rule::record_field => record.fields.extend(self.record_field(part)),
                Rule::bad_line => self.bad(&part, Rule::one_record_field),
                _ => {}
            }
        }
        ItemKind::Record(record)
    }
}
