//! `when`: an expression in the Common Expression Language (CEL) over the request and the token.
//!
//! It is compiled at load, and bounded there: so many parts, no loop within a loop, patterns only as literals. What it names must exist.
//! An expression that fails while it is asked, be it for a claim that is not there, denies the request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};
use cel::common::types::{CelBool, CelInt, CelString, STRING_TYPE};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::objects::Key;
use cel::{Context, Env, ExecutionError, IdedExpr, ParseErrors, Program, Value};
use regex::Regex;

use crate::config::Fault;
use crate::config::schema::nearest;
use crate::jose::Json;
use crate::jose::json::Number;

use super::pattern::FullMatch;
use super::subject::Subject;
use super::target::{Path, Question};

/// A compiled expression.
#[derive(Clone)]
pub struct Expression {
    program: Arc<Program>,
    text: Arc<str>,
}

/// What expressions may ask of a verified token.
pub struct Known {
    username: Box<str>,
    email: Box<str>,
    /// `None` where they cannot be told: whoever asks for them fails.
    groups: Option<Box<dyn Val>>,
    scopes: Option<Box<dyn Val>>,
    claims: Option<Box<dyn Val>>,
    size: usize,
}

/// The expression could not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

/// The longest expression, in bytes, and the most parts it has once macros are written out.
const MAX_TEXT: usize = 4 * 1024;
const MAX_PARTS: usize = 512;

/// What an expression may name.
const VARIABLES: [&str; 7] = [
    "authenticated",
    "claims",
    "email",
    "groups",
    "now",
    "scopes",
    "username",
];
const OF_REQUEST: [&str; 4] = ["host", "method", "path", "source"];
const TYPES: [&str; 9] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "uint",
];
const FUNCTIONS: [&str; 13] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    let text = || STRING_TYPE;
    // Left undeclared, an expression with `matches` fails when it is asked, and so denies.
    let _ =
        environment.add_member_overload("matches", "matches_member", text(), vec![text()], matches);
    let _ = environment.add_overload("matches", "matches_global", vec![text(), text()], matches);
    Arc::new(environment)
});

impl Expression {
    /// Compiles an expression. `path` names the key in the fault.
    ///
    /// # Errors
    /// It is none, names what does not exist, or could cost too much.
    pub fn compile(path: &str, text: &str) -> Result<Self, Fault> {
        let fault = |why: String| {
            Fault::new(
                path,
                format!("`{text}`: {why}"),
                "an expression in CEL that is true or false",
                format!(
                    "it may name `request.{}`, {}; for example `claims.department == 'finance' && request.method == 'GET'`",
                    OF_REQUEST.join("`, `request."),
                    VARIABLES.map(|name| format!("`{name}`")).join(", ")
                ),
            )
        };
        if text.len() > MAX_TEXT {
            return Err(fault(format!("longer than {MAX_TEXT} bytes")));
        }
        let compiled = parsed(text).ok_or_else(|| fault("not understood".to_owned()))?;
        let program = compiled.map_err(|errors| {
            let message = errors.to_string();
            let line = message.lines().next().unwrap_or_default();
            fault(line.trim_start_matches("ERROR: ").to_owned())
        })?;
        Judge::default()
            .judge(program.expression())
            .map_err(fault)?;
        Ok(Self {
            program: Arc::new(program),
            text: text.into(),
        })
    }

    /// Whether it may ask for groups: by their name, or among the claims.
    #[must_use]
    pub fn asks_for_groups(&self) -> bool {
        let references = self.program.references();
        references.has_variable("groups") || references.has_variable("claims")
    }

    /// Whether it is true of a request and its token.
    ///
    /// # Errors
    /// It failed, or is neither true nor false.
    pub fn holds(&self, question: &Question<'_>, known: Option<&Known>) -> Result<bool, Failed> {
        let variables = Variables { question, known };
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(&variables);
        let value = Value::resolve_val(self.program.expression(), &context).map_err(|_| Failed)?;
        let truth = value.downcast_ref::<CelBool>().ok_or(Failed)?;
        Ok(*truth.inner())
    }
}

/// Parses an expression; `None` where the parser, which is generated code, panics. It goes down for each bracket before it counts how deep
/// it is, so it gets a stack of its own that suffices for the longest text.
fn parsed(text: &str) -> Option<Result<Program, ParseErrors>> {
    const STACK: usize = 128 * 1024 * 1024;
    let text = text.to_owned();
    let parser = std::thread::Builder::new().stack_size(STACK);
    let parser =
        parser.spawn(move || catch_unwind(AssertUnwindSafe(|| ENVIRONMENT.compile(&text))));
    parser.ok()?.join().ok()?.ok()
}

