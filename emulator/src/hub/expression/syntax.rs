//! Expressions as they are kept.

use serde_json::Value;

use super::functions::Function;

/// The names from a document down to a value; within a list, the place.
pub(in crate::hub) type Path = Vec<String>;

#[derive(Clone, Debug)]
pub(in crate::hub) enum Expression {
    Literal(Value),
    Undefined,
    Path(Path),
    Call(Function, Vec<Expression>),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    In(Box<Expression>, Vec<Expression>, bool),
    Binary(Box<Expression>, Operator, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    pub(in crate::hub) fn is_comparison(self) -> bool {
        use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        matches!(self, Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual)
    }
}

impl Expression {
    /// Shows every part to `look`, the outer one first, until one is refused.
    pub(in crate::hub) fn try_for_each<E>(
        &mut self,
        look: &mut impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        look(self)?;
        match self {
            Self::Literal(_) | Self::Undefined | Self::Path(_) => Ok(()),
            Self::Call(_, arguments) => {
                arguments.iter_mut().try_for_each(|argument| argument.try_for_each(look))
            }
            Self::Not(inner) | Self::Negate(inner) => inner.try_for_each(look),
            Self::In(left, list, _) => {
                left.try_for_each(look)?;
                list.iter_mut().try_for_each(|value| value.try_for_each(look))
            }
            Self::Binary(left, _, right) => {
                left.try_for_each(look)?;
                right.try_for_each(look)
            }
        }
    }

    /// Shows every path to `look`.
    pub(in crate::hub) fn look_at_paths(&self, look: &mut impl FnMut(&Path)) {
        match self {
            Self::Literal(_) | Self::Undefined => {}
            Self::Path(path) => look(path),
            Self::Call(_, parts) => {
                for part in parts {
                    part.look_at_paths(look);
                }
            }
            Self::Not(inner) | Self::Negate(inner) => inner.look_at_paths(look),
            Self::In(left, list, _) => {
                left.look_at_paths(look);
                for value in list {
                    value.look_at_paths(look);
                }
            }
            Self::Binary(left, _, right) => {
                left.look_at_paths(look);
                right.look_at_paths(look);
            }
        }
    }

    /// Lets `change` at every path.
    pub(in crate::hub) fn for_each_path(&mut self, change: &mut impl FnMut(&mut Path)) {
        let changed: Result<(), std::convert::Infallible> = self.try_for_each(&mut |part| {
            if let Self::Path(path) = part {
                change(path);
            }
            Ok(())
        });
        match changed {
            Ok(()) => {}
        }
    }
}
