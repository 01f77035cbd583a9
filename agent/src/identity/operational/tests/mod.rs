//! Power cuts at every step, on a disk and in a token that lose all that was not synced; and every refusal by its sentence.

mod authority;
mod dice;
mod double;
#[expect(clippy::disallowed_methods, reason = "tests' own files")]
mod folder;
mod model;
mod refusals;
