//! Params: their declared defaults, and what the command line, a file or a profile sets.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean};
use crate::syntax::literal;
use crate::syntax::tree::{self, ItemKind};
use crate::value::{Number, Type, Value};

use super::names::{Checker, Ctx, Member};
use super::program::{ExprKind, Global, GlobalKind, ParamValue, Settings};

impl Checker {
    /// The runbook's params with their values; also those of the modules, which have their defaults.
    pub fn params(&mut self, main: usize, settings: &Settings) -> Vec<ParamValue> {
        let mut params = Vec::new();
        for unit in 0..self.units.len() {
            let items = std::mem::take(&mut self.units[unit].tree.items);
            let declared: Vec<&tree::Param> = items
                .iter()
                .filter_map(|item| match &item.kind {
                    ItemKind::Param(param) => Some(param),
                    _ => None,
                })
                .collect();
            let given = if unit == main { self.given(&declared, &items, settings) } else { Vec::new() };
            for param in declared {
                let ctx = Ctx { unit, ..Ctx::default() };
                let Some(Member::Global(var)) = self.units[unit].members.get(&param.name.text).cloned() else {
                    continue;
                };
                let ty = self.info(var).ty.clone();
                let default = param.default.as_ref().map(|default| {
                    let checked = self.typed(&ctx, default, &ty);
                    match constant(&checked.expr.kind) {
                        Some(value) => {
                            self.chosen(param, &value, "its default", default.span);
                            value
                        }
                        None => {
                            let message = "a param's default is a value that is written out";
                            let help = "what is computed is bound by `let`";
                            self.error(Diagnostic::new(Code::BadParam, default.span, message).help(help));
                            Value::Null
                        }
                    }
                });
                let set = given.iter().rev().find(|(name, ..)| *name == param.name.text);
                let (value, origin) = match (set, default) {
                    (Some((_, value, origin)), _) => (value.clone(), origin.clone()),
                    (None, Some(default)) => (default, "default".into()),
                    (None, None) => {
                        if settings.values_required || unit != main {
                            let name = &param.name.text;
                            let message = format!("the param `{name}` has no value");
                            let help = if unit == main {
                                format!("give it one: `--set {name}=…`, or a default: `param {name}: {ty} = …`")
                            } else {
                                "a module's params need defaults".to_owned()
                            };
                            self.error(
                                Diagnostic::new(Code::BadParam, param.name.span, message)
                                    .label("no default")
                                    .help(help),
                            );
                        }
                        (Value::Null, "none".into())
                    }
                };
                let kind = GlobalKind::Param(value.clone());
                self.program_globals.push(Global { name: param.name.text.clone(), var, kind, span: param.name.span });
                if unit == main {
                    params.push(ParamValue { name: param.name.text.clone(), ty, value, origin });
                }
            }
            self.units[unit].tree.items = items;
        }
        params
    }

