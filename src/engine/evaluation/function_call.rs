//! A call of a function of the stdlib: computed from its arguments, and secret where one of these is.

use std::sync::Arc;

use crate::check::program::Call;
use crate::value::{Answer, Sealed, Value};

use super::core::{Core, Site};
use super::functions;
use crate::engine::world::ArgValue;

/// `args` as the native takes them.
pub fn answer(core: &Core, site: &Site, call: &Call, args: &[(Arc<str>, ArgValue)]) -> Answer {
    let mut seal = None;
    let values: Vec<Option<Value>> = call
        .native
        .params
        .iter()
        .map(|param| {
            args.iter().find(|(name, _)| *name == param.name).and_then(|(_, arg)| match arg {
                ArgValue::Value(value) => {
                    if let Value::Secret(sealed) = value {
                        seal.get_or_insert_with(|| sealed.name().clone());
                    }
                    Some(value.unsealed().clone())
                }
                ArgValue::Shell(_) => None,
            })
        })
        .collect();
    let given = functions::Given {
        redactor: core.redactor(),
        args: &values,
        secret: seal.is_some(),
        run: core.emitter.run().cloned(),
        step_began: site.began,
    };
    match (functions::call(&call.native.name, &given), seal) {
        (Answer::Known(value), Some(name)) => Answer::Known(Value::Secret(Sealed::new(name, value))),
        (answer, _) => answer,
    }
}
