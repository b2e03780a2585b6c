//! Mistakes in a rule that can be told before any lead comes: names that do not exist, each with the nearest that does.
//!
//! Invariant: whatever this finds would fail, or be silently empty, on every lead that reaches it. It reads the engine's
//! own syntax tree, so it sees exactly what will run.

use std::collections::BTreeSet;

use crate::config::{Mistake, nearest};
use minijinja::machinery::ast::{BinOpKind, Call, CallArg, CallType, Expr, Stmt};

use super::scope;

/// Every filter that rules may use.
#[rustfmt::skip]
pub(crate) const FILTERS: &[&str] = &[
    "abs", "attr", "batch", "bool", "capitalize", "chain", "count", "country_name", "d", "default", "dictsort", "e",
    "escape", "first", "float", "format", "groupby", "indent", "int", "items", "join", "last", "length", "lines", "list",
    "lookup", "lower", "map", "max", "min", "phone_e164", "reject", "rejectattr", "replace", "reverse", "round", "safe",
    "select", "selectattr", "slice", "sort", "split", "string", "sum", "title", "tojson", "trim", "truncate_to", "unique",
    "upper", "zip",
];
/// Every test that rules may use.
#[rustfmt::skip]
pub(crate) const TESTS: &[&str] = &[
    "!=", "<", "<=", "==", ">", ">=", "boolean", "defined", "divisibleby", "endingwith", "eq", "equalto", "escaped",
    "even", "false", "filter", "float", "ge", "greaterthan", "gt", "in", "int", "integer", "iterable", "le", "lessthan",
    "lower", "lt", "mapping", "ne", "none", "number", "odd", "safe", "sameas", "sequence", "startingwith", "string",
    "test", "true", "undefined", "upper",
];
/// Filters that never make a list.
const SCALAR_FILTERS: &[&str] = &[
    "abs", "bool", "count", "float", "format", "int", "join", "length", "lower", "replace", "round", "string", "trim",
    "upper",
];
/// Every function that rules may call.
const FUNCTIONS: &[&str] = &["dict", "range"];

/// Knows every name that rules may use.
pub(crate) struct Checker {
    tables: Vec<String>,
}

impl Checker {
    pub(crate) fn new(tables: Vec<String>) -> Self {
        Self { tables }
    }

    /// Checks a template's tree.
    pub(crate) fn template(&self, tree: &Stmt<'_>, key: &str, mistakes: &mut Vec<Mistake>) {
        let mut declared = BTreeSet::from(["loop", "caller"]);
        declare(std::slice::from_ref(tree), &mut declared);
        Walk { tables: &self.tables, declared, key, mistakes }.statements(std::slice::from_ref(tree));
    }

    /// Checks an expression's tree.
    pub(crate) fn expression(&self, tree: &Expr<'_>, key: &str, mistakes: &mut Vec<Mistake>) {
        Walk { tables: &self.tables, declared: BTreeSet::new(), key, mistakes }.expression(tree);
    }
}

/// Collects the names that statements bind, wherever in the template they do: scopes are the engine's affair.
fn declare<'a>(statements: &[Stmt<'a>], names: &mut BTreeSet<&'a str>) {
    for statement in statements {
        match statement {
            Stmt::Template(s) => declare(&s.children, names),
            Stmt::ForLoop(s) => {
                target(&s.target, names);
                declare(&s.body, names);
                declare(&s.else_body, names);
            }
            Stmt::IfCond(s) => {
                declare(&s.true_body, names);
                declare(&s.false_body, names);
            }
            Stmt::WithBlock(s) => {
                s.assignments.iter().for_each(|(name, _)| target(name, names));
                declare(&s.body, names);
            }
            Stmt::Set(s) => target(&s.target, names),
            Stmt::SetBlock(s) => {
                target(&s.target, names);
                declare(&s.body, names);
            }
            Stmt::AutoEscape(s) => declare(&s.body, names),
            Stmt::FilterBlock(s) => declare(&s.body, names),
            Stmt::Macro(s) => {
                names.insert(s.name);
                s.args.iter().for_each(|name| target(name, names));
                declare(&s.body, names);
            }
            Stmt::CallBlock(s) => {
                s.macro_decl.args.iter().for_each(|name| target(name, names));
                declare(&s.macro_decl.body, names);
            }
            _ => {}
        }
    }
}

fn target<'a>(expression: &Expr<'a>, names: &mut BTreeSet<&'a str>) {
    match expression {
        Expr::Var(var) => {
            names.insert(var.id);
        }
        Expr::List(list) => list.items.iter().for_each(|item| target(item, names)),
        Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| target(item, names)),
        _ => {}
    }
}

