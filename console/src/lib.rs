//! A fleet in sight: a page with map, list and charts, and the server behind it.
//!
//! ```text
//!  Backend ── messages, events ──▶ ingest ─┬─▶ fleet (rows now) ──▶ live (deltas) ──┐
//!     ▲                                    └─▶ history (SQLite) ──────────────────┐ │
//!     │ twins, methods, enrollments, faults, time                                 ▼ ▼
//!     └──────────────────────────────────────────────────────────────────────── web ──▶ page
//! ```
//!
//! It knows neither the emulator nor the agent: whoever starts it hands in a [`backend::Backend`].

#![forbid(unsafe_code)]

// The rooms, from the ground up: a room takes names from those above it in this list, never from those below it.

/// Locks. Stands on nothing.
mod lock;
/// What page, history and backend tell each other. Plain data.
pub mod model;
/// What the console asks of whatever is behind it.
pub mod backend;
/// What messages of devices say.
mod telemetry;
/// The fleet as it is.
mod fleet;
/// What was.
pub mod history;
/// What comes out of a backend, into the fleet and the history.
pub mod ingest;
/// The page and its calls.
pub mod web;
