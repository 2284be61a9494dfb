//! The walk over what the parser made of a condition, with the schema of each path on the way.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo, operators};
use serde_json::Value;

use super::super::error::Position;
use super::super::expression::LoopKind;
use super::literal::{self, Literal};
use super::nearest::nearest;
use super::node::{Field, Kinds, Node};
use super::said::{listed, said};
use super::{ConditionWarning, WarningKind};

/// One walk.
pub(super) struct Walk<'w> {
    source: &'w str,
    places: &'w SourceInfo,
    /// Whose schema it is, in words.
    of: &'w str,
    payload: Node<'w>,
    /// The variable of the loop under way, and what is known of it.
    variable: Option<(String, Option<Node<'w>>)>,
    found: Vec<ConditionWarning>,
}

/// Part of the text, in bytes.
type Span = std::ops::Range<usize>;

impl<'w> Walk<'w> {
    pub(super) fn new(
        (source, places): (&'w str, &'w SourceInfo),
        of: &'w str,
        schema: &'w Value,
    ) -> Self {
        Self {
            source,
            places,
            of,
            payload: Node::root(schema),
            variable: None,
            found: Vec::new(),
        }
    }

    /// What there is to say.
    pub(super) fn findings(mut self, parsed: &IdedExpr) -> Vec<ConditionWarning> {
        self.look(parsed);
        self.found
    }

