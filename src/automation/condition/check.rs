//! From text to a checked [`Expression`]: everything that can be wrong with a condition is said
//! here, when it is saved, with its place. What the parser makes of the text is in [`super::parse`].

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo, operators};

use super::cost;
use super::error::{ConditionError, Position};
use super::expression::{Expression, Loop, LoopKind, Root};
use super::fault::Steps;
use super::function::Function;
use super::names::{comparison, operator, roots};
use super::parse::parse;
use super::value::Value;
use super::variables::{Found, Variables};
use crate::model::counted;

/// Most entries of a list that is written out.
const LIST_ENTRIES_MAX: usize = 1000;
/// What stands before the names of variables.
pub(super) const VARIABLES: &str = "vars";
/// Deepest tree, after chains of `&&` and of `||` have become one node each.
const DEPTH_MAX: usize = 80;

type Result<T> = std::result::Result<T, ConditionError>;

/// What an expression asks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// An event: `event.…`.
    Event,
    /// A request: `headers`, `body` and `query`.
    Request,
}

/// The condition that `source` says, if it is allowed.
pub(super) fn check(source: &str, variables: &Variables) -> Result<Expression> {
    let expression = read(source, Of::Event, variables)?;
    cost::check_answer(&expression)?;
    Ok(expression)
}

/// The expression that `source` says, if it is allowed, whatever it gives.
pub(super) fn read(source: &str, of: Of, variables: &Variables) -> Result<Expression> {
    let (parsed, places) = parse(source)?;
    let mut checker = Checker {
        source,
        of,
        places,
        variables,
        variable: None,
        depth: 0,
    };
    let expression = checker.lower(&parsed)?;
    cost::check_steps(&expression)?;
    Ok(expression)
}

struct Checker<'s> {
    source: &'s str,
    of: Of,
    places: SourceInfo,
    /// What `vars` has.
    variables: &'s Variables,
    /// The variable of the loop that is being checked.
    variable: Option<String>,
    depth: usize,
}

