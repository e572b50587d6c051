//! Expressions: flat operators become the tree by their ranks.

use std::sync::Arc;

use pest::iterators::Pair;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::grammar::Rule;
use crate::syntax::literal;
use crate::syntax::tree::{
    Argument, ArithmeticOp, CompareOp, Expr, ExprKind, Link, LinkKind, LogicOp, Name, Quantifier, StringLit,
    StringPart, Test,
};
use crate::value::Number;

use super::Lowering;

/// Words that stand between things, and so name nothing.
const KEYWORDS: &[&str] = &[
    "and", "or", "not", "in", "is", "contains", "matches", "does", "within", "for", "every", "else", "if", "when",
    "expect", "run", "let", "step", "param", "secret", "show", "use", "check", "action", "finally", "retry", "stop",
];

/// An operand on its way through the ranks, or what stands between two.
enum Token {
    Operand { expr: Expr, not: Option<Span> },
    Op(Op, Span),
    Test(Test, bool, Span),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Logic(LogicOp),
    Compare(CompareOp),
    OrDefault,
    Range,
    Sum(ArithmeticOp),
    Product(ArithmeticOp),
}

impl Lowering<'_> {
    pub(super) fn expr_or_bad(&mut self, pair: Option<Pair<'_, Rule>>, span: Span) -> Expr {
        match pair {
            Some(pair) => self.expr(pair),
            None => Expr { kind: ExprKind::Bad, span },
        }
    }

    /// An `expr`, `wide` or `amount`.
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let mut tokens = Vec::new();
        let mut not = None;
        let mut minus = None;
        for pair in pair.into_inner() {
            let span = self.span(&pair);
            match pair.as_rule() {
                Rule::not => not = Some(span),
                Rule::minus => minus = Some(span),
                Rule::op | Rule::arithmetic => tokens.push(Token::Op(operator(pair.as_str()), span)),
                Rule::test => {
                    let words: Vec<&str> = pair.as_str().split_whitespace().collect();
                    let test = match words.last() {
                        Some(&"absent") => Test::Absent,
                        Some(&"present") => Test::Present,
                        _ => Test::Empty,
                    };
                    tokens.push(Token::Test(test, words.contains(&"not"), span));
                }
                _ => {
                    let mut expr = self.chain(pair);
                    if let Some(sign) = minus.take() {
                        let span = sign.to(expr.span);
                        expr = match expr.kind {
                            ExprKind::Number(value) => Expr { kind: ExprKind::Number(value.negated()), span },
                            _ => Expr { kind: ExprKind::Negative(Box::new(expr)), span },
                        };
                    }
                    tokens.push(Token::Operand { expr, not: not.take() });
                }
            }
        }
        // Most expressions are a single operand.
        if let [Token::Operand { not: None, .. }] = tokens.as_slice()
            && let Some(Token::Operand { expr, .. }) = tokens.pop()
        {
            return expr;
        }
        self.logic(LogicOp::Or, tokens)
    }

    /// Splits at `or`, then at `and`; between these stand comparisons.
    fn logic(&mut self, op: LogicOp, tokens: Vec<Token>) -> Expr {
        let mut groups = vec![Vec::new()];
        for token in tokens {
            match token {
                Token::Op(Op::Logic(found), _) if found == op => groups.push(Vec::new()),
                token => {
                    if let Some(group) = groups.last_mut() {
                        group.push(token);
                    }
                }
            }
        }
        let mut terms: Vec<Expr> = groups
            .into_iter()
            .map(|group| match op {
                LogicOp::Or => self.logic(LogicOp::And, group),
                LogicOp::And => self.negation(group),
            })
            .collect();
        if terms.len() == 1
            && let Some(only) = terms.pop()
        {
            return only;
        }
        let span = around(&terms);
        Expr { kind: ExprKind::Logic { op, terms }, span }
    }

    fn negation(&mut self, mut tokens: Vec<Token>) -> Expr {
        let negated = match tokens.first_mut() {
            Some(Token::Operand { not, .. }) => not.take(),
            _ => None,
        };
        let inner = self.comparison(tokens);
        match negated {
            Some(word) => {
                let span = word.to(inner.span);
                Expr { kind: ExprKind::Not(Box::new(inner)), span }
            }
            None => inner,
        }
    }

    fn comparison(&mut self, tokens: Vec<Token>) -> Expr {
        let mut left = Vec::new();
        let mut rest = tokens.into_iter();
        let mut middle = None;
        for token in rest.by_ref() {
            match token {
                Token::Op(Op::Compare(_), _) | Token::Test(..) => {
                    middle = Some(token);
                    break;
                }
                token => left.push(token),
            }
        }
        let right: Vec<Token> = rest.collect();
        let left = self.or_default(left);
        match middle {
            None => left,
            Some(Token::Test(test, negated, test_span)) => {
                self.nothing_behind(&right);
                let span = left.span.to(test_span);
                Expr { kind: ExprKind::Test { subject: Box::new(left), test, negated, test_span }, span }
            }
            Some(Token::Op(Op::Compare(op), op_span)) => {
                let chained =
                    right.iter().position(|token| matches!(token, Token::Op(Op::Compare(_), _) | Token::Test(..)));
                let mut right = right;
                if let Some(at) = chained {
                    self.nothing_behind(&right[at..]);
                    right.truncate(at);
                }
                let right = self.or_default(right);
                let span = left.span.to(right.span);
                Expr { kind: ExprKind::Compare { op, op_span, left: Box::new(left), right: Box::new(right) }, span }
            }
            Some(_) => left,
        }
    }

    fn nothing_behind(&mut self, tokens: &[Token]) {
        if let Some(Token::Op(_, span) | Token::Test(_, _, span)) = tokens.first() {
            let message = "a comparison can't be compared again";
            self.error(Code::Syntax, *span, message, "join two comparisons with `and`: `a < b and b < c`");
        }
    }

    /// `a ?? b ?? c`: from the right, which for the first that is not absent is the same.
    fn or_default(&mut self, tokens: Vec<Token>) -> Expr {
        let mut terms: Vec<Expr> =
            split(tokens, Op::OrDefault).into_iter().map(|(_, group)| self.range(group)).collect();
        if terms.len() == 1
            && let Some(only) = terms.pop()
        {
            return only;
        }
        let span = around(&terms);
        Expr { kind: ExprKind::OrDefault(terms), span }
    }

    /// `from..to`
    fn range(&mut self, tokens: Vec<Token>) -> Expr {
        let mut ends = split(tokens, Op::Range).into_iter();
        let from = ends.next().map(|(_, group)| self.arithmetic(group, false));
        let to = ends.next().map(|(_, group)| self.arithmetic(group, false));
        if let Some((Some(again), _)) = ends.next() {
            let message = "a range has two ends";
            self.error(Code::Syntax, again, message, "write `1..5`; lists are joined with `+`: `1..3 + [7]`");
        }
        match (from, to) {
            (Some(from), Some(to)) => {
                let span = from.span.to(to.span);
                Expr { kind: ExprKind::Range { from: Box::new(from), to: Box::new(to) }, span }
            }
            (Some(only), None) => only,
            _ => Expr { kind: ExprKind::Bad, span: Span::default() },
        }
    }

    /// Sums of products; both flat.
    fn arithmetic(&mut self, tokens: Vec<Token>, products: bool) -> Expr {
        let mut first: Option<Expr> = None;
        let mut rest: Vec<(ArithmeticOp, Span, Expr)> = Vec::new();
        let mut pending: Option<(ArithmeticOp, Span)> = None;
        let mut group = Vec::new();
        let mut tokens = tokens.into_iter().peekable();
        loop {
            let token = tokens.next();
            let split = match &token {
                Some(Token::Op(Op::Sum(op), span)) if !products => Some((*op, *span)),
                Some(Token::Op(Op::Product(op), span)) if products => Some((*op, *span)),
                Some(_) => None,
                None => Some((ArithmeticOp::Add, Span::default())),
            };
            let Some((op, span)) = split else {
                group.extend(token);
                continue;
            };
            let whole = std::mem::take(&mut group);
            let operand = if products { self.operand(whole) } else { self.arithmetic(whole, true) };
            match (pending.take(), &first) {
                (Some((op, span)), Some(_)) => rest.push((op, span, operand)),
                _ => first = Some(operand),
            }
            if token.is_none() {
                break;
            }
            pending = Some((op, span));
        }
        let Some(first) = first else { return Expr { kind: ExprKind::Bad, span: Span::default() } };
        match rest.last() {
            None => first,
            Some((_, _, last)) => {
                let span = first.span.to(last.span);
                Expr { kind: ExprKind::Arithmetic { first: Box::new(first), rest }, span }
            }
        }
    }

    fn operand(&mut self, tokens: Vec<Token>) -> Expr {
        for token in tokens {
            if let Token::Operand { expr, not } = token {
                if let Some(word) = not {
                    let help = "it stands before a whole comparison: `not a == b`; or use parentheses";
                    self.error(Code::Syntax, word, "`not` can't stand here", help);
                }
                return expr;
            }
        }
        Expr { kind: ExprKind::Bad, span: Span::default() }
    }

    pub(super) fn chain(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let Some(first) = parts.next() else { return Expr { kind: ExprKind::Bad, span } };
        let mut links = Vec::new();
        let base = match first.as_rule() {
            Rule::subject => {
                let span = self.span(&first);
                if let Some(name) = first.into_inner().next() {
                    links.push(Link { kind: LinkKind::Field(self.name(&name)), span });
                }
                Expr { kind: ExprKind::Subject, span: Span { end: span.start, ..span } }
            }
            _ => self.primary(first),
        };
        for pair in parts {
            let span = self.span(&pair);
            let rule = pair.as_rule();
            let kind = match rule {
                Rule::field => match pair.into_inner().next() {
                    Some(name) => LinkKind::Field(self.name(&name)),
                    None => continue,
                },
                Rule::index => {
                    let inner = pair.into_inner().find(|pair| pair.as_rule() == Rule::wide);
                    LinkKind::Index(self.expr_or_bad(inner, span))
                }
                _ => LinkKind::Call(self.arguments(pair)),
            };
            links.push(Link { kind, span });
        }
        if links.is_empty() {
            return base;
        }
        Expr { kind: ExprKind::Chain { base: Box::new(base), links }, span }
    }

    fn arguments(&mut self, pair: Pair<'_, Rule>) -> Vec<Argument> {
        let mut arguments = Vec::new();
        for pair in pair.into_inner().filter(|pair| pair.as_rule() == Rule::argument) {
            let span = self.span(&pair);
            let mut name = None;
            let mut value = None;
            for part in pair.into_inner() {
                match part.as_rule() {
                    Rule::name => name = Some(self.name(&part)),
                    Rule::wide => value = Some(self.expr(part)),
                    _ => {}
                }
            }
            arguments.push(Argument { name, value: value.unwrap_or(Expr { kind: ExprKind::Bad, span }) });
        }
        arguments
    }

    fn primary(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::name => match pair.as_str() {
                "true" => ExprKind::Bool(true),
                "false" => ExprKind::Bool(false),
                "null" => ExprKind::Null,
                word if KEYWORDS.contains(&word) => {
                    let diagnostic = Diagnostic::new(Code::Syntax, span, format!("`{word}` is a keyword"))
                        .label("expected a value")
                        .help("is something missing before it?");
                    self.diagnostics.push(diagnostic);
                    ExprKind::Bad
                }
                _ => ExprKind::Name(self.name(&pair)),
            },
            Rule::date => match literal::time(pair.as_str()) {
                Some(time) => ExprKind::Time(time),
                None => self.bad_literal(
                    span,
                    pair.as_str(),
                    "there is no such date",
                    "dates are `2027-03-01`, times `2027-03-01T10:00:00Z`",
                ),
            },
            Rule::number => self.number(pair.as_str(), span),
            Rule::list => ExprKind::List(self.wides(pair)),
            Rule::paren => {
                let inner = pair.into_inner().find(|pair| pair.as_rule() == Rule::wide);
                ExprKind::Paren(Box::new(self.expr_or_bad(inner, span)))
            }
            Rule::map => ExprKind::Map(self.map(pair)),
            Rule::quantifier => self.quantifier(pair, span),
            Rule::plain_string | Rule::raw_string | Rule::multi_string | Rule::multi_raw => {
                ExprKind::String(self.string(pair))
            }
            _ => ExprKind::Bad,
        };
        Expr { kind, span }
    }

    /// The values in brackets.
    pub(super) fn wides(&mut self, pair: Pair<'_, Rule>) -> Vec<Expr> {
        let wides: Vec<_> = pair.into_inner().filter(|pair| pair.as_rule() == Rule::wide).collect();
        wides.into_iter().map(|pair| self.expr(pair)).collect()
    }

    fn map(&mut self, pair: Pair<'_, Rule>) -> Vec<(StringLit, Expr)> {
        let mut entries = Vec::new();
        for pair in pair.into_inner().filter(|pair| pair.as_rule() == Rule::pair) {
            let mut key = None;
            let mut value = None;
            for part in pair.into_inner() {
                match part.as_rule() {
                    Rule::name => {
                        let Name { text, span } = self.name(&part);
                        key = Some(StringLit { parts: vec![StringPart::Text(text, span)], span });
                    }
                    Rule::colon => {}
                    Rule::wide => value = Some(self.expr(part)),
                    _ => key = Some(self.string(part)),
                }
            }
            if let (Some(key), Some(value)) = (key, value) {
                entries.push((key, value));
            }
        }
        entries
    }

    fn quantifier(&mut self, pair: Pair<'_, Rule>, span: Span) -> ExprKind {
        let mut kind = (Quantifier::All, span);
        let mut names = Vec::new();
        let mut exprs = Vec::new();
        let mut or_none = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::or_none => or_none = true,
                Rule::quantifier_word | Rule::all_word => {
                    let word = match part.as_str() {
                        "all" => Quantifier::All,
                        "any" => Quantifier::Any,
                        "none" => Quantifier::None,
                        "where" => Quantifier::Where,
                        "map" => Quantifier::Map,
                        _ => Quantifier::Count,
                    };
                    kind = (word, self.span(&part));
                }
                Rule::name => names.push(self.name(&part)),
                Rule::wide => exprs.push(self.expr(part)),
                _ => {}
            }
        }
        match (exprs.pop(), exprs.pop()) {
            (Some(body), Some(over)) => ExprKind::Quantifier {
                kind: kind.0,
                kind_span: kind.1,
                names,
                over: Box::new(over),
                body: Box::new(body),
                or_none,
            },
            _ => ExprKind::Bad,
        }
    }

    fn bad_literal(&mut self, span: Span, text: &str, why: &str, help: &str) -> ExprKind {
        let diagnostic =
            Diagnostic::new(Code::BadLiteral, span, format!("`{text}` has no meaning")).label(why).help(help);
        self.diagnostics.push(diagnostic);
        ExprKind::Bad
    }

    fn number(&mut self, text: &str, span: Span) -> ExprKind {
        let digits: Arc<str> = text.replace('_', "").into();
        if let Some(percent) = literal::percent(text) {
            return ExprKind::Percent(percent);
        }
        if digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return match Number::parse(&digits) {
                Some(number) => ExprKind::Number(number),
                None if digits.bytes().filter(u8::is_ascii_digit).count() > 28 => {
                    self.bad_literal(span, text, "too many digits", "numbers have up to 28 digits")
                }
                None => self.bad_literal(span, text, "not a number", "write `1.5`"),
            };
        }
        if let Some(duration) = literal::duration(text) {
            return ExprKind::Duration(duration);
        }
        if let Some(size) = literal::size(text) {
            return ExprKind::Size(size);
        }
        let help = "durations are `500ms`, `30s`, `5m`, `1h30m`, `7d`; sizes `10B`, `512KiB`, `1GiB`, `10MB`; percentages `50%`";
        self.bad_literal(span, text, "no unit that is known", help)
    }
}

