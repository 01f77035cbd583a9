//! Named places: fences on the map, and what it means for a container to be in one, to enter it, to leave it, to pass it.
//!
//! ```text
//!  GeoJSON ── geojson ─▶ Fences ─┐
//!                                ├─▶ Tracker ──▶ Crossing: inside, enter, exit, crossed
//!            fix with HDOP ──────┘        └────▶ Standing, to be kept over a restart
//! ```
//!
//! Pure: no files, no clocks. What lies where is said by the crate `geo`; what is ours is that the earth is round: longitudes
//! that go on over the antimeridian (`ring.rs`, `bounds.rs`), and poles.
//!
//! An edge of a polygon is straight in longitude and latitude, as GeoJSON has it (RFC 7946, section 3.1.1), and goes the
//! shorter way round. All longitudes and latitudes are degrees, WGS 84; a `Coord` has the longitude as `x`.

mod bounds;
mod fence;
mod fences;
mod geojson;
mod line;
mod ring;
mod shape;
mod simple;
mod tracker;

#[cfg(test)]
mod tests;

pub use fence::{Fence, MOST_FENCES};
pub use fences::Fences;
pub use tracker::{Crossing, CrossingKind, Fix, Here, Standing, Tracker};
