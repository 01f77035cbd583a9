//! Power cuts at every step, on a disk and in a token that lose all that was not synced; and every refusal by its sentence.

mod authority;
mod dice;
mod double;
mod folder;
mod model;
mod refusals;
