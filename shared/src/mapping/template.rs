//! The language of rules: minijinja expressions in a sandbox with fuel.
//!
//! Invariant: nothing that is evaluated here does I/O, runs for ever, grows without bound, or says a value of the lead in
//! its failure. Values of the lead are never parsed as templates.

use std::sync::Arc;

use crate::config::Mistake;
use minijinja::machinery::{ast, parse, parse_expr, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::Value as Json;

use super::check::Checker;
use super::filters::{self, Tables};
use super::scope::Scope;
use super::value::{self, Unfit, VALUE_BYTES};

/// What one value may cost: an instruction is 1, and so are 64 bytes made or read.
const FUEL: u64 = 100_000;
/// The deepest nesting of scopes and macro calls.
const RECURSION: usize = 100;
/// The longest template.
const SOURCE_BYTES: usize = 16 * 1024;
/// The most words and signs in a template: the engine's parser nests as deep as a chain of operators is long.
const TOKENS: usize = 2000;
/// The variable that an expression's value is put into, to be read with its type.
const RESULT: &str = "__value";

/// The engine, with every template of the rules in it.
pub(crate) struct Language {
    env: Environment<'static>,
    checker: Checker,
    /// A lead that says nothing.
    nobody: Value,
    count: usize,
}

/// A compiled template or expression: its name in the engine.
#[derive(Clone, Debug)]
pub(crate) enum Code {
    /// Makes a text.
    Text(String),
    /// Makes a value of any type.
    Expression(String),
}

/// Why a value could not be made, without any value of the lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

impl Language {
    pub(crate) fn new(tables: Tables) -> Self {
        let mut env = Environment::new();
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(RECURSION);
        env.set_debug(false);
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_formatter(|out, state, value| match state.auto_escape() {
            AutoEscape::None => {
                let text = value::to_text(value, &mut VALUE_BYTES.clone()).map_err(filters::unfit)?;
                out.write_str(&text).map_err(Error::from)
            }
            _ => minijinja::escape_formatter(out, state, value),
        });
        // `debug` and `pprint` print what they are not asked for; `namespace` builds values of unbounded size and depth.
        env.remove_global("debug");
        env.remove_global("namespace");
        env.remove_filter("pprint");
        let checker = Checker::new(tables.keys().cloned().collect());
        filters::add(&mut env, Arc::new(tables));
        Self { env, checker, nobody: Scope::nobody().context(), count: 0 }
    }

    /// Compiles a condition: an expression without braces.
    pub(crate) fn condition(&mut self, source: &str, key: &str, mistakes: &mut Vec<Mistake>) -> Option<Code> {
        if source.trim_start().starts_with("{{") || source.trim_start().starts_with("{%") {
            let mistake = Mistake::new(key, "is an expression, not a template");
            mistakes.push(mistake.remedy("write it without `{{` and `}}`"));
            return None;
        }
        if too_long(source, true, key, mistakes) {
            return None;
        }
        let tree = syntax(parse_expr(source), key, mistakes)?;
        let before = mistakes.len();
        self.checker.expression(&tree, key, mistakes);
        if mistakes.len() > before { None } else { self.add_expression(source, key, mistakes) }
    }

    /// Compiles a text value of a map: an expression where it is exactly one `{{ .. }}`, else a template.
    pub(crate) fn value(&mut self, source: &str, key: &str, mistakes: &mut Vec<Mistake>) -> Option<Code> {
        if too_long(source, false, key, mistakes) {
            return None;
        }
        let tree = syntax(parse(source, "", SyntaxConfig::default()), key, mistakes)?;
        let before = mistakes.len();
        self.checker.template(&tree, key, mistakes);
        if mistakes.len() > before {
            return None;
        }
        match single_expression(&tree, source) {
            Some(inner) => self.add_expression(inner, key, mistakes),
            None => self.add(source.to_owned(), key, mistakes).map(Code::Text),
        }
    }

    fn add_expression(&mut self, source: &str, key: &str, mistakes: &mut Vec<Mistake>) -> Option<Code> {
        self.add(format!("{{% set {RESULT} = {source} %}}"), key, mistakes).map(Code::Expression)
    }

    fn add(&mut self, source: String, key: &str, mistakes: &mut Vec<Mistake>) -> Option<String> {
        let name = self.count.to_string();
        self.count += 1;
        syntax(self.env.add_template_owned(name.clone(), source), key, mistakes)?;
        // A trial on a lead that says nothing tells what the tree does not: how many arguments a filter takes.
        let trial = self.env.get_template(&name).and_then(|template| template.render(self.nobody.clone()));
        match trial.map_err(|error| error.kind()) {
            Err(kind @ (ErrorKind::MissingArgument | ErrorKind::TooManyArguments)) => {
                mistakes.push(Mistake::new(key, format!("{kind} for a filter, test or function")));
                None
            }
            _ => Some(name),
        }
    }

    /// Whether a condition is true of a lead.
    pub(crate) fn is_true(&self, code: &Code, lead: &Value) -> Result<bool, Failure> {
        self.run(code, lead).map(|value| value.is_true())
    }

    /// The value that a field has for a lead; null where there is none.
    pub(crate) fn json(&self, code: &Code, lead: &Value) -> Result<Json, Failure> {
        let value = self.run(code, lead)?;
        value::to_json(&value, &mut VALUE_BYTES.clone()).map_err(Failure::from)
    }

    fn run(&self, code: &Code, lead: &Value) -> Result<Value, Failure> {
        let result = match code {
            Code::Text(name) => self.env.get_template(name).and_then(|t| t.render(lead.clone())).map(Value::from),
            Code::Expression(name) => self
                .env
                .get_template(name)
                .and_then(|t| t.render_captured(lead.clone()))
                .map(|captured| captured.state().lookup(RESULT).unwrap_or_default()),
        };
        result.map_err(|error| Failure::from(&error))
    }
}

fn too_long(source: &str, is_expression: bool, key: &str, mistakes: &mut Vec<Mistake>) -> bool {
    let tokens =
        || tokenize(source, is_expression, SyntaxConfig::default()).take_while(Result::is_ok).take(TOKENS + 1).count();
    let reason = if source.len() > SOURCE_BYTES {
        format!("is longer than {SOURCE_BYTES} bytes")
    } else if tokens() > TOKENS {
        format!("has more than {TOKENS} words and signs")
    } else {
        return false;
    };
    mistakes.push(Mistake::new(key, reason).remedy("make it simpler, or a table under `lookups`"));
    true
}

fn syntax<T>(result: Result<T, Error>, key: &str, mistakes: &mut Vec<Mistake>) -> Option<T> {
    result
        .map_err(|error| {
            let line =
                error.line().filter(|line| *line > 1).map_or(String::new(), |line| format!(" (its line {line})"));
            mistakes.push(Mistake::new(key, format!("{}{line}", error.detail().unwrap_or("cannot be read"))));
        })
        .ok()
}

/// What stands between the braces, where the whole template is one `{{ .. }}`.
fn single_expression<'s>(tree: &ast::Stmt<'_>, source: &'s str) -> Option<&'s str> {
    let ast::Stmt::Template(template) = tree else { return None };
    let [ast::Stmt::EmitExpr(_)] = template.children.as_slice() else { return None };
    // The engine drops one final line break of a template, as TOML's multi-line strings have it.
    let source = source.strip_suffix('\n').unwrap_or(source);
    let inner = source.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    Some(inner.strip_suffix(['-', '+']).unwrap_or(inner))
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let unfit = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Unfit>());
        if let Some(unfit) = unfit {
            return Self::from(*unfit);
        }
        // The kind alone: the engine's details hold values.
        let what = match error.kind() {
            ErrorKind::OutOfFuel => "it does not end, or makes too much: stopped for want of fuel".to_owned(),
            ErrorKind::InvalidOperation => {
                "a step that its values do not allow, such as a division by zero or text plus number".to_owned()
            }
            ErrorKind::UndefinedError => "a step on a value that is not there".to_owned(),
            ErrorKind::MissingArgument | ErrorKind::TooManyArguments => {
                "a filter or function lacks an argument or has one too many".to_owned()
            }
            kind => kind.to_string(),
        };
        match error.line().filter(|line| *line > 1) {
            Some(line) => Self(format!("{what} (line {line} of the template)")),
            None => Self(what),
        }
    }
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        Self(unfit.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{FILTERS, TESTS};
    use super::*;

    #[test]
    fn every_name_that_rules_may_use_is_known_to_the_engine() {
        let language = Language::new(Tables::new());
        let mut state = language.env.empty_state();
        for filter in FILTERS {
            let result = state.apply_filter(filter, &[]);
            assert!(!result.is_err_and(|e| e.kind() == ErrorKind::UnknownFilter), "{filter}");
        }
        for test in TESTS {
            let result = state.perform_test(test, &[]);
            assert!(!result.is_err_and(|e| e.kind() == ErrorKind::UnknownTest), "{test}");
        }
        for gone in ["pprint", "nosuch"] {
            assert!(state.apply_filter(gone, &[]).is_err_and(|e| e.kind() == ErrorKind::UnknownFilter));
        }
        assert!(language.env.globals().all(|(name, _)| ["dict", "range"].contains(&name)));
    }

    #[test]
    fn a_single_expression_is_told_from_a_template() {
        let single = |source: &str| {
            let tree = parse(source, "", SyntaxConfig::default()).expect("a template");
            single_expression(&tree, source).map(str::to_owned)
        };
        assert_eq!(single("{{ a }}").as_deref(), Some(" a "));
        assert_eq!(single("{{- a -}}\n").as_deref(), Some(" a "));
        assert_eq!(single("{{ '}} {{' }}").as_deref(), Some(" '}} {{' "));
        for template in ["{{ a }}{{ b }}", " {{ a }}", "{{ a }} ", "{% if a %}{% endif %}", "{# {{ a }} #}", "a"] {
            assert_eq!(single(template), None, "{template}");
        }
    }
}