fn operator(text: &str) -> Op {
    use ArithmeticOp::{Add, Divide, Multiply, Remainder, Subtract};
    match text {
        "and" => Op::Logic(LogicOp::And),
        "or" => Op::Logic(LogicOp::Or),
        "??" => Op::OrDefault,
        ".." => Op::Range,
        "==" => Op::Compare(CompareOp::Equal),
        "!=" => Op::Compare(CompareOp::NotEqual),
        "<" => Op::Compare(CompareOp::Less),
        "<=" => Op::Compare(CompareOp::LessOrEqual),
        ">" => Op::Compare(CompareOp::Greater),
        ">=" => Op::Compare(CompareOp::GreaterOrEqual),
        "in" => Op::Compare(CompareOp::In),
        "contains" => Op::Compare(CompareOp::Contains),
        "matches" => Op::Compare(CompareOp::Matches),
        "+" => Op::Sum(Add),
        "-" => Op::Sum(Subtract),
        "*" => Op::Product(Multiply),
        "/" => Op::Product(Divide),
        "%" => Op::Product(Remainder),
        text if text.starts_with("not") => Op::Compare(CompareOp::NotIn),
        text if text.ends_with("contain") => Op::Compare(CompareOp::NotContains),
        _ => Op::Compare(CompareOp::NotMatches),
    }
}

/// The tokens between those that are `op`, each group with the `op` before it.
fn split(tokens: Vec<Token>, op: Op) -> Vec<(Option<Span>, Vec<Token>)> {
    let mut groups = vec![(None, Vec::new())];
    for token in tokens {
        match token {
            Token::Op(found, span) if found == op => groups.push((Some(span), Vec::new())),
            token => {
                if let Some((_, group)) = groups.last_mut() {
                    group.push(token);
                }
            }
        }
    }
    groups
}

fn around(exprs: &[Expr]) -> Span {
    match (exprs.first(), exprs.last()) {
        (Some(first), Some(last)) => first.span.to(last.span),
        _ => Span::default(),
    }
}