impl Known {
    /// Prepares what a verified token says.
    #[must_use]
    pub fn of(subject: &Subject<'_>) -> Option<Self> {
        let mut size = size_of::<Self>();
        let mut members = HashMap::new();
        for (name, value) in subject.claims.members() {
            members.insert(Key::from(name), converted(value, &mut size));
        }
        let mut list = |items: Option<&[std::borrow::Cow<'_, str>]>| {
            let items = items?.iter().map(|item| {
                size += PART + item.len();
                Value::from(item.as_ref())
            });
            Value::from(items.collect::<Vec<_>>()).try_into().ok()
        };
        let (groups, scopes) = (list(subject.groups), list(subject.scopes));
        Some(Self {
            username: subject.username.into(),
            email: subject.email.unwrap_or_default().into(),
            groups,
            scopes,
            claims: Value::from(members).try_into().ok(),
            size,
        })
    }

    /// The memory that it takes, in bytes, about.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }
}

/// What a value takes beside its text, about.
const PART: usize = 96;

fn converted(value: &Json<'_>, size: &mut usize) -> Value {
    *size += PART;
    match value {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(Number::Unsigned(number)) => {
            i64::try_from(*number).map_or(Value::UInt(*number), Value::Int)
        }
        Json::Number(Number::Negative(number)) => Value::Int(*number),
        Json::Number(Number::Float(number)) => Value::Float(*number),
        Json::String(text) => {
            *size += text.len();
            Value::from(text.as_ref())
        }
        Json::Array(items) => {
            let items: Vec<Value> = items.iter().map(|item| converted(item, size)).collect();
            Value::from(items)
        }
        Json::Object(object) => {
            let mut members = HashMap::new();
            for (name, value) in object.members() {
                *size += PART + name.len();
                members.insert(Key::from(name), converted(value, size));
            }
            Value::from(members)
        }
    }
}

/// The variables of one question.
struct Variables<'q> {
    question: &'q Question<'q>,
    known: Option<&'q Known>,
}

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        fn text(text: &str) -> CowVal<'_, '_> {
            CowVal::owned(CelString::from(text))
        }
        let (question, known) = (self.question, self.known);
        match variable {
            // What cannot be told is no variable, so that whoever asks for it fails.
            "request.method" => question.method.map(text),
            "request.host" => question.target.host.as_deref().map(text),
            "request.path" => match &question.target.path {
                Path::Plain(path) => Some(text(path)),
                Path::Several(_) | Path::Ambiguous | Path::Unknown => None,
            },
            "request.source" => {
                let source = question.source?.to_canonical().to_string();
                Some(CowVal::owned(CelString::from(source)))
            }
            "now" => Some(CowVal::owned(CelInt::from(question.now.seconds()))),
            "authenticated" => Some(CowVal::owned(CelBool::from(known.is_some()))),
            "username" => Some(text(known.map_or("", |known| &known.username))),
            "email" => Some(text(known.map_or("", |known| &known.email))),
            "claims" => match known {
                Some(known) => known.claims.as_deref().map(CowVal::Borrowed),
                None => Some(CowVal::Borrowed(&**NO_CLAIMS)),
            },
            "groups" => self.list(|known| known.groups.as_deref()),
            "scopes" => self.list(|known| known.scopes.as_deref()),
            _ => None,
        }
    }
}

impl Variables<'_> {
    fn list<'b>(
        &'b self,
        of: impl FnOnce(&'b Known) -> Option<&'b dyn Val>,
    ) -> Option<CowVal<'b, 'b>> {
        match self.known {
            Some(known) => of(known).map(CowVal::Borrowed),
            None => Some(CowVal::Borrowed(&**NO_NAMES)),
        }
    }
}

static NO_CLAIMS: LazyLock<Box<dyn Val>> =
    LazyLock::new(|| boxed(Value::from(HashMap::<Key, Value>::new())));
static NO_NAMES: LazyLock<Box<dyn Val>> = LazyLock::new(|| boxed(Value::from(Vec::<Value>::new())));

fn boxed(value: Value) -> Box<dyn Val> {
    let boxed: Result<Box<dyn Val>, _> = value.try_into();
    boxed.unwrap_or_else(|_| Box::new(CelBool::from(false)))
}

