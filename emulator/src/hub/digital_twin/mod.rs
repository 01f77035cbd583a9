//! Digital twins: a twin as Plug and Play sees it, and changes of it in JSON Patch (RFC 6902).

mod component;
mod patch;
mod view;

pub(super) use patch::desired_of;
pub(super) use view::view;