    /// What is set from outside, weakest first: the profile, the params file, `--set`.
    fn given(
        &mut self,
        declared: &[&tree::Param],
        items: &[tree::Item],
        settings: &Settings,
    ) -> Vec<(Arc<str>, Value, Arc<str>)> {
        let mut given = Vec::new();
        let place = items
            .iter()
            .find(|item| matches!(item.kind, ItemKind::Header(_)))
            .or(items.first())
            .map(|item| Span { end: item.span.start, ..item.span })
            .unwrap_or_default();
        let names: Vec<&str> = declared.iter().map(|param| &*param.name.text).collect();
        let unknown = |name: &str, origin: &str, span: Span| {
            let help = match did_you_mean(name, names.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if names.is_empty() => "this runbook has no params".to_owned(),
                None => format!("its params are {}", names.join(", ")),
            };
            Diagnostic::new(Code::BadParam, span, format!("{origin} sets `{name}`, which is no param of this runbook"))
                .help(help)
        };
        let mut profiles: Vec<(Arc<str>, Span)> = Vec::new();
        for item in items {
            let ItemKind::Profile(profile) = &item.kind else { continue };
            if let Some((_, first)) = profiles.iter().find(|(name, _)| *name == profile.name.text) {
                self.duplicate("profile", &profile.name.text, profile.name.span, *first);
            }
            profiles.push((profile.name.text.clone(), profile.name.span));
            for (at, setting) in profile.settings.iter().enumerate() {
                let mut before = profile.settings[..at].iter();
                if let Some(first) = before.find(|before| before.name.text == setting.name.text) {
                    self.duplicate("value", &setting.name.text, setting.name.span, first.name.span);
                }
            }
            let chosen = settings.profile.as_deref() == Some(&*profile.name.text);
            for setting in &profile.settings {
                let Some(param) = declared.iter().find(|param| param.name.text == setting.name.text) else {
                    let origin = format!("profile `{}`", profile.name.text);
                    self.error(unknown(&setting.name.text, &origin, setting.name.span));
                    continue;
                };
                let ctx = Ctx { unit: self.units.len() - 1, ..Ctx::default() };
                let ty = self.param_type(param);
                let checked = self.typed(&ctx, &setting.value, &ty);
                let value = constant(&checked.expr.kind);
                if let Some(value) = &value {
                    self.chosen(param, value, &format!("profile `{}`", profile.name.text), setting.value.span);
                }
                match value {
                    Some(value) if chosen => {
                        let origin = format!("profile {}", profile.name.text).into();
                        given.push((param.name.text.clone(), value, origin));
                    }
                    Some(_) => {}
                    None => {
                        let message = "a profile sets values that are written out";
                        self.error(Diagnostic::new(Code::BadParam, setting.value.span, message));
                    }
                }
            }
        }
        if let Some(name) = &settings.profile
            && !profiles.iter().any(|(profile, _)| **profile == **name)
        {
            let profiles: Vec<&str> = profiles.iter().map(|(name, _)| &**name).collect();
            let help = match did_you_mean(name, profiles.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if profiles.is_empty() => "this runbook has no profiles".to_owned(),
                None => format!("its profiles are {}", profiles.join(", ")),
            };
            self.error(Diagnostic::new(Code::BadParam, place, format!("there is no profile `{name}`")).help(help));
        }
        if let Some((file, table)) = &settings.params {
            for (name, value) in table {
                let Some(param) = declared.iter().find(|param| *param.name.text == **name) else {
                    self.error(unknown(name, &format!("`{file}`"), place));
                    continue;
                };
                let ty = self.param_type(param);
                match from_toml(value, &ty) {
                    Some(value) => {
                        self.chosen(param, &value, &format!("`{file}`"), param.name.span);
                        given.push((param.name.text.clone(), value, format!("--params {file}").into()));
                    }
                    None => {
                        // The value may be a secret that was meant for another param.
                        let message = format!("what `{file}` sets `{name}` to is no {ty}");
                        self.error(Diagnostic::new(Code::BadParam, param.name.span, message).label(format!("a {ty}")));
                    }
                }
            }
        }
        for (name, value, origin) in &settings.recorded {
            given.push((Arc::from(&**name), value.clone(), Arc::from(&**origin)));
        }
        for (name, text) in &settings.set {
            let Some(param) = declared.iter().find(|param| *param.name.text == **name) else {
                self.error(unknown(name, "`--set`", place));
                continue;
            };
            let ty = self.param_type(param);
            match from_text(text, &ty, &settings.typed_in) {
                Some(value) => {
                    self.chosen(param, &value, "`--set`", param.name.span);
                    given.push((param.name.text.clone(), value, "--set".into()));
                }
                None => {
                    let message = format!("what `--set {name}=…` gives is no {ty}");
                    let help = example(&ty).map(|example| format!("such as `--set {name}={example}`"));
                    self.error(
                        Diagnostic::new(Code::BadParam, param.name.span, message)
                            .label(format!("a {ty}"))
                            .help_if(help),
                    );
                }
            }
        }
        given
    }

    fn param_type(&mut self, param: &tree::Param) -> Type {
        let main = self.units.len() - 1;
        match self.units[main].members.get(&param.name.text).cloned() {
            Some(Member::Global(var)) => self.info(var).ty.clone(),
            _ => Type::Any,
        }
    }
}

/// The value of an expression that is written out.
fn constant(kind: &ExprKind) -> Option<Value> {
    match kind {
        ExprKind::Literal(value) => Some(value.clone()),
        ExprKind::List(items) => {
            items.iter().map(|item| constant(&item.kind)).collect::<Option<Vec<_>>>().map(Value::list)
        }
        ExprKind::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| {
                    let key = match key.parts.as_slice() {
                        [super::program::TextPart::Text(text)] => text.clone(),
                        [] => "".into(),
                        _ => return None,
                    };
                    Some((key, constant(&value.kind)?))
                })
                .collect::<Option<Vec<_>>>()?;
            Some(Value::map(entries))
        }
        ExprKind::Negative(inner) => match crate::value::Answer::Known(constant(&inner.kind)?) {
            crate::value::Answer::Known(Value::Duration(duration)) => Some(Value::Duration(-duration)),
            crate::value::Answer::Known(Value::Size(size)) => size.checked_neg().map(Value::Size),
            crate::value::Answer::Known(Value::Percent(percent)) => Some(Value::Percent(-percent)),
            crate::value::Answer::Known(Value::Number(number)) => Some(Value::Number(number.negated())),
            _ => None,
        },
        _ => None,
    }
}