impl Checker<'_> {
    fn at(&self, node: &IdedExpr) -> Position {
        let start = self
            .places
            .offset_for(node.id)
            .map_or(0, |(start, _)| start as usize);
        Position::of(self.source, start)
    }

    fn unsupported<T>(&self, node: &IdedExpr, message: impl Into<String>) -> Result<T> {
        Err(ConditionError::Unsupported {
            at: self.at(node),
            message: message.into(),
        })
    }

    fn lower(&mut self, node: &IdedExpr) -> Result<Expression> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(ConditionError::TooDeep { at: self.at(node) });
        }
        let lowered = match &node.expr {
            Expr::Literal(literal) => self.literal(node, literal),
            Expr::Ident(name) => self.name(node, name),
            Expr::Select(select) => self.select(node, select),
            Expr::Call(call) => self.call(node, call),
            Expr::List(list) if list.elements.len() > LIST_ENTRIES_MAX => self.unsupported(
                node,
                format!("a list has {LIST_ENTRIES_MAX} entries at most"),
            ),
            Expr::List(list) => self.lower_each(&list.elements).map(Expression::List),
            Expr::Map(_) | Expr::Struct(_) => self.unsupported(
                node,
                "{…} can't be written in a condition: compare single fields",
            ),
            Expr::Comprehension(_) | Expr::Unspecified => {
                self.unsupported(node, "this can't be written in a condition")
            }
        };
        self.depth -= 1;
        lowered
    }

    fn lower_each(&mut self, nodes: &[IdedExpr]) -> Result<Vec<Expression>> {
        nodes.iter().map(|node| self.lower(node)).collect()
    }

    fn boxed(&mut self, node: &IdedExpr) -> Result<Box<Expression>> {
        self.lower(node).map(Box::new)
    }

    fn literal(&self, node: &IdedExpr, literal: &LiteralValue) -> Result<Expression> {
        Ok(Expression::Literal(match literal {
            LiteralValue::Null => Value::Null,
            LiteralValue::Boolean(value) => Value::Bool(*value.inner()),
            LiteralValue::Int(number) => Value::Int(*number.inner()),
            LiteralValue::Double(number) => Value::Double(*number.inner()),
            LiteralValue::String(text) => Value::Text(text.inner().to_owned().into()),
            LiteralValue::UInt(number) => {
                return self.unsupported(
                    node,
                    format!(
                        "write {number} without the u: whole numbers in events have a sign",
                        number = number.inner()
                    ),
                );
            }
            LiteralValue::Bytes(_) => {
                return self.unsupported(node, "write the text without the b: JSON has no bytes");
            }
        }))
    }

    fn name(&self, node: &IdedExpr, name: &str) -> Result<Expression> {
        if self.variable.as_deref() == Some(name) {
            return Ok(Expression::Variable(name.to_owned()));
        }
        if self.of == Of::Request {
            let root = Root::from_word(name).filter(|root| !root.is_of_event());
            return root
                .map(Expression::Root)
                .ok_or_else(|| ConditionError::UnknownName {
                    at: self.at(node),
                    name: name.to_owned(),
                });
        }
        if name == "event" {
            return self.unsupported(
                node,
                format!("`event` alone has no value: ask for one of {}", roots()),
            );
        }
        if name == VARIABLES {
            return self.unsupported(
                node,
                "`vars` alone has no value: ask for a variable by its name, as in vars.minimum",
            );
        }
        Err(ConditionError::UnknownName {
            at: self.at(node),
            name: name.to_owned(),
        })
    }

    fn select(&mut self, node: &IdedExpr, select: &SelectExpr) -> Result<Expression> {
        let of = match &select.operand.expr {
            Expr::Ident(name) if self.variable.as_ref() != Some(name) && self.of == Of::Event => {
                name.as_str()
            }
            _ => "",
        };
        if of == VARIABLES {
            return self.named(node, &select.field);
        }
        if of == "event" {
            return Root::from_word(&select.field)
                .filter(|root| root.is_of_event())
                .map(Expression::Root)
                .ok_or_else(|| ConditionError::UnknownName {
                    at: self.at(node),
                    name: format!("event.{}", select.field),
                });
        }
        let of = self.boxed(&select.operand)?;
        Ok(Expression::Field(of, select.field.clone()))
    }

    /// What a variable of the account stands for.
    fn named(&self, node: &IdedExpr, name: &str) -> Result<Expression> {
        let (at, name) = (self.at(node), name.to_owned());
        match self.variables.find(&name) {
            Found::Plain(value) => Ok(Expression::Known(name, value)),
            Found::Secret => Err(ConditionError::SecretVariable { at, name }),
            Found::Missing => Err(ConditionError::UnknownVariable { at, name }),
        }
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Result<Expression> {
        if let Some(target) = &call.target {
            return match (LoopKind::from_name(&call.func_name), call.args.as_slice()) {
                (Some(kind), [variable, body]) => self.each(node, kind, target, (variable, body)),
                (Some(kind), _) => self.unsupported(
                    node,
                    format!(
                        "{0}() takes a name and a test: list.{0}(x, x.price > 10)",
                        kind.as_str()
                    ),
                ),
                (None, arguments) => {
                    let all: Vec<&IdedExpr> = std::iter::once(&**target).chain(arguments).collect();
                    self.function(node, call, &all)
                }
            };
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [_, _]) => self.chain(node, call),
            (operators::LOGICAL_NOT, [inner]) => Ok(Expression::Not(self.boxed(inner)?)),
            (operators::NEGATE, [inner]) => Ok(match self.lower(inner)? {
                Expression::Literal(Value::Int(number)) if number != i64::MIN => {
                    Expression::Literal(Value::Int(-number))
                }
                Expression::Literal(Value::Double(number)) => {
                    Expression::Literal(Value::Double(-number))
                }
                other => Expression::Negate(Box::new(other)),
            }),
            (operators::CONDITIONAL, [test, then, otherwise]) => Ok(Expression::Either {
                test: self.boxed(test)?,
                then: self.boxed(then)?,
                otherwise: self.boxed(otherwise)?,
            }),
            (operators::INDEX, [of, index]) => {
                Ok(Expression::Index(self.boxed(of)?, self.boxed(index)?))
            }
            (operators::IN, [left, right]) => {
                Ok(Expression::In(self.boxed(left)?, self.boxed(right)?))
            }
            (operators::HAS, [path]) => match self.boxed(path)? {
                path if matches!(*path, Expression::Field(..) | Expression::Index(..)) => {
                    Ok(Expression::Has(path))
                }
                path if matches!(*path, Expression::Root(_)) => Ok(Expression::Has(path)),
                _ => self.unsupported(node, "has() asks for a field: has(event.data.amount)"),
            },
            (name, [left, right]) if comparison(name).is_some() || operator(name).is_some() => {
                let (left, right) = (self.boxed(left)?, self.boxed(right)?);
                Ok(match (comparison(name), operator(name)) {
                    (Some(comparison), _) => Expression::Compare(comparison, left, right),
                    (None, Some(operator)) => Expression::Arithmetic(operator, left, right),
                    (None, None) => return Err(ConditionError::Unreadable),
                })
            }
            (_, arguments) => {
                let all: Vec<&IdedExpr> = arguments.iter().collect();
                self.function(node, call, &all)
            }
        }
    }

    /// The parser makes a balanced tree of `a && b && c`; here it is one node with three parts.
    fn chain(&mut self, node: &IdedExpr, call: &CallExpr) -> Result<Expression> {
        let mut nodes = vec![node];
        let mut parts = Vec::new();
        while let Some(next) = nodes.pop() {
            match &next.expr {
                Expr::Call(inner) if inner.func_name == call.func_name && inner.args.len() == 2 => {
                    nodes.extend([&inner.args[1], &inner.args[0]]);
                }
                _ => parts.push(self.lower(next)?),
            }
        }
        Ok(if call.func_name == operators::LOGICAL_AND {
            Expression::All(parts)
        } else {
            Expression::Any(parts)
        })
    }

    fn each(
        &mut self,
        node: &IdedExpr,
        kind: LoopKind,
        entries: &IdedExpr,
        (variable, body): (&IdedExpr, &IdedExpr),
    ) -> Result<Expression> {
        let Expr::Ident(variable) = &variable.expr else {
            return self.unsupported(
                variable,
                format!(
                    "the first argument of {}() is a plain name, such as x",
                    kind.as_str()
                ),
            );
        };
        if self.variable.is_some() {
            return Err(ConditionError::NestedLoop { at: self.at(node) });
        }
        let entries = self.lower(entries)?;
        self.variable = Some(variable.clone());
        let body = self.lower(body);
        self.variable = None;
        Ok(Expression::Loop(Box::new(Loop {
            kind,
            entries,
            variable: variable.clone(),
            body: body?,
        })))
    }

    fn function(
        &mut self,
        node: &IdedExpr,
        call: &CallExpr,
        arguments: &[&IdedExpr],
    ) -> Result<Expression> {
        let name = call.func_name.as_str();
        let Some((function, fewest, most)) = Function::from_name(name) else {
            return Err(ConditionError::UnknownFunction {
                at: self.at(node),
                name: name.to_owned(),
            });
        };
        if function.is_method() != call.target.is_some() && !function.is_either() {
            let how = if function.is_method() {
                format!("x.{name}(…)")
            } else {
                format!("{name}(x)")
            };
            return self.unsupported(node, format!("{name} is called as {how}"));
        }
        if arguments.len() < fewest || arguments.len() > most {
            return self.unsupported(
                node,
                format!(
                    "{name}() has {}, needs {fewest}",
                    counted(arguments.len(), "argument")
                ),
            );
        }
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| self.lower(argument))
            .collect::<Result<_>>()?;
        self.fold_literals(node, function, arguments)
    }

    /// A call of literals alone is made now: `timestamp("2026-13-01")` is wrong for every event,
    /// and so is a time zone that there is not.
    fn fold_literals(
        &self,
        node: &IdedExpr,
        function: Function,
        arguments: Vec<Expression>,
    ) -> Result<Expression> {
        let literal = |argument: &Expression| match argument {
            Expression::Literal(value) => Some(value.clone()),
            _ => None,
        };
        let mut values: Vec<_> = arguments.iter().filter_map(literal).collect();
        let zone_alone = matches!(function, Function::Part(_)) && values.len() == 1;
        if zone_alone && arguments.len() == 2 {
            values.insert(0, Value::Time(jiff::Timestamp::UNIX_EPOCH));
        }
        if values.len() < arguments.len() {
            return Ok(Expression::Call(function, arguments));
        }
        match function.call(&values, &mut Steps::new()) {
            Ok(_) if zone_alone => Ok(Expression::Call(function, arguments)),
            Ok(value) => Ok(Expression::Literal(value)),
            Err(fault) => self.unsupported(node, fault.into_sentence()),
        }
    }
}
