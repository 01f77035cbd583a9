//! What the hub's two languages share, queries over twins and conditions of routes: words, expressions, and what they come
//! to (IoT Hub developer guide, "expressions and conditions"). Each language says by a [`Dialect`] what of it it has.

mod number;
mod lexer;
mod functions;
mod syntax;
mod parser;
mod evaluate;

pub(in crate::hub) use evaluate::{Document, Evaluator, holds, member_without_case};
pub(in crate::hub) use lexer::Token;
pub(in crate::hub) use number::number;
pub(in crate::hub) use parser::{Dialect, Parser};
pub(in crate::hub) use syntax::{Expression, Operator, Path};

/// The longest text of a query or a condition, in characters.
pub(in crate::hub) const MAX_LENGTH: usize = 8192;