/// A text as a type reads it: what a person answers.
pub fn read_as(text: &str, ty: &Type) -> Option<Value> {
    from_text(text, ty, std::path::Path::new(""))
}

/// What `--set` says, as its param's type reads it. Paths are relative to where they were typed.
fn from_text(text: &str, ty: &Type, typed_in: &std::path::Path) -> Option<Value> {
    Some(match ty {
        Type::Path if text.is_empty() => return None,
        Type::Path => Value::text(typed_in.join(text).to_str()?),
        Type::Url if !literal::is_url(text) => return None,
        Type::String | Type::Url | Type::Any => Value::text(text),
        Type::Bool => Value::Bool(text.parse().ok()?),
        Type::Number => Value::Number(Number::parse(text)?),
        Type::Duration => Value::Duration(literal::duration(text)?),
        Type::Size => Value::Size(literal::size(text)?),
        Type::Percent => Value::Percent(literal::percent(text)?),
        Type::Time => Value::Time(literal::time(text)?),
        Type::Json => Value::from_json(serde_json::from_str(text).ok()?),
        Type::List(of) => match serde_json::from_str::<serde_json::Value>(text) {
            Ok(serde_json::Value::Array(items)) => {
                Value::list(items.into_iter().map(|item| from_json(item, of, typed_in)).collect::<Option<Vec<_>>>()?)
            }
            _ if text.is_empty() => Value::list([]),
            _ => Value::list(
                text.split(',').map(|item| from_text(item.trim(), of, typed_in)).collect::<Option<Vec<_>>>()?,
            ),
        },
        Type::Map(of) => match serde_json::from_str::<serde_json::Value>(text).ok()? {
            serde_json::Value::Object(entries) => {
                let entries = entries
                    .into_iter()
                    .map(|(key, item)| Some((key, from_json(item, of, typed_in)?)))
                    .collect::<Option<Vec<_>>>()?;
                Value::map(entries)
            }
            _ => return None,
        },
        Type::Shell | Type::Key | Type::Item | Type::Record(_) | Type::Names(_) => return None,
    })
}

fn from_json(json: serde_json::Value, ty: &Type, typed_in: &std::path::Path) -> Option<Value> {
    match (json, ty) {
        (serde_json::Value::String(text), ty) => from_text(&text, ty, typed_in),
        (json, Type::Number | Type::Bool | Type::Json | Type::Any) => Some(Value::from_json(json)),
        (json, Type::List(_) | Type::Map(_)) => from_text(&json.to_string(), ty, typed_in),
        _ => None,
    }
}

fn from_toml(value: &toml::Value, ty: &Type) -> Option<Value> {
    let here = std::path::Path::new("");
    match value {
        toml::Value::String(text) => from_text(text, ty, here),
        toml::Value::Integer(number) if matches!(ty, Type::Number | Type::Json | Type::Any) => {
            Some(Value::Number(Number::Int(*number)))
        }
        toml::Value::Float(number) if matches!(ty, Type::Number | Type::Json | Type::Any) => {
            Some(Value::Number(Number::measured(*number)))
        }
        toml::Value::Boolean(value) if matches!(ty, Type::Bool | Type::Json | Type::Any) => Some(Value::Bool(*value)),
        toml::Value::Datetime(time) if matches!(ty, Type::Time) => literal::time(&time.to_string()).map(Value::Time),
        toml::Value::Array(items) => match ty {
            Type::List(of) => items.iter().map(|item| from_toml(item, of)).collect::<Option<Vec<_>>>().map(Value::list),
            _ => None,
        },
        toml::Value::Table(entries) => match ty {
            Type::Map(of) => {
                let entries: Option<Vec<_>> =
                    entries.iter().map(|(key, item)| Some((key.clone(), from_toml(item, of)?))).collect();
                entries.map(Value::map)
            }
            _ => None,
        },
        _ => None,
    }
}

fn example(ty: &Type) -> Option<&'static str> {
    Some(match ty {
        Type::Bool => "true",
        Type::Number => "42",
        Type::Url => "http://127.0.0.1:8080",
        Type::Duration => "30s",
        Type::Size => "512MiB",
        Type::Percent => "50%",
        Type::Time => "2027-03-01T10:00:00Z",
        Type::List(_) => "one,two",
        Type::Map(_) => "'{\"key\": \"value\"}'",
        _ => return None,
    })
}