    /// Looks at a node and all within it; what is known of its value, if it is one of the payload.
    fn look(&mut self, node: &IdedExpr) -> Option<Node<'w>> {
        match &node.expr {
            Expr::Ident(name) => match &self.variable {
                Some((variable, known)) if variable == name => known.clone(),
                _ => None,
            },
            Expr::Select(select) => self.select(node, select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                for entry in &list.elements {
                    self.look(entry);
                }
                None
            }
            _ => None,
        }
    }

    fn select(&mut self, node: &IdedExpr, select: &SelectExpr) -> Option<Node<'w>> {
        let is_root = matches!(&select.operand.expr, Expr::Ident(name) if name == "event")
            && self
                .variable
                .as_ref()
                .is_none_or(|(name, _)| name != "event");
        if is_root {
            return (select.field == "data").then(|| self.payload.clone());
        }
        let of = self.look(&select.operand)?;
        let span = self.name_after_dot(node, &select.field);
        self.field(&of, (&select.operand, &select.field), span)
    }

    fn call(&mut self, call: &CallExpr) -> Option<Node<'w>> {
        if let Some(target) = &call.target {
            if let Some(kind) = LoopKind::from_name(&call.func_name)
                && let [variable, body] = call.args.as_slice()
            {
                return self.each(kind, target, (variable, body));
            }
            self.method(target, call);
            return None;
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX, [of, index]) => return self.index(of, index),
            (operators::IN, [left, right]) => self.is_in(left, right),
            (
                name @ (operators::EQUALS
                | operators::NOT_EQUALS
                | operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS),
                [left, right],
            ) => {
                let known = (self.look(left), self.look(right));
                let how = match name {
                    operators::EQUALS | operators::NOT_EQUALS => How::Equal,
                    _ => How::Ordered,
                };
                match known {
                    (Some(known), None) => self.compare(how, (left, &known), right),
                    (None, Some(known)) => self.compare(how, (right, &known), left),
                    _ => {}
                }
            }
            (_, arguments) => {
                for argument in arguments {
                    self.look(argument);
                }
            }
        }
        None
    }

    fn index(&mut self, of: &IdedExpr, index: &IdedExpr) -> Option<Node<'w>> {
        let known = self.look(of);
        match &index.expr {
            Expr::Literal(LiteralValue::String(name)) => {
                let span = self.span(index);
                self.field(&known?, (of, name.inner()), span)
            }
            Expr::Literal(LiteralValue::Int(_)) => known?.entry(),
            _ => {
                self.look(index);
                None
            }
        }
    }

    /// A field of what is known.
    fn field(
        &mut self,
        of: &Node<'w>,
        (path, name): (&IdedExpr, &str),
        span: Span,
    ) -> Option<Node<'w>> {
        let whole = said(path);
        if let Some(kinds) = of.kinds().filter(|kinds| !kinds.meet(Kinds::OBJECT)) {
            let remedy = if kinds.meet(Kinds::LIST) {
                format!(": ask {whole}.exists(x, …), or one entry of it, {whole}[0]")
            } else {
                String::new()
            };
            let message = format!(
                "`{whole}` is {} in {}, and has no field `{name}`{remedy}",
                kinds.said(),
                self.of
            );
            self.find(WarningKind::NotAnObject, span, message, None);
            return None;
        }
        match of.field(name) {
            Field::Known(node) => Some(node),
            Field::Unsaid => None,
            Field::None(names) => {
                let meant = nearest(name, names.iter().copied());
                let ask = meant.map_or_else(
                    || format!("it has {}", listed(&names)),
                    |meant| format!("did you mean `{meant}`?"),
                );
                let message = format!("`{whole}.{name}` isn't in {}; {ask}", self.of);
                self.find(
                    WarningKind::UnknownField,
                    span,
                    message,
                    meant.map(str::to_owned),
                );
                None
            }
        }
    }

    fn each(
        &mut self,
        kind: LoopKind,
        entries: &IdedExpr,
        (variable, body): (&IdedExpr, &IdedExpr),
    ) -> Option<Node<'w>> {
        let known = self.look(entries);
        if let Some(kinds) = known.as_ref().and_then(Node::kinds)
            && !kinds.meet(Kinds::LIST)
            && !kinds.meet(Kinds::OBJECT)
        {
            let what = format!("{}() goes over a list", kind.as_str());
            self.wrong_kind(entries, kinds, &what);
        }
        if let Expr::Ident(name) = &variable.expr {
            let is_list = known
                .as_ref()
                .and_then(Node::kinds)
                .is_none_or(|kinds| !kinds.meet(Kinds::OBJECT));
            let entry = known.as_ref().filter(|_| is_list).and_then(Node::entry);
            let outer = self.variable.replace((name.clone(), entry));
            self.look(body);
            self.variable = outer;
        }
        known.filter(|_| kind == LoopKind::Filter)
    }

    fn method(&mut self, target: &IdedExpr, call: &CallExpr) {
        let known = self.look(target);
        let of_text = ["contains", "startsWith", "endsWith", "lowerAscii"];
        if of_text.contains(&call.func_name.as_str())
            && let Some(kinds) = known.as_ref().and_then(Node::kinds)
            && !kinds.meet(Kinds::TEXT)
        {
            let what = if kinds.meet(Kinds::LIST) {
                format!(
                    "{}() asks for text: whether a list has an entry is asked with in",
                    call.func_name
                )
            } else {
                format!("{}() asks for text", call.func_name)
            };
            self.wrong_kind(target, kinds, &what);
        }
        for argument in &call.args {
            self.look(argument);
        }
    }

    fn is_in(&mut self, left: &IdedExpr, right: &IdedExpr) {
        let known = self.look(left);
        if let Expr::List(list) = &right.expr {
            for entry in &list.elements {
                self.look(entry);
                if let Some(known) = &known {
                    self.compare(How::Equal, (left, known), entry);
                }
            }
            return;
        }
        let Some(container) = self.look(right) else {
            return;
        };
        match container.kinds() {
            Some(kinds) if !kinds.meet(Kinds::LIST) && !kinds.meet(Kinds::OBJECT) => {
                self.wrong_kind(right, kinds, "in asks for a list or an object");
            }
            Some(kinds) if !kinds.meet(Kinds::OBJECT) => {
                if let Some(entry) = container.entry() {
                    self.compare(How::Equal, (right, &entry), left);
                }
            }
            _ => {}
        }
    }

    /// What is known, beside a value that is written out.
    fn compare(&mut self, how: How, (path, known): (&IdedExpr, &Node<'w>), other: &IdedExpr) {
        let Some(written) = literal::of(other) else {
            return;
        };
        let Some(kinds) = known.kinds() else { return };
        let whole = said(path);
        let value = match written {
            Literal::Json(value) => value,
            Literal::Time => {
                let message = format!(
                    "`{whole}` is {} in {}, and is compared with a time: write timestamp({whole})",
                    kinds.said(),
                    self.of
                );
                let meant = Some(format!("timestamp({whole})"));
                let span = self.path_span(path);
                return self.find(WarningKind::WrongKind, span, message, meant);
            }
        };
        let span = self.span(other);
        if !kinds.meet(Kinds::of(&value)) {
            let meant = literal::of_other_kind(&value).filter(|one| kinds.meet(Kinds::of(one)));
            let comes = match how {
                How::Equal => "they are never equal",
                How::Ordered => "they can't be compared, which is an error",
            };
            let ask = meant
                .as_ref()
                .map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            let message = format!(
                "`{whole}` is {} in {}, and {value} is {}: {comes}{ask}",
                kinds.said(),
                self.of,
                Kinds::of(&value).said()
            );
            let meant = meant.map(|meant| meant.to_string());
            return self.find(WarningKind::WrongKind, span, message, meant);
        }
        let Some(values) = known.values().filter(|_| how == How::Equal) else {
            return;
        };
        if values.iter().any(|one| literal::same(one, &value)) {
            return;
        }
        let texts = values.iter().filter_map(|one| one.as_str());
        let meant = value.as_str().and_then(|wrong| nearest(wrong, texts));
        let meant = meant.map(|meant| Value::from(meant).to_string());
        let ask = meant.as_ref().map_or_else(
            || {
                let shown: Vec<_> = values.iter().map(ToString::to_string).collect();
                let shown: Vec<_> = shown.iter().map(String::as_str).collect();
                format!("it is {}", listed(&shown))
            },
            |meant| format!("did you mean {meant}?"),
        );
        let message = format!("`{whole}` is never {value} in {}; {ask}", self.of);
        self.find(WarningKind::UnknownValue, span, message, meant);
    }

    fn wrong_kind(&mut self, path: &IdedExpr, kinds: Kinds, what: &str) {
        let message = format!(
            "`{}` is {} in {}, and {what}",
            said(path),
            kinds.said(),
            self.of
        );
        let span = self.path_span(path);
        self.find(WarningKind::WrongKind, span, message, None);
    }

    fn find(&mut self, kind: WarningKind, span: Span, message: String, suggestion: Option<String>) {
        let text = self.source.get(span.clone()).unwrap_or_default();
        self.found.push(ConditionWarning {
            kind,
            at: Position::of(self.source, span.start),
            length: text.chars().count().max(1),
            message,
            suggestion,
        });
    }

    /// Where the parser has seen the node's own sign.
    fn span(&self, node: &IdedExpr) -> Span {
        let (start, last) = self.places.offset_for(node.id).unwrap_or_default();
        let end = (last as usize + 1).clamp(start as usize, self.source.len());
        start as usize..end
    }

    /// The name after the dot of a field.
    fn name_after_dot(&self, node: &IdedExpr, name: &str) -> Span {
        let dot = self.span(node);
        let rest = self.source.get(dot.end..).unwrap_or_default();
        let start = dot.end + (rest.len() - rest.trim_start().len());
        start..(start + name.len()).min(self.source.len())
    }

    /// The last name of a path.
    fn path_span(&self, path: &IdedExpr) -> Span {
        match &path.expr {
            Expr::Select(select) => self.name_after_dot(path, &select.field),
            _ => self.span(path),
        }
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Equal,
    Ordered,
}