/// One walk over one tree.
struct Walk<'c, 'a> {
    tables: &'c [String],
    declared: BTreeSet<&'a str>,
    key: &'c str,
    mistakes: &'c mut Vec<Mistake>,
}

impl Walk<'_, '_> {
    fn statements(&mut self, statements: &[Stmt<'_>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(s) => self.statements(&s.children),
            Stmt::EmitExpr(s) => self.expression(&s.expr),
            Stmt::ForLoop(s) => {
                self.expression(&s.iter);
                self.expressions(&s.filter_expr);
                self.statements(&s.body);
                self.statements(&s.else_body);
            }
            Stmt::IfCond(s) => {
                self.expression(&s.expr);
                self.statements(&s.true_body);
                self.statements(&s.false_body);
            }
            Stmt::WithBlock(s) => {
                s.assignments.iter().for_each(|(_, value)| self.expression(value));
                self.statements(&s.body);
            }
            Stmt::Set(s) => self.expression(&s.expr),
            Stmt::SetBlock(s) => {
                self.expressions(&s.filter);
                self.statements(&s.body);
            }
            Stmt::AutoEscape(s) => {
                self.expression(&s.enabled);
                self.statements(&s.body);
            }
            Stmt::FilterBlock(s) => {
                self.expression(&s.filter);
                self.statements(&s.body);
            }
            Stmt::Macro(s) => {
                self.expressions(&s.defaults);
                self.statements(&s.body);
            }
            Stmt::CallBlock(s) => {
                self.call(&s.call);
                self.expressions(&s.macro_decl.defaults);
                self.statements(&s.macro_decl.body);
            }
            Stmt::Do(s) => self.call(&s.call),
            Stmt::Include(_) => self.alone("include"),
            Stmt::Extends(_) => self.alone("extends"),
            Stmt::Import(_) | Stmt::FromImport(_) => self.alone("import"),
            Stmt::Block(_) => self.alone("block"),
            _ => {}
        }
    }

    /// The engine knows these for the console's pages; a template of the rules stands alone.
    fn alone(&mut self, statement: &str) {
        self.mistakes.push(Mistake::new(self.key, format!("unknown statement {statement}")));
    }

