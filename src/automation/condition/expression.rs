//! A condition after it was checked: a small tree of our own, with every name and function
//! resolved. Its `Display` is CEL again, in one normal form, and is what explanations quote.
//!
//! A tree of our own, and not the parser's, because every node here is known to be allowed: the
//! evaluation has no case for "this cannot be".

use std::fmt;

use super::check::VARIABLES;
use super::function::Function;
use super::value::{self, Value};
use crate::model::words;

/// A node of a checked condition.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Literal(Value<'static>),
    Root(Root),
    /// The variable of the loop around it. Loops don't nest, so there is one at most.
    Variable(String),
    /// A variable of the account, and what it stood for when the condition was read.
    Known(String, Value<'static>),
    Field(Box<Expression>, String),
    Index(Box<Expression>, Box<Expression>),
    Has(Box<Expression>),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    /// At least two, none of them an `All` itself.
    All(Vec<Expression>),
    /// At least two, none of them an `Any` itself.
    Any(Vec<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    In(Box<Expression>, Box<Expression>),
    Arithmetic(Operator, Box<Expression>, Box<Expression>),
    Either {
        test: Box<Expression>,
        then: Box<Expression>,
        otherwise: Box<Expression>,
    },
    Call(Function, Vec<Expression>),
    Loop(Box<Loop>),
    List(Vec<Expression>),
}

/// What a condition may ask of an event, and a mapping of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Id,
    Type,
    Timestamp,
    Source,
    CloudEvent,
    Payload,
    Headers,
    Body,
    Query,
}

words!(Root {
    Id = "id",
    Type = "type",
    Timestamp = "timestamp",
    Source = "source",
    CloudEvent = "cloudevent",
    Payload = "data",
    Headers = "headers",
    Body = "body",
    Query = "query",
});

impl Root {
    /// Steps that it takes to have its value: an id is made into a text.
    pub(super) fn steps(self) -> usize {
        if self == Self::Id { 6 } else { 0 }
    }

    /// Whether it is asked of an event, with `event.` before it; of a request, if not.
    pub(super) fn is_of_event(self) -> bool {
        !matches!(self, Self::Headers | Self::Body | Self::Query)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

words!(Comparison {
    Equal = "==",
    NotEqual = "!=",
    Less = "<",
    AtMost = "<=",
    Greater = ">",
    AtLeast = ">=",
});

impl Comparison {
    /// The comparison that holds when this one does not.
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::AtLeast,
            Self::AtLeast => Self::Less,
            Self::AtMost => Self::Greater,
            Self::Greater => Self::AtMost,
        }
    }

    /// The comparison that says the same with its sides exchanged.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::Greater => Self::Less,
            Self::AtMost => Self::AtLeast,
            Self::AtLeast => Self::AtMost,
            same @ (Self::Equal | Self::NotEqual) => same,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

words!(Operator {
    Add = "+",
    Subtract = "-",
    Multiply = "*",
    Divide = "/",
    Remainder = "%",
});

/// `entries.all(variable, body)` and its sisters.
#[derive(Debug, Clone)]
pub(super) struct Loop {
    pub(super) kind: LoopKind,
    pub(super) entries: Expression,
    pub(super) variable: String,
    pub(super) body: Expression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoopKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

words!(LoopKind {
    All = "all",
    Exists = "exists",
    ExistsOne = "exists_one",
    Filter = "filter",
    Map = "map",
});

impl LoopKind {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "existsOne" => Some(Self::ExistsOne),
            _ => Self::from_word(name),
        }
    }
}

impl Expression {
    /// Shows itself and everything within to `look`.
    pub(super) fn visit(&self, look: &mut impl FnMut(&Self)) {
        look(self);
        match self {
            Self::Literal(_) | Self::Root(_) | Self::Variable(_) | Self::Known(..) => {}
            Self::Field(of, _) => of.visit(look),
            Self::Has(inner) | Self::Not(inner) | Self::Negate(inner) => inner.visit(look),
            Self::All(parts) | Self::Any(parts) | Self::List(parts) | Self::Call(_, parts) => {
                for part in parts {
                    part.visit(look);
                }
            }
            Self::Index(left, right)
            | Self::Compare(_, left, right)
            | Self::In(left, right)
            | Self::Arithmetic(_, left, right) => {
                left.visit(look);
                right.visit(look);
            }
            Self::Either {
                test,
                then,
                otherwise,
            } => {
                test.visit(look);
                then.visit(look);
                otherwise.visit(look);
            }
            Self::Loop(each) => {
                each.entries.visit(look);
                each.body.visit(look);
            }
        }
    }