/// `matches`, with each pattern compiled once for each thread: only literals come here, which were judged at load.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the type that the library wants"
)]
fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    /// Literals of configurations that came and went.
    const MANY: usize = 1024;
    thread_local! {
        static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
    }
    let text = |value: &CowVal<'b, 'v>| {
        value
            .downcast_ref::<CelString<'_>>()
            .map(|text| text.inner().to_owned())
    };
    let mut arguments = arguments.iter();
    let given = arguments
        .next()
        .and_then(text)
        .zip(arguments.next().and_then(text));
    let Some((text, pattern)) = given else {
        return Err(ExecutionError::MissingArgumentOrTarget);
    };
    let is_match = PATTERNS.with_borrow_mut(|patterns| {
        if let Some(known) = patterns.get(&pattern) {
            return Some(known.is_match(&text));
        }
        let compiled = Regex::new(&pattern).ok()?;
        let is_match = compiled.is_match(&text);
        if patterns.len() >= MANY {
            patterns.clear();
        }
        patterns.insert(pattern, compiled);
        Some(is_match)
    });
    let truth = is_match.ok_or_else(|| ExecutionError::function_error("matches", "no pattern"))?;
    Ok(CowVal::owned(CelBool::from(truth)))
}

/// Judges the parts of an expression.
#[derive(Default)]
struct Judge<'e> {
    parts: usize,
    /// Names that loops give to their items.
    bound: Vec<&'e str>,
    is_in_loop: bool,
}

impl<'e> Judge<'e> {
    fn judge(&mut self, expression: &'e IdedExpr) -> Result<(), String> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(format!("more than {MAX_PARTS} parts"));
        }
        match &expression.expr {
            Expr::Literal(_) | Expr::Unspecified => Ok(()),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if name == "request" => {
                    known(&select.field, &OF_REQUEST, "request has no")
                }
                _ => self.judge(&select.operand),
            },
            Expr::List(list) => list.elements.iter().try_for_each(|one| self.judge(one)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.judge(&entry.key)?;
                    self.judge(&entry.value)
                }
                EntryExpr::StructField(field) => self.judge(&field.value),
            }),
            Expr::Struct(structure) => Err(format!("there is no type `{}`", structure.type_name)),
            Expr::Call(call) => {
                judge_call(&call.func_name, call.target.as_deref(), &call.args)?;
                let target = call.target.iter().map(|target| &**target);
                target.chain(&call.args).try_for_each(|one| self.judge(one))
            }
            Expr::Comprehension(loop_) => {
                self.judge(&loop_.iter_range)?;
                if self.is_in_loop {
                    return Err("a loop within a loop, which could take long".to_owned());
                }
                let outer = self.bound.len();
                self.bound.push(&loop_.iter_var);
                self.bound.extend(loop_.iter_var2.as_deref());
                self.bound.push(&loop_.accu_var);
                self.is_in_loop = true;
                let inner = [
                    &loop_.accu_init,
                    &loop_.loop_cond,
                    &loop_.loop_step,
                    &loop_.result,
                ];
                inner.into_iter().try_for_each(|one| self.judge(one))?;
                self.is_in_loop = false;
                self.bound.truncate(outer);
                Ok(())
            }
        }
    }

    fn name(&self, name: &str) -> Result<(), String> {
        if name == "request" {
            return Err("`request` by itself, without what is asked of it".to_owned());
        }
        if self.bound.contains(&name) || TYPES.contains(&name) {
            return Ok(());
        }
        known(name, &VARIABLES, "there is no")
    }
}

fn judge_call(
    function: &str,
    target: Option<&IdedExpr>,
    arguments: &[IdedExpr],
) -> Result<(), String> {
    let is_operator = function.starts_with(['_', '!', '-', '@']);
    if !is_operator {
        known(function, &FUNCTIONS, "there is no function")?;
    }
    if function == operators::OPT_INDEX || function == operators::OPT_SELECT {
        return Err("optional values".to_owned());
    }
    if function == "matches" {
        let pattern = if target.is_some() {
            arguments.first()
        } else {
            arguments.get(1)
        };
        let Some(Expr::Literal(LiteralValue::String(pattern))) =
            pattern.map(|pattern| &pattern.expr)
        else {
            return Err("a pattern for `matches` that is no literal".to_owned());
        };
        FullMatch::compile("", pattern.inner()).map_err(|fault| fault.found)?;
    }
    Ok(())
}

fn known(name: &str, names: &[&str], complaint: &str) -> Result<(), String> {
    if names.contains(&name) {
        return Ok(());
    }
    let near = nearest(name, names.iter().copied());
    let near = near.map(|near| format!(" (did you mean `{near}`?)"));
    Err(format!("{complaint} `{name}`{}", near.unwrap_or_default()))
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Expression")
            .field(&self.text)
            .finish()
    }
}

/// Claims belong to a person: they are not shown.
impl fmt::Debug for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Known").finish_non_exhaustive()
    }
}