    fn expressions<'e, 's: 'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr<'s>>) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    fn expression(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Var(e) => self.variable(e.id),
            Expr::Const(_) => {}
            Expr::Slice(e) => {
                self.expression(&e.expr);
                self.expressions([&e.start, &e.stop, &e.step].into_iter().flatten());
            }
            Expr::UnaryOp(e) => self.expression(&e.expr),
            Expr::BinOp(e) => {
                self.product(e.op, [&e.left, &e.right]);
                self.expressions([&e.left, &e.right]);
            }
            Expr::Compare(e) => {
                self.expression(&e.expr);
                self.expressions(e.ops.iter().map(|op| &op.expr));
            }
            Expr::IfExpr(e) => {
                self.expressions([&e.test_expr, &e.true_expr]);
                self.expressions(&e.false_expr);
            }
            Expr::Filter(e) => {
                self.name("filter", e.name, FILTERS);
                self.by_name(e.name, &e.args);
                self.expressions(&e.expr);
                self.arguments(&e.args);
            }
            Expr::Test(e) => {
                self.name("test", e.name, TESTS);
                self.expression(&e.expr);
                self.arguments(&e.args);
            }
            Expr::GetAttr(e) if is_lead(&e.expr) => self.member(e.name),
            Expr::GetAttr(e) => self.expression(&e.expr),
            Expr::GetItem(e) => {
                match (is_lead(&e.expr), text(&e.subscript_expr)) {
                    (true, Some(name)) => self.member(&name),
                    _ => self.expression(&e.expr),
                }
                self.expression(&e.subscript_expr);
            }
            Expr::Call(e) => self.call(e),
            Expr::List(e) => self.expressions(&e.items),
            Expr::Tuple(e) => self.expressions(&e.items),
            Expr::Map(e) => self.expressions(e.keys.iter().chain(&e.values)),
        }
    }

    fn call(&mut self, call: &Call<'_>) {
        match call.identify_call() {
            CallType::Function(name) if self.declared.contains(name) => {}
            CallType::Function(name) => self.name("function", name, FUNCTIONS),
            CallType::Method(Expr::Var(var), _) if var.id == "loop" => {}
            CallType::Method(of, name) => {
                let mistake = Mistake::new(self.key, format!("values have no methods, and so no `{name}`"));
                let wanted = nearest(name, FILTERS.iter().copied());
                self.mistakes.push(match wanted {
                    Some(filter) => mistake.remedy(format!("did you mean the filter `|{filter}`?")),
                    None => mistake,
                });
                self.expression(of);
            }
            CallType::Object(of) => self.expression(of),
            CallType::Block(_) => self.alone("block"),
        }
        self.arguments(&call.args);
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(e) | CallArg::Kwarg(_, e) | CallArg::PosSplat(e) | CallArg::KwargSplat(e) => {
                    self.expression(e);
                }
            }
        }
    }

    /// Filters that take the name of a filter, a test or a table.
    fn by_name(&mut self, filter: &str, arguments: &[CallArg<'_>]) {
        let at = if filter.ends_with("attr") { 1 } else { 0 };
        let Some(name) = arguments.get(at).and_then(|argument| match argument {
            CallArg::Pos(expression) => text(expression),
            _ => None,
        }) else {
            return;
        };
        match filter {
            "map" => self.name("filter", &name, FILTERS),
            "select" | "reject" | "selectattr" | "rejectattr" => self.name("test", &name, TESTS),
            "lookup" if !self.tables.contains(&name) => {
                let mistake = Mistake::new(self.key, format!("there is no table `lookups.{name}`"));
                self.mistakes.push(mistake.nearest(&name, self.tables.iter().map(String::as_str)));
            }
            _ => {}
        }
    }

    fn name(&mut self, what: &str, name: &str, known: &[&str]) {
        // The engine reads a name without its blanks.
        let name: String = name.split_ascii_whitespace().collect();
        if !known.contains(&name.as_str()) {
            let mistake = Mistake::new(self.key, format!("there is no {what} `{name}`"));
            self.mistakes.push(mistake.nearest(&name, known.iter().copied()));
        }
    }

    fn member(&mut self, name: &str) {
        if !scope::NAMES.contains(&name) {
            let mistake = Mistake::new(self.key, format!("a lead has no `{name}`"));
            let remedy = match nearest(name, scope::NAMES) {
                Some(right) => format!("did you mean `lead.{right}`?"),
                None => format!(
                    "members of what was sent are under `lead.body`; else it is one of {}",
                    scope::NAMES.join(", ")
                ),
            };
            self.mistakes.push(mistake.remedy(remedy));
        }
    }

    fn variable(&mut self, name: &str) {
        if name == "lead" || self.declared.contains(name) || FUNCTIONS.contains(&name) {
            return;
        }
        let mistake = Mistake::new(self.key, format!("there is no `{name}` here"));
        self.mistakes.push(match nearest(name, scope::NAMES) {
            Some(right) => mistake.remedy(format!("did you mean `lead.{right}`?")),
            None => mistake.remedy("all that is known of a lead is under `lead`; a text stands in quotes"),
        });
    }

    /// The engine repeats a list without counting what that costs when the list is written out, and where a number is
    /// expected a lead may hold a list.
    fn product(&mut self, op: BinOpKind, sides: [&Expr<'_>; 2]) {
        if matches!(op, BinOpKind::Mul) && !sides.into_iter().all(is_scalar) {
            let mistake = Mistake::new(self.key, "what is multiplied must be a number for sure");
            self.mistakes.push(mistake.remedy("put `| int` or `| float` behind it"));
        }
    }
}

/// Whether an expression can be seen never to be a list.
fn is_scalar(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::Const(_) | Expr::UnaryOp(_) | Expr::Compare(_) | Expr::Test(_) => true,
        Expr::BinOp(e) => match e.op {
            BinOpKind::Add | BinOpKind::Mul | BinOpKind::ScAnd | BinOpKind::ScOr => {
                is_scalar(&e.left) && is_scalar(&e.right)
            }
            _ => true,
        },
        Expr::IfExpr(e) => is_scalar(&e.true_expr) && e.false_expr.as_ref().is_none_or(is_scalar),
        Expr::Filter(e) => SCALAR_FILTERS.contains(&e.name),
        Expr::GetAttr(e) if is_lead(&e.expr) => e.name != "body",
        Expr::GetAttr(e) => {
            is_loop(&e.expr) && ["index", "index0", "revindex", "revindex0", "length"].contains(&e.name)
        }
        _ => false,
    }
}

fn is_loop(expression: &Expr<'_>) -> bool {
    matches!(expression, Expr::Var(var) if var.id == "loop")
}

fn is_lead(expression: &Expr<'_>) -> bool {
    matches!(expression, Expr::Var(var) if var.id == "lead")
}

/// The text of a constant.
fn text(expression: &Expr<'_>) -> Option<String> {
    match expression {
        Expr::Const(constant) => constant.value.as_str().map(str::to_owned),
        _ => None,
    }
}