    /// How tightly the node binds in text, from CEL's grammar: a child that binds less than its
    /// place asks for gets parentheses.
    fn binding(&self) -> u8 {
        match self {
            Self::Either { .. } => 0,
            Self::Any(_) => 1,
            Self::All(_) => 2,
            Self::Compare(..) | Self::In(..) => 3,
            Self::Arithmetic(Operator::Add | Operator::Subtract, ..) => 4,
            Self::Arithmetic(..) => 5,
            Self::Not(_) | Self::Negate(_) => 6,
            Self::Literal(literal) if literal.is_negative() => 6,
            _ => 7,
        }
    }

    fn write_bound(&self, least: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.binding() < least {
            write!(f, "({self})")
        } else {
            fmt::Display::fmt(self, f)
        }
    }

    fn write_pair(
        &self,
        symbol: &str,
        pair: (&Self, &Self),
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let binding = self.binding();
        pair.0.write_bound(binding, f)?;
        write!(f, " {symbol} ")?;
        // All of them associate to the left.
        pair.1.write_bound(binding + 1, f)
    }

    fn write_joined(
        parts: &[Self],
        symbol: &str,
        least: u8,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        for (no, part) in parts.iter().enumerate() {
            if no > 0 {
                f.write_str(symbol)?;
            }
            part.write_bound(least, f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_of_event() {
            f.write_str("event.")?;
        }
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => f.write_str(&value::as_source(literal)),
            Self::Root(root) => root.fmt(f),
            Self::Variable(name) => f.write_str(name),
            Self::Known(name, _) => write!(f, "{VARIABLES}.{name}"),
            Self::Field(of, name) => {
                of.write_bound(7, f)?;
                f.write_str(".")?;
                f.write_str(name)
            }
            Self::Index(of, index) => {
                of.write_bound(7, f)?;
                write!(f, "[{index}]")
            }
            Self::Has(path) => write!(f, "has({path})"),
            Self::Not(inner) => {
                // The parser drops `!!`, and with it that its operand must be true or false.
                f.write_str("!")?;
                inner.write_bound(7, f)
            }
            Self::Negate(inner) => {
                f.write_str("-")?;
                inner.write_bound(7, f)
            }
            Self::All(parts) => Self::write_joined(parts, " && ", 3, f),
            Self::Any(parts) => Self::write_joined(parts, " || ", 2, f),
            Self::Compare(comparison, left, right) => {
                self.write_pair(comparison.as_str(), (left, right), f)
            }
            Self::In(left, right) => self.write_pair("in", (left, right), f),
            Self::Arithmetic(operator, left, right) => {
                self.write_pair(operator.as_str(), (left, right), f)
            }
            Self::Either {
                test,
                then,
                otherwise,
            } => {
                test.write_bound(1, f)?;
                write!(f, " ? ")?;
                then.write_bound(1, f)?;
                write!(f, " : {otherwise}")
            }
            Self::Call(function, arguments) if function.is_method() => {
                arguments[0].write_bound(7, f)?;
                write!(f, ".{}(", function.as_str())?;
                Self::write_joined(&arguments[1..], ", ", 0, f)?;
                f.write_str(")")
            }
            Self::Call(function, arguments) => {
                write!(f, "{}(", function.as_str())?;
                Self::write_joined(arguments, ", ", 0, f)?;
                f.write_str(")")
            }
            Self::Loop(each) => {
                each.entries.write_bound(7, f)?;
                write!(
                    f,
                    ".{}({}, {})",
                    each.kind.as_str(),
                    each.variable,
                    each.body
                )
            }
            Self::List(parts) => {
                f.write_str("[")?;
                Self::write_joined(parts, ", ", 0, f)?;
                f.write_str("]")
            }
        }
    }
}
